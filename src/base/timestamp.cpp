#include "base/timestamp.h"

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

// By hand: an answer holds many times, and a format string is read anew each time.
std::string to_rfc3339(Timestamp at) {
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{at - day};
    std::string text = "0000-00-00T00:00:00.000Z";
    const auto put = [&text](std::size_t position, std::size_t digits, std::int64_t value) {
        for (std::size_t i = digits; i > 0; --i, value /= 10)
            text[position + i - 1] = static_cast<char>('0' + value % 10);
    };
    put(0, 4, static_cast<int>(date.year()));
    put(5, 2, static_cast<unsigned>(date.month()));
    put(8, 2, static_cast<unsigned>(date.day()));
    put(11, 2, time.hours().count());
    put(14, 2, time.minutes().count());
    put(17, 2, time.seconds().count());
    put(20, 3, time.subseconds().count());
    return text;
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
