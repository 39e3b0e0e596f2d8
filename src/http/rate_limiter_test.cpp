#include "http/rate_limiter.h"

#include <thread>

#include <gtest/gtest.h>

namespace spaktok::http {
namespace {

using namespace std::chrono_literals;

constexpr RateLimit limit{"test", 60, 3};  // one a second

class RateLimiterTest : public ::testing::Test {
  protected:
    ManualClock clock{Timestamp{std::chrono::milliseconds{1'700'000'000'000}}};
};

TEST_F(RateLimiterTest, allows_a_burst_and_then_says_when_to_come_back) {
    RateLimiter limiter(clock, {});
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(limiter.take(limit, "a"), std::nullopt);
    EXPECT_EQ(limiter.take(limit, "a"), 1000ms);
    clock.advance(999ms);
    EXPECT_EQ(limiter.take(limit, "a"), 1ms);
    clock.advance(1ms);
    EXPECT_EQ(limiter.take(limit, "a"), std::nullopt);
    EXPECT_EQ(limiter.take(limit, "a"), 1000ms);
}

TEST_F(RateLimiterTest, nodes_share_what_is_taken_of_shared_limits) {
    constexpr RateLimit shared{"shared", 60, 3, true};
    RateLimiter here(clock, {.has_peers = true});
    RateLimiter there(clock, {.has_peers = true});
    const auto exchange = [&] {
        for (const auto& spent : here.spent(100))
            there.spend(spent);
        for (const auto& spent : there.spent(100))
            here.spend(spent);
    };
    EXPECT_EQ(here.take(shared, "a"), std::nullopt);
    EXPECT_EQ(here.take(shared, "a"), std::nullopt);
    EXPECT_EQ(here.take(limit, "a"), std::nullopt);
    exchange();
    exchange();  // what was told is not told again, nor what came from there
    EXPECT_EQ(there.take(shared, "a"), std::nullopt);
    EXPECT_EQ(there.take(shared, "a"), 1000ms);
    EXPECT_EQ(there.take(shared, "b"), std::nullopt);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(there.take(limit, "a"), std::nullopt);
    exchange();
    EXPECT_EQ(here.take(shared, "a"), 1000ms);
    // Both at once: more than empty it cannot be.
    clock.advance(3s);
    for (int i = 0; i < 3; ++i) {
        here.take(shared, "a");
        there.take(shared, "a");
    }
    exchange();
    EXPECT_EQ(here.take(shared, "a"), 1000ms);
    clock.advance(1s);
    EXPECT_EQ(here.take(shared, "a"), std::nullopt);
}

TEST_F(RateLimiterTest, tells_of_so_many_buckets_at_once_and_of_none_without_peers) {
    constexpr RateLimit shared{"shared", 60, 3, true};
    RateLimiter limiter(clock, {.has_peers = true});
    for (int i = 0; i < 100; ++i)
        limiter.take(shared, std::to_string(i));
    EXPECT_EQ(limiter.spent(60).size(), 60U);
    EXPECT_EQ(limiter.spent(60).size(), 40U);
    EXPECT_EQ(limiter.spent(60).size(), 0U);
    RateLimiter alone(clock, {});
    alone.take(shared, "a");
    EXPECT_EQ(alone.spent(60).size(), 0U);
}

TEST_F(RateLimiterTest, a_refusal_costs_nothing) {
    RateLimiter limiter(clock, {});
    for (int i = 0; i < 100; ++i)
        limiter.take(limit, "a");
    clock.advance(1s);
    EXPECT_EQ(limiter.take(limit, "a"), std::nullopt);
}

TEST_F(RateLimiterTest, a_bucket_never_holds_more_than_its_burst) {
    RateLimiter limiter(clock, {});
    EXPECT_EQ(limiter.take(limit, "a"), std::nullopt);
    clock.advance(1h);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(limiter.take(limit, "a"), std::nullopt);
    EXPECT_NE(limiter.take(limit, "a"), std::nullopt);
}

TEST_F(RateLimiterTest, keys_and_limits_have_buckets_of_their_own) {
    RateLimiter limiter(clock, {});
    constexpr RateLimit other{"other", 60, 1};
    for (int i = 0; i < 3; ++i)
        limiter.take(limit, "a");
    EXPECT_NE(limiter.take(limit, "a"), std::nullopt);
    EXPECT_EQ(limiter.take(limit, "b"), std::nullopt);
    EXPECT_EQ(limiter.take(other, "a"), std::nullopt);
}

TEST_F(RateLimiterTest, the_scale_multiplies_burst_and_rate) {
    RateLimiter limiter(clock, {.scale = 10});
    for (int i = 0; i < 30; ++i)
        EXPECT_EQ(limiter.take(limit, "a"), std::nullopt);
    EXPECT_EQ(limiter.take(limit, "a"), 100ms);
}

TEST_F(RateLimiterTest, a_flood_of_keys_does_not_free_who_has_used_up_their_bucket) {
    constexpr std::size_t keys_max = 1600;
    RateLimiter limiter(clock, {.keys_max = keys_max});
    for (int i = 0; i < 3; ++i)
        limiter.take(limit, "abuser");
    for (int i = 0; i < 20'000; ++i) {
        limiter.take(limit, "key " + std::to_string(i));
        ASSERT_LE(limiter.keys(), keys_max) << i;
    }
    EXPECT_NE(limiter.take(limit, "abuser"), std::nullopt);
}

TEST(RateKey, an_ipv6_address_counts_by_its_network) {
    EXPECT_EQ(rate_key("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(rate_key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    EXPECT_EQ(rate_key("2001:db8:1:2:ffff::1"), rate_key("2001:db8:1:2::"));
    EXPECT_NE(rate_key("2001:db8:1:3::1"), rate_key("2001:db8:1:2::1"));
}

TEST(RateLimiterConcurrent, threads_together_get_no_more_than_the_burst) {
    ManualClock clock{Timestamp{std::chrono::milliseconds{1'700'000'000'000}}};
    RateLimiter limiter(clock, {});
    constexpr RateLimit shared{"shared", 60, 1000};
    std::atomic<int> allowed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                if (!limiter.take(shared, "a")) ++allowed;
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(allowed, 1000);
}

}  // namespace
}  // namespace spaktok::http
