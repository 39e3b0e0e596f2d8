// Small pieces of HTTP's and URLs' grammar (RFC 9110, RFC 3986), shared by parser, router and answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spaktok::http {

inline char to_lower_ascii(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
bool equals_ignoring_case(std::string_view left, std::string_view right);
bool starts_ignoring_case(std::string_view text, std::string_view prefix);
std::string_view trim(std::string_view text);  // spaces and tabs

// Whether a comma-separated field value has this token, whatever parameters follow it ("gzip;q=0.5" has
// "gzip").
bool list_has(std::string_view list, std::string_view token);
// The weight that Accept or Accept-Encoding gives a token in thousandths: 1000 without `q`, 0 where it is
// refused or absent.
// `*` counts for what is not named.
int accepted_weight(std::string_view list, std::string_view token);

// Percent-decoding (RFC 3986, 2.1). nullopt for a bad escape, for U+0000 and for what is not UTF-8.
// `plus_is_space`: as forms and queries write it.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
bool is_utf8(std::string_view text);
std::optional<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace spaktok::http
