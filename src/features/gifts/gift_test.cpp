#include "features/gifts/gift.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace spaktok::gifts {
namespace {

Money cents(std::int64_t minor) {
    return Money::from_minor(minor);
}

TEST(Split, RoundsTheFeeHalfToEven) {
    struct Case {
        std::int64_t price;
        std::int64_t basis_points;
        std::int64_t fee;
    };
    for (const auto& [price, basis_points, fee] : std::initializer_list<Case>{
             {100, 3'000, 30},
             {1, 3'000, 0},   // 0.3
             {2, 3'000, 1},   // 0.6
             {5, 3'000, 2},   // 1.5
             {15, 3'000, 4},  // 4.5
             {25, 3'000, 8},  // 7.5
             {1, 5'000, 0},   // 0.5
             {3, 5'000, 2},   // 1.5
             {9'999'999'999, 3'000, 3'000'000'000},
             {9'999'999'999, 10'000, 9'999'999'999},
             {9'999'999'999, 0, 0},
         }) {
        EXPECT_EQ(split(cents(price), basis_points).platform_fee, cents(fee))
            << price << " at " << basis_points;
    }
}

TEST(Split, SumsToThePrice) {
    SeededRandom random(1);
    for (int i = 0; i < 10'000; ++i) {
        const auto price = cents(static_cast<std::int64_t>(1 + random.below(9'999'999'999)));
        const auto shares = split(price, static_cast<std::int64_t>(random.below(10'001)));
        ASSERT_EQ(shares.platform_fee + shares.streamer_payout, price);
        ASSERT_GE(shares.platform_fee, Money{});
        ASSERT_GE(shares.streamer_payout, Money{});
    }
}

TEST(DayLimit, IsLowerForAccountsOfTheFirstDay) {
    SeededRandom random(1);
    const auto made = from_unix_milliseconds(1'795'000'000'000);
    const auto user = UserId::make(made, random);
    const Limits limits;
    EXPECT_EQ(day_limit(limits, user, made), limits.of_day_when_new);
    EXPECT_EQ(day_limit(limits, user, made + limits.new_for - std::chrono::milliseconds(1)),
              limits.of_day_when_new);
    EXPECT_EQ(day_limit(limits, user, made + limits.new_for), limits.of_day);
}

}  // namespace
}  // namespace spaktok::gifts
