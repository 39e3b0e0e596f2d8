#include "base/text.h"

#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "base/error.h"

namespace spaktok::text {

namespace {

struct CodePoint {
    std::uint32_t value;
    std::size_t bytes;
};

// The code point at the front; nullopt where the bytes are not UTF-8 (RFC 3629, section 4).
std::optional<CodePoint> decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return CodePoint{first, 1};
    const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return std::nullopt;
    std::uint32_t value = first & (0x7fU >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
        value = value << 6 | (byte(i) & 0x3fU);
    }
    constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    if (value < smallest[bytes] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return std::nullopt;
    return CodePoint{value, bytes};
}

bool is_space(std::uint32_t value) {
    return value == ' ' || (value >= '\t' && value <= '\r') || value == 0xa0 ||
           (value >= 0x2000 && value <= 0x200a) || value == 0x3000;
}

}  // namespace

std::optional<std::size_t> length(std::string_view utf8) {
    std::size_t count = 0;
    while (!utf8.empty()) {
        const auto next = decode(utf8);
        if (!next) return std::nullopt;
        utf8.remove_prefix(next->bytes);
        ++count;
    }
    return count;
}

std::string_view trim(std::string_view utf8) {
    while (!utf8.empty()) {
        const auto next = decode(utf8);
        if (!next || !is_space(next->value)) break;
        utf8.remove_prefix(next->bytes);
    }
    while (!utf8.empty()) {
        std::size_t start = utf8.size() - 1;
        while (start > 0 && (static_cast<std::uint8_t>(utf8[start]) & 0xc0) == 0x80)
            --start;
        const auto last = decode(utf8.substr(start));
        if (!last || !is_space(last->value)) break;
        utf8.remove_suffix(utf8.size() - start);
    }
    return utf8;
}

bool has_control(std::string_view utf8, std::string_view allowed) {
    while (!utf8.empty()) {
        const auto next = decode(utf8);
        if (!next) return true;
        const bool control = next->value < 0x20 || (next->value >= 0x7f && next->value <= 0x9f);
        if (control && (next->bytes > 1 || allowed.find(utf8.front()) == std::string_view::npos)) return true;
        utf8.remove_prefix(next->bytes);
    }
    return false;
}

std::string_view prefix(std::string_view utf8, std::size_t code_points) {
    std::size_t bytes = 0;
    while (code_points-- > 0 && bytes < utf8.size()) {
        const auto next = decode(utf8.substr(bytes));
        if (!next) break;
        bytes += next->bytes;
    }
    return utf8.substr(0, bytes);
}

std::string checked(std::string_view utf8, std::string_view field, const Limits& limits) {
    const auto refuse = [&](std::string message) {
        return Error(ErrorCode::invalid_argument, std::move(message),
                     {.field = std::string(field), .reason = "invalid_field"});
    };
    const std::string_view trimmed = trim(utf8);
    const auto count = length(trimmed);
    if (!count) throw refuse("This is not valid UTF-8.");
    if (*count < limits.length_min) {
        throw refuse(limits.length_min == 1
                         ? "This must not be empty."
                         : fmt::format("This must have at least {} characters.", limits.length_min));
    }
    if (*count > limits.length_max)
        throw refuse(fmt::format("This must have at most {} characters.", limits.length_max));
    if (has_control(trimmed, limits.lines ? "\n\r\t" : "")) throw refuse("This contains control characters.");
    return std::string(trimmed);
}

}  // namespace spaktok::text
