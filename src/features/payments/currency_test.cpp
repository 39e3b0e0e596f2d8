#include "features/payments/currency.h"

#include <gtest/gtest.h>

namespace spaktok::payments {
namespace {

TEST(Currencies, HaveTwoDecimalsOrNoneAndThreeAreNotTaken) {
    EXPECT_EQ(decimals_of("EUR"), 2);
    EXPECT_EQ(decimals_of("JPY"), 0);
    EXPECT_EQ(decimals_of("ISK"), 0);
    EXPECT_EQ(decimals_of("KWD"), std::nullopt);
    for (const auto* text : {"", "EU", "EURO", "eur", "E1R"})
        EXPECT_EQ(decimals_of(text), std::nullopt) << text;
}

TEST(Currencies, AnAmountIsRoundedHalfToEven) {
    const struct {
        std::int64_t usd, rate;
        int decimals;
        std::int64_t minor;
    } cases[] = {
        {1'000, 10'000, 2, 1'000},                     // USD itself
        {1'000, 10'842, 2, 1'084},                     // 10.842
        {100, 9'250, 2, 92},                           // 0.925, even below
        {100, 9'350, 2, 94},                           // 0.935, even above
        {100, 9'251, 2, 93},                           // just above the half
        {1'000, 1'513'000, 0, 1'513},                  // yen have no cents
        {50, 1'513'000, 0, 76},                        // 75.65
        {1, 1, 2, 0},                                  // less than the smallest coin
        {10'000'000, rate_max, 2, 9'999'999'999'000},  // the greatest there is
    };
    for (const auto& each : cases) {
        EXPECT_EQ(minor_of(Money::from_minor(each.usd), each.rate, each.decimals), each.minor)
            << each.usd << " at " << each.rate;
    }
}

TEST(Currencies, RatesAreDecimalsOfFourPlaces) {
    EXPECT_EQ(parse_rate("1.0842"), 10'842);
    EXPECT_EQ(parse_rate("151.3"), 1'513'000);
    EXPECT_EQ(parse_rate("7"), 70'000);
    EXPECT_EQ(parse_rate("0.0001"), 1);
    EXPECT_EQ(parse_rate("999999.9999"), rate_max);
    EXPECT_EQ(parse_rate("1.00005"), 10'000) << "half to even";
    EXPECT_EQ(parse_rate("1.00015"), 10'002) << "half to even";
    EXPECT_EQ(parse_rate("1.000050000001"), 10'001);
    for (const auto* text : {"", "0", "0.00001", "-1", "+1", "1.", ".5", "1,5", "1e3", "1.0.0", " 1",
                             "1000000", "99999999999999999999", "1.00000000000000000000000000000001"})
        EXPECT_EQ(parse_rate(text), std::nullopt) << text;
    EXPECT_EQ(parse_fine_rate("1.08425"), 1'084'250);
}

}  // namespace
}  // namespace spaktok::payments
