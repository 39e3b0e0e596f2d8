#include "features/accounts/picture.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "media/transcode/limited_process.h"

namespace spaktok::accounts {

namespace {

// A picture that costs too much meets the limit of processor time first and is refused for good; this one is
// met where the machine has no time for the process, which has low priority: the same picture works later.
constexpr std::chrono::seconds decode_deadline{20};

[[noreturn]] void invalid_picture(std::string message, std::string detail = {}) {
    throw Error(ErrorCode::invalid_argument, std::move(message),
                {.reason = "invalid_picture", .detail = std::move(detail)});
}

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}
std::uint32_t big_endian_16(std::string_view bytes, std::size_t at) {
    return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}
std::uint32_t big_endian_32(std::string_view bytes, std::size_t at) {
    return big_endian_16(bytes, at) << 16 | big_endian_16(bytes, at + 2);
}
std::uint32_t little_endian_16(std::string_view bytes, std::size_t at) {
    return byte_at(bytes, at) | byte_at(bytes, at + 1) << 8;
}
std::uint32_t little_endian_24(std::string_view bytes, std::size_t at) {
    return little_endian_16(bytes, at) | byte_at(bytes, at + 2) << 16;
}

std::uint32_t little_endian_32(std::string_view bytes, std::size_t at) {
    return little_endian_24(bytes, at) | byte_at(bytes, at + 3) << 24;
}
void append_little_endian_32(std::string& bytes, std::size_t value) {
    for (int shift = 0; shift < 32; shift += 8)
        bytes += static_cast<char>(value >> shift & 0xFF);
}

// PNG (ISO/IEC 15948), 11.2.2: IHDR comes first.
std::optional<PictureSize> png_size(std::string_view bytes) {
    if (bytes.size() < 24 || bytes.substr(12, 4) != "IHDR") return std::nullopt;
    return PictureSize{.width = big_endian_32(bytes, 16), .height = big_endian_32(bytes, 20)};
}

// GIF89a, section 18: the logical screen.
std::optional<PictureSize> gif_size(std::string_view bytes) {
    if (bytes.size() < 10) return std::nullopt;
    return PictureSize{.width = little_endian_16(bytes, 6), .height = little_endian_16(bytes, 8)};
}

// RFC 9649: lossy (VP8), lossless (VP8L) or extended (VP8X).
std::optional<PictureSize> webp_size(std::string_view bytes) {
    if (bytes.size() < 30) return std::nullopt;
    const auto kind = bytes.substr(12, 4);
    if (kind == "VP8X")
        return PictureSize{.width = little_endian_24(bytes, 24) + 1,
                           .height = little_endian_24(bytes, 27) + 1};
    if (kind == "VP8L") {
        const std::uint32_t bits = little_endian_24(bytes, 21) | byte_at(bytes, 24) << 24;
        return PictureSize{.width = (bits & 0x3FFF) + 1, .height = (bits >> 14 & 0x3FFF) + 1};
    }
    if (kind == "VP8 ")
        return PictureSize{.width = little_endian_16(bytes, 26) & 0x3FFF,
                           .height = little_endian_16(bytes, 28) & 0x3FFF};
    return std::nullopt;
}

// ITU-T T.81, B.2.2: the first frame header among the marker segments.
std::optional<PictureSize> jpeg_size(std::string_view bytes) {
    std::size_t at = 2;
    while (at + 4 <= bytes.size() && byte_at(bytes, at) == 0xFF) {
        const auto marker = byte_at(bytes, at + 1);
        if (marker == 0xFF) {  // a fill byte
            ++at;
            continue;
        }
        const bool is_frame =
            marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (is_frame) {
            if (at + 9 > bytes.size()) return std::nullopt;
            return PictureSize{.width = big_endian_16(bytes, at + 7), .height = big_endian_16(bytes, at + 5)};
        }
        const bool has_no_length = marker == 0x01 || (marker >= 0xD0 && marker <= 0xD9);
        at += has_no_length ? 2 : 2 + std::max<std::uint32_t>(2, big_endian_16(bytes, at + 2));
    }
    return std::nullopt;
}

// Frees a place among the running decoders when the coroutine leaves, however it does.
class Place {
  public:
    Place(std::shared_ptr<std::atomic<int>> running, int running_max) : running_(std::move(running)) {
        if (running_->fetch_add(1) < running_max) return;
        running_->fetch_sub(1);
        throw Error(ErrorCode::unavailable, "Too many pictures are being read just now.",
                    {.reason = "busy", .retry_after = std::chrono::seconds{2}});
    }
    ~Place() { running_->fetch_sub(1); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

  private:
    std::shared_ptr<std::atomic<int>> running_;
};

// Only libvips' loaders that its authors call safe for foreign bytes; no JIT, which would write a file;
// pictures stay in memory instead of going to a temporary file.
std::vector<std::string> vips(std::vector<std::string> command) {
    std::vector<std::string> argv{"env", "VIPS_BLOCK_UNTRUSTED=1", "VIPS_CONCURRENCY=1"};
    std::ranges::move(command, std::back_inserter(argv));
    argv.insert(argv.end(), {"--vips-novector", "--vips-disc-threshold=1g"});
    return argv;
}

// A file that ends early is an error.
constexpr const char* source = "stdin[fail_on=truncated]";

boost::asio::awaitable<std::string> run_vips(std::vector<std::string> command, std::string input,
                                             std::size_t output_bytes_max) {
    auto result = co_await media::LimitedProcess::run({.argv = vips(std::move(command)),
                                                       .input = std::move(input),
                                                       .output_bytes_max = output_bytes_max,
                                                       .deadline = decode_deadline});
    if (result.end == media::LimitedProcess::End::timed_out) {
        throw Error(ErrorCode::unavailable, "There was no time to read this picture just now.",
                    {.reason = "busy", .detail = result.error_tail, .retry_after = std::chrono::seconds{5}});
    }
    if (!result.succeeded()) invalid_picture("This picture cannot be read.", result.error_tail);
    co_return std::move(result.output);
}

// vipsthumbnail scales a picture until its short side fits and cuts then: a strip of 8192×16 would be scaled
// to 262144×512, for 10 s and more. Of such a one only the square in its middle goes on.
constexpr std::uint32_t strip_ratio = 4;
// The square of a strip has at most 2048² pixels, of 8 bytes (RGBA, 16 bits each).
constexpr std::size_t square_bytes_max = 40u << 20;

boost::asio::awaitable<std::string> cut_square(std::string bytes, PictureSize size) {
    const auto side = std::min(size.width, size.height);
    const auto left = (size.width - side) / 2;
    const auto top = (size.height - side) / 2;
    co_return co_await run_vips({"vips", "crop", source, ".png[compression=1]", std::to_string(left),
                                 std::to_string(top), std::to_string(side), std::to_string(side)},
                                std::move(bytes), square_bytes_max);
}

boost::asio::awaitable<std::string> process(std::string bytes, std::shared_ptr<std::atomic<int>> running,
                                            int running_max) {
    const auto size = check_picture(bytes);
    const Place place(std::move(running), running_max);
    const bool is_strip = std::max(size.width, size.height) > strip_ratio * std::min(size.width, size.height);
    if (is_strip) bytes = co_await cut_square(std::move(bytes), size);
    const auto made = co_await run_vips({"vipsthumbnail", source, "--size", "512x512", "--export-profile",
                                         "srgb", "--smartcrop", "centre", "--output", ".webp[Q=82,strip]"},
                                        std::move(bytes), 2u << 20);
    // libvips 8.14 writes the source's EXIF into a WebP even when told to strip it.
    auto webp = webp_without_metadata(made);
    if (!webp) invalid_picture("This picture cannot be read.", "what came out is no WebP");
    co_return std::move(*webp);
}

}  // namespace

std::optional<PictureType> sniff_picture(std::string_view bytes) {
    if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return PictureType::png;
    if (bytes.starts_with("\xFF\xD8\xFF")) return PictureType::jpeg;
    if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return PictureType::gif;
    if (bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP")
        return PictureType::webp;
    return std::nullopt;
}

std::optional<PictureSize> picture_size(std::string_view bytes, PictureType type) {
    switch (type) {
        case PictureType::png:
            return png_size(bytes);
        case PictureType::jpeg:
            return jpeg_size(bytes);
        case PictureType::webp:
            return webp_size(bytes);
        case PictureType::gif:
            return gif_size(bytes);
    }
    return std::nullopt;
}

std::optional<std::string> webp_without_metadata(std::string_view webp) {
    if (sniff_picture(webp) != PictureType::webp) return std::nullopt;
    std::string chunks;
    for (std::size_t at = 12; at < webp.size();) {
        if (webp.size() - at < 8) return std::nullopt;
        const auto kind = webp.substr(at, 4);
        const std::size_t length = little_endian_32(webp, at + 4);
        const std::size_t padded = length + length % 2;
        if (padded > webp.size() - at - 8) return std::nullopt;
        if (kind == "VP8X" || kind == "VP8 " || kind == "VP8L" || kind == "ALPH") {
            const auto start = chunks.size();
            chunks += webp.substr(at, 8 + padded);
            constexpr char alpha_flag = 0x10;  // the only one of VP8X's flags that stays true
            if (kind == "VP8X" && length > 0)
                chunks[start + 8] = static_cast<char>(chunks[start + 8] & alpha_flag);
        }
        at += 8 + padded;
    }
    std::string result = "RIFF";
    append_little_endian_32(result, 4 + chunks.size());
    return result + "WEBP" + chunks;
}

PictureSize check_picture(std::string_view bytes) {
    if (bytes.size() > picture_bytes_max)
        throw Error(ErrorCode::payload_too_large, "A picture has at most 5 MiB.");
    const auto type = sniff_picture(bytes);
    if (!type) throw Error(ErrorCode::unsupported_media, "A picture is a PNG, JPEG, WebP or GIF.");
    const auto size = picture_size(bytes, *type);
    if (!size || size->width == 0 || size->height == 0)
        invalid_picture("This picture cannot be read.", "broken header");
    if (size->width > picture_side_max || size->height > picture_side_max) {
        invalid_picture("A picture has at most 8192 pixels a side.");
    }
    return *size;
}

PictureProcessor make_picture_processor(int running_max) {
    auto running = std::make_shared<std::atomic<int>>(0);
    return
        [running, running_max](std::string bytes) { return process(std::move(bytes), running, running_max); };
}

}  // namespace spaktok::accounts
