#include "http/syntax.h"

#include <algorithm>
#include <charconv>

#include "base/hex.h"

namespace spaktok::http {

bool equals_ignoring_case(std::string_view left, std::string_view right) {
    if (left.size() != right.size()) return false;
    for (std::size_t i = 0; i < left.size(); ++i) {
        if (to_lower_ascii(left[i]) != to_lower_ascii(right[i])) return false;
    }
    return true;
}

bool starts_ignoring_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

namespace {

std::string_view take_until(std::string_view& text, char separator) {
    const auto end = text.find(separator);
    const auto item = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    return trim(item);
}

// "0.5" as 500; more than three decimals are no qvalue (RFC 9110, 12.4.2) and count as 0.
int parse_weight(std::string_view text) {
    if (text.empty() || (text[0] != '0' && text[0] != '1')) return 0;
    int weight = (text[0] - '0') * 1000;
    if (text.size() == 1) return weight;
    if (text[1] != '.' || text.size() > 5) return 0;
    int unit = 100;
    for (const char digit : text.substr(2)) {
        if (digit < '0' || digit > '9') return 0;
        weight += (digit - '0') * unit;
        unit /= 10;
    }
    return std::min(weight, 1000);
}

}  // namespace

bool list_has(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        auto item = take_until(list, ',');
        if (equals_ignoring_case(take_until(item, ';'), token)) return true;
    }
    return false;
}

int accepted_weight(std::string_view list, std::string_view token) {
    int any = 0;
    while (!list.empty()) {
        auto parameters = take_until(list, ',');
        const auto name = take_until(parameters, ';');
        const bool is_token = equals_ignoring_case(name, token);
        if (!is_token && name != "*") continue;
        int weight = 1000;
        while (!parameters.empty()) {
            const auto parameter = take_until(parameters, ';');
            if (starts_ignoring_case(parameter, "q=")) weight = parse_weight(parameter.substr(2));
        }
        if (is_token) return weight;
        any = weight;
    }
    return any;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    decoded.reserve(text.size());
    bool ascii = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (text.size() - i < 3) return std::nullopt;
            const auto byte = hex::decode_byte(text[i + 1], text[i + 2]);
            if (!byte) return std::nullopt;
            c = static_cast<char>(*byte);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0') return std::nullopt;
        ascii = ascii && static_cast<unsigned char>(c) < 0x80;
        decoded.push_back(c);
    }
    if (!ascii && !is_utf8(decoded)) return std::nullopt;
    return decoded;
}

bool is_utf8(std::string_view text) {
    // RFC 3629: shortest forms only, no surrogates, nothing above U+10FFFF.
    std::size_t i = 0;
    while (i < text.size()) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        if (lead < 0x80) continue;
        if (lead < 0xC2 || lead > 0xF4) return false;
        const int following = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        unsigned char low = 0x80;
        unsigned char high = 0xBF;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
        for (int n = 0; n < following; ++n) {
            if (i == text.size()) return false;
            const auto next = static_cast<unsigned char>(text[i++]);
            if (next < low || next > high) return false;
            low = 0x80;
            high = 0xBF;
        }
    }
    return true;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace spaktok::http
