#include "base/timestamp.h"

#include <fmt/format.h>

namespace spaktok {

namespace {

// Reads exactly `digits` decimal digits at `position` and moves past them.
std::optional<int> read_number(std::string_view text, std::size_t& position, std::size_t digits) {
    if (position + digits > text.size()) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        const char c = text[position + i];
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    position += digits;
    return value;
}

bool read_char(std::string_view text, std::size_t& position, std::string_view any_of) {
    if (position >= text.size() || any_of.find(text[position]) == std::string_view::npos) return false;
    ++position;
    return true;
}

// ".123456" as whole milliseconds; nothing there is zero.
std::optional<int> read_fraction(std::string_view text, std::size_t& position) {
    if (!read_char(text, position, ".")) return 0;
    const std::size_t start = position;
    int milliseconds = 0;
    int weight = 100;
    while (position < text.size() && text[position] >= '0' && text[position] <= '9') {
        milliseconds += (text[position] - '0') * weight;
        weight /= 10;
        ++position;
    }
    if (position == start) return std::nullopt;
    return milliseconds;
}

// "Z" or "+02:00", as minutes to subtract.
std::optional<int> read_offset(std::string_view text, std::size_t& position) {
    if (read_char(text, position, "Zz")) return 0;
    const bool negative = position < text.size() && text[position] == '-';
    if (!read_char(text, position, "+-")) return std::nullopt;
    const auto hours = read_number(text, position, 2);
    if (!hours || *hours > 23 || !read_char(text, position, ":")) return std::nullopt;
    const auto minutes = read_number(text, position, 2);
    if (!minutes || *minutes > 59) return std::nullopt;
    const int total = *hours * 60 + *minutes;
    return negative ? -total : total;
}

}  // namespace

std::string to_rfc3339(Timestamp at) {
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{at - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       time.hours().count(), time.minutes().count(), time.seconds().count(),
                       time.subseconds().count());
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
    std::size_t at = 0;
    const auto year = read_number(text, at, 4);
    if (!year || *year < 1970 || !read_char(text, at, "-")) return std::nullopt;
    const auto month = read_number(text, at, 2);
    if (!month || !read_char(text, at, "-")) return std::nullopt;
    const auto day = read_number(text, at, 2);
    if (!day || !read_char(text, at, "Tt ")) return std::nullopt;
    const auto hour = read_number(text, at, 2);
    if (!hour || *hour > 23 || !read_char(text, at, ":")) return std::nullopt;
    const auto minute = read_number(text, at, 2);
    if (!minute || *minute > 59 || !read_char(text, at, ":")) return std::nullopt;
    const auto second = read_number(text, at, 2);
    if (!second || *second > 59) return std::nullopt;
    const auto fraction = read_fraction(text, at);
    if (!fraction) return std::nullopt;
    const auto offset = read_offset(text, at);
    if (!offset || at != text.size()) return std::nullopt;

    const std::chrono::year_month_day date{std::chrono::year{*year},
                                           std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok()) return std::nullopt;
    const Timestamp result = Timestamp{std::chrono::sys_days{date}} + std::chrono::hours{*hour} +
                             std::chrono::minutes{*minute - *offset} + std::chrono::seconds{*second} +
                             std::chrono::milliseconds{*fraction};
    if (result < Timestamp{}) return std::nullopt;
    return result;
}

}  // namespace spaktok
