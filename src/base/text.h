// UTF-8 text from outside: lengths in code points, white space, control characters.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace spaktok::text {

// Number of code points; nullopt where the text is not valid UTF-8 (RFC 3629: no surrogates, no overlong
// forms).
std::optional<std::size_t> length(std::string_view utf8);
// Without white space (ASCII and U+00A0, U+2000–U+200A, U+3000) at both ends.
std::string_view trim(std::string_view utf8);
// U+0000–U+001F, U+007F–U+009F, but not what is in `allowed` (ASCII, "\n\t").
bool has_control(std::string_view utf8, std::string_view allowed = "");
// The first `code_points` of valid UTF-8.
std::string_view prefix(std::string_view utf8, std::size_t code_points);

struct Limits {
    std::size_t length_min = 0;  // code points, after trimming
    std::size_t length_max = 0;
    bool lines = false;  // line breaks and tabs are allowed
};
// Trimmed and checked; throws Error{invalid_argument} that names the field and the limit.
std::string checked(std::string_view utf8, std::string_view field, const Limits& limits);

}  // namespace spaktok::text
