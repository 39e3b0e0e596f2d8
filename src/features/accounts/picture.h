// Profile pictures: what is taken, and how it becomes a WebP square.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

namespace spaktok::accounts {

inline constexpr std::size_t picture_bytes_max = 5u * 1024 * 1024;
inline constexpr std::uint32_t picture_side_max =
    8192;  // 8192² pixels of RGBA are 256 MiB: what the decoder may need at most
inline constexpr int picture_side = 512;  // of the picture that is made

enum class PictureType { png, jpeg, webp, gif };
// By the first bytes, whatever the client calls it.
std::optional<PictureType> sniff_picture(std::string_view bytes);
struct PictureSize {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    bool operator==(const PictureSize&) const = default;
};
// From the header alone; nothing is decoded here. nullopt where the header is broken.
std::optional<PictureSize> picture_size(std::string_view bytes, PictureType type);
// The same WebP with its picture data alone: no EXIF (where a camera says where it was), no XMP, no colour
// profile, no animation. nullopt where the container is broken (RFC 9649, 2).
std::optional<std::string> webp_without_metadata(std::string_view webp);
// Its size. Throws Error{payload_too_large}, {unsupported_media} or {invalid_argument, reason
// "invalid_picture"}.
PictureSize check_picture(std::string_view bytes);

// The picture's bytes in, WebP out. Throws Error{invalid_argument, reason "invalid_picture"} where they
// cannot be decoded.
using PictureProcessor = std::function<boost::asio::awaitable<std::string>(std::string)>;
// Decodes in separate limited processes (libvips' programs). At most `running_max` at once; one more is
// Error{unavailable}.
PictureProcessor make_picture_processor(int running_max = 2);

}  // namespace spaktok::accounts
