// Hexadecimal digits, as identifiers and hashes are written.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace spaktok::hex {

inline constexpr std::string_view digits = "0123456789abcdef";

inline void append_byte(std::string& text, std::uint8_t byte) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
}

inline std::string encode(std::span<const std::uint8_t> bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const auto byte : bytes)
        append_byte(text, byte);
    return text;
}

// Either case.
inline std::optional<std::uint8_t> decode_digit(char digit) {
    if (digit >= '0' && digit <= '9') return static_cast<std::uint8_t>(digit - '0');
    if (digit >= 'a' && digit <= 'f') return static_cast<std::uint8_t>(digit - 'a' + 10);
    if (digit >= 'A' && digit <= 'F') return static_cast<std::uint8_t>(digit - 'A' + 10);
    return std::nullopt;
}

inline std::optional<std::uint8_t> decode_byte(char high, char low) {
    const auto high_bits = decode_digit(high);
    const auto low_bits = decode_digit(low);
    if (!high_bits || !low_bits) return std::nullopt;
    return static_cast<std::uint8_t>(*high_bits << 4 | *low_bits);
}

}  // namespace spaktok::hex
