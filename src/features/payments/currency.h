// Currencies that people pay in, and what an amount of USD is in them. Pure rules, no floating point.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/money.h"

namespace spaktok::payments {

// Units of a currency for 1 USD, in parts of ledger::rate_one: what NUMERIC(10,4) holds.
inline constexpr std::int64_t rate_max = 9'999'999'999;

// Of the currency's minor unit (ISO 4217): 2, or 0 for JPY and its like. nullopt for what is no three capital
// letters, and for currencies with three decimals, which are not taken.
std::optional<int> decimals_of(std::string_view currency);

// In the currency's minor units, rounded half to even: 10.00 USD at 1.0842 are 1,084 euro cents, at 151.3
// 1,513 yen. Asserts amounts and rates within their limits.
std::int64_t minor_of(Money usd, std::int64_t rate, int decimals);

// "1.0842" → 10842, rounded half to even where it has more than four decimals. nullopt for what is no
// positive decimal number or is not within 0.0001 … rate_max.
std::optional<std::int64_t> parse_rate(std::string_view decimal);

// The same with six decimals, as the feed gives euro rates: "1.0842" → 1084200.
inline constexpr std::int64_t fine_rate_one = 1'000'000;
std::optional<std::int64_t> parse_fine_rate(std::string_view decimal);

// Integer division that rounds half to even. Of non-negative numbers.
std::int64_t divide_half_even(std::int64_t dividend, std::int64_t divisor);

}  // namespace spaktok::payments
