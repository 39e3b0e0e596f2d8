// A picture in memory, and PNG bytes made of it (ISO/IEC 15948): 8 bits a channel, RGB.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace spaktok::demo {

struct Colour {
    double red = 0, green = 0, blue = 0;  // 0 to 1
};

class Image {
  public:
    static constexpr int side_max = 4096;  // 48 MiB of pixels: more than any picture drawn here needs

    // Throws Error{invalid_argument} where a side is not 1 to side_max.
    Image(int width, int height);

    int width() const { return width_; }
    int height() const { return height_; }
    void set(int x, int y, Colour colour);
    // Rows from the top, three bytes a pixel.
    const std::vector<std::uint8_t>& bytes() const { return bytes_; }

  private:
    int width_;
    int height_;
    std::vector<std::uint8_t> bytes_;
};

std::string encode_png(const Image& image);

}  // namespace spaktok::demo
