// What every adapter of the blob port refuses, so that a key that works on one works on all.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace spaktok::blob {

inline constexpr std::size_t key_characters_max = 255;
inline constexpr std::size_t content_type_characters_max =
    127;  // RFC 6838, section 4.2, for each of its two names; ample for both

inline constexpr std::chrono::hours presigned_expiry_max{7 * 24};  // S3's own

inline constexpr std::size_t list_keys_max = 1'000;  // S3's own

bool is_key(std::string_view key);
// Each throws Error{invalid_argument}.
void check_key(std::string_view key);
void check_list(std::string_view after, std::size_t limit);
// Printable ASCII without '"' and '\'.
void check_content_type(std::string_view content_type);
// 1 s to presigned_expiry_max.
void check_expiry(std::chrono::seconds expires);

}  // namespace spaktok::blob
