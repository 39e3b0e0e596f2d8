#include "features/payments/currency.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/assert.h"
#include "features/ledger/movement.h"

namespace spaktok::payments {

namespace {

// ISO 4217, without its funds and metals.
constexpr std::array<std::string_view, 16> without_decimals{"BIF", "CLP", "DJF", "GNF", "ISK", "JPY",
                                                            "KMF", "KRW", "PYG", "RWF", "UGX", "VND",
                                                            "VUV", "XAF", "XOF", "XPF"};
constexpr std::array<std::string_view, 7> with_three_decimals{"BHD", "IQD", "JOD", "KWD",
                                                              "LYD", "OMR", "TND"};
constexpr std::int64_t cents_of_dollar = 100;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_among(std::span<const std::string_view> list, std::string_view currency) {
    return std::ranges::find(list, currency) != list.end();
}

// A decimal number as a whole number of 10^-decimals.
std::optional<std::int64_t> parse_scaled(std::string_view text, int decimals) {
    constexpr std::size_t length_max = 32;
    const auto point = text.find('.');
    const auto whole = text.substr(0, point);
    const auto fraction = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
    if (text.size() > length_max || whole.empty() || (point != std::string_view::npos && fraction.empty()))
        return std::nullopt;
    if (!std::ranges::all_of(whole, is_digit) || !std::ranges::all_of(fraction, is_digit))
        return std::nullopt;
    constexpr std::int64_t limit = 1'000'000'000'000'000;
    std::int64_t scaled = 0;
    for (const char digit : whole) {
        scaled = scaled * 10 + (digit - '0');
        if (scaled > limit) return std::nullopt;
    }
    for (int i = 0; i < decimals; ++i) {
        const auto place = static_cast<std::size_t>(i);
        scaled = scaled * 10 + (place < fraction.size() ? fraction[place] - '0' : 0);
        if (scaled > limit) return std::nullopt;
    }
    const auto rest = fraction.substr(std::min(fraction.size(), static_cast<std::size_t>(decimals)));
    if (rest.empty() || rest.front() < '5') return scaled;
    const bool is_half = rest.front() == '5' && rest.find_first_not_of('0', 1) == std::string_view::npos;
    return is_half && scaled % 2 == 0 ? scaled : scaled + 1;
}

}  // namespace

std::optional<int> decimals_of(std::string_view currency) {
    const bool is_code =
        currency.size() == 3 && std::ranges::all_of(currency, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!is_code || is_among(with_three_decimals, currency)) return std::nullopt;
    return is_among(without_decimals, currency) ? 0 : 2;
}

std::int64_t divide_half_even(std::int64_t dividend, std::int64_t divisor) {
    SPAKTOK_ASSERT(dividend >= 0 && divisor > 0);
    const auto quotient = dividend / divisor;
    const auto rest = dividend % divisor;
    const auto other = divisor - rest;
    if (rest < other || (rest == other && quotient % 2 == 0)) return quotient;
    return quotient + 1;
}

std::int64_t minor_of(Money usd, std::int64_t rate, int decimals) {
    constexpr std::int64_t usd_max = 10'000'000;  // 100,000 USD: times the largest rate it fits
    SPAKTOK_ASSERT(usd.minor() > 0 && usd.minor() <= usd_max && rate > 0 && rate <= rate_max);
    const auto scale = decimals == 0 ? ledger::rate_one * cents_of_dollar : ledger::rate_one;
    return divide_half_even(usd.minor() * rate, scale);
}

std::optional<std::int64_t> parse_rate(std::string_view decimal) {
    const auto rate = parse_scaled(decimal, 4);
    if (!rate || *rate <= 0 || *rate > rate_max) return std::nullopt;
    return rate;
}

std::optional<std::int64_t> parse_fine_rate(std::string_view decimal) {
    const auto rate = parse_scaled(decimal, 6);
    if (!rate || *rate <= 0 || *rate > rate_max * 100) return std::nullopt;
    return rate;
}

}  // namespace spaktok::payments
