// What every adapter of the blob port refuses, so that a key that works on one works on all.
#pragma once

#include <cstddef>
#include <string_view>

namespace spaktok::blob {

inline constexpr std::size_t key_characters_max = 255;
inline constexpr std::size_t content_type_characters_max =
    127;  // RFC 6838, section 4.2, for each of its two names; ample for both

// Each throws Error{invalid_argument}.
void check_key(std::string_view key);
// Printable ASCII without '"' and '\'.
void check_content_type(std::string_view content_type);

}  // namespace spaktok::blob
