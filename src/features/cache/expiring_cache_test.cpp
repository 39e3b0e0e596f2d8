#include "features/cache/expiring_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace spaktok::cache {
namespace {

using Cache = ExpiringCache<int, std::string>;

class ExpiringCacheTest : public testing::Test {
  protected:
    ManualClock clock_{Timestamp{}};
    Cache cache_{clock_, {.life = std::chrono::seconds{10}, .entries_max = 32}};

    void put(int key, std::string value) { cache_.put(key, std::move(value), cache_.ticket(key)); }
};

TEST_F(ExpiringCacheTest, ForgetsAValueAtTheEndOfItsLife) {
    put(1, "a");
    clock_.advance(std::chrono::milliseconds{9'999});
    EXPECT_EQ(cache_.get(1), "a");
    clock_.advance(std::chrono::milliseconds{1});
    EXPECT_EQ(cache_.get(1), std::nullopt);
}

TEST_F(ExpiringCacheTest, KeepsTheNewestValueOfAKey) {
    put(1, "a");
    clock_.advance(std::chrono::seconds{9});
    put(1, "b");
    clock_.advance(std::chrono::seconds{9});
    EXPECT_EQ(cache_.get(1), "b");
    cache_.drop(1);
    EXPECT_EQ(cache_.get(1), std::nullopt);
}

TEST_F(ExpiringCacheTest, IsNotGivenAValueThatWasReadBeforeADrop) {
    const auto ticket = cache_.ticket(1);
    cache_.drop(1);
    cache_.put(1, "old", ticket);
    EXPECT_EQ(cache_.get(1), std::nullopt);
    put(1, "new");
    EXPECT_EQ(cache_.get(1), "new");
}

TEST_F(ExpiringCacheTest, ForgetsTheOldestWhereItIsFull) {
    for (int key = 0; key < 1000; ++key)
        put(key, std::to_string(key));
    int kept = 0;
    for (int key = 0; key < 1000; ++key) {
        const auto value = cache_.get(key);
        if (!value) continue;
        ++kept;
        EXPECT_EQ(*value, std::to_string(key));
        EXPECT_GE(key, 900);
    }
    EXPECT_LE(kept, 32);
    EXPECT_GE(kept, 16);
}

}  // namespace
}  // namespace spaktok::cache
