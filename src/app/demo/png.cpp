#include "app/demo/png.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <zlib.h>

#include "base/error.h"

namespace spaktok::demo {

namespace {

constexpr std::size_t channels = 3;

void append_big_endian(std::string& bytes, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes += static_cast<char>(value >> shift & 0xFF);
}

// ISO/IEC 15948, 5.3: length, type, data, and a CRC over type and data.
void append_chunk(std::string& png, std::string_view type, std::string_view data) {
    append_big_endian(png, static_cast<std::uint32_t>(data.size()));
    const std::size_t start = png.size();
    png += type;
    png += data;
    const auto* covered = reinterpret_cast<const Bytef*>(png.data() + start);
    append_big_endian(png,
                      static_cast<std::uint32_t>(::crc32(0, covered, static_cast<uInt>(png.size() - start))));
}

// Filter type 1 (Sub, 9.2): the difference to the pixel on the left, which is small in gradients.
std::string filtered_rows(const Image& image) {
    const std::size_t row_bytes = static_cast<std::size_t>(image.width()) * channels;
    const auto& pixels = image.bytes();
    std::string rows;
    rows.reserve((row_bytes + 1) * static_cast<std::size_t>(image.height()));
    for (std::size_t start = 0; start < pixels.size(); start += row_bytes) {
        rows += '\x01';
        for (std::size_t i = 0; i < row_bytes; ++i) {
            const int left = i < channels ? 0 : pixels[start + i - channels];
            rows += static_cast<char>((pixels[start + i] - left) & 0xFF);
        }
    }
    return rows;
}

std::string deflated(const std::string& rows) {
    uLongf size = ::compressBound(static_cast<uLong>(rows.size()));
    std::string data(size, '\0');
    const int result =
        ::compress2(reinterpret_cast<Bytef*>(data.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
                    static_cast<uLong>(rows.size()), 6);
    if (result != Z_OK) throw Error(ErrorCode::internal, "a picture cannot be compressed");
    data.resize(size);
    return data;
}

}  // namespace

Image::Image(int width, int height) : width_(width), height_(height) {
    if (width < 1 || height < 1 || width > side_max || height > side_max)
        throw Error(ErrorCode::invalid_argument, "A picture's sides are 1 to 4096 pixels.");
    bytes_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * channels);
}

void Image::set(int x, int y, Colour colour) {
    const auto byte = [](double value) {
        return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 1.0) * 255));
    };
    const std::size_t at =
        (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x)) *
        channels;
    bytes_.at(at) = byte(colour.red);
    bytes_.at(at + 1) = byte(colour.green);
    bytes_.at(at + 2) = byte(colour.blue);
}

std::string encode_png(const Image& image) {
    std::string header;
    append_big_endian(header, static_cast<std::uint32_t>(image.width()));
    append_big_endian(header, static_cast<std::uint32_t>(image.height()));
    // 8 bits a channel, RGB, deflate, the five standard filters, not interlaced.
    header += std::string_view("\x08\x02\x00\x00\x00", 5);
    std::string png = "\x89PNG\r\n\x1a\n";
    append_chunk(png, "IHDR", header);
    append_chunk(png, "IDAT", deflated(filtered_rows(image)));
    append_chunk(png, "IEND", {});
    return png;
}

}  // namespace spaktok::demo
