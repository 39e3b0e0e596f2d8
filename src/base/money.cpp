#include "base/money.h"

#include <charconv>

#include <fmt/format.h>

#include "base/assert.h"

namespace spaktok {

std::optional<Money> Money::parse(std::string_view decimal) {
    const bool negative = decimal.starts_with('-');
    if (negative || decimal.starts_with('+')) decimal.remove_prefix(1);
    const auto point = decimal.find('.');
    const std::string_view whole = decimal.substr(0, point);
    std::string digits(whole);
    if (point == std::string_view::npos) {
        digits += "00";
    } else {
        const std::string_view cents = decimal.substr(point + 1);
        if (cents.empty() || cents.size() > 2) return std::nullopt;
        digits += cents;
        if (cents.size() == 1) digits += '0';
    }
    if (whole.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    std::int64_t minor = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), minor);
    if (error != std::errc{}) return std::nullopt;
    return Money{negative ? -minor : minor};
}

std::string Money::to_string() const {
    const auto magnitude =
        minor_ < 0 ? 0 - static_cast<std::uint64_t>(minor_) : static_cast<std::uint64_t>(minor_);
    return fmt::format("{}{}.{:02}", minor_ < 0 ? "-" : "", magnitude / 100, magnitude % 100);
}

Money Money::operator+(Money other) const {
    std::int64_t sum = 0;
    SPAKTOK_ASSERT(!__builtin_add_overflow(minor_, other.minor_, &sum));
    return Money{sum};
}

Money Money::operator-(Money other) const {
    std::int64_t difference = 0;
    SPAKTOK_ASSERT(!__builtin_sub_overflow(minor_, other.minor_, &difference));
    return Money{difference};
}

}  // namespace spaktok
