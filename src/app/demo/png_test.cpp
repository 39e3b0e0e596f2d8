#include "app/demo/png.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "app/demo/avatar.h"
#include "app/demo/people.h"
#include "base/error.h"
#include "features/accounts/picture.h"

namespace spaktok::demo {
namespace {

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
    return value;
}

// The data of the chunks of that type; every chunk's CRC is checked on the way.
std::string chunk(std::string_view png, std::string_view type) {
    std::string data;
    for (std::size_t at = 8; at < png.size();) {
        const std::size_t length = big_endian(png, at);
        const auto covered = png.substr(at + 4, length + 4);
        const auto crc =
            ::crc32(0, reinterpret_cast<const Bytef*>(covered.data()), static_cast<uInt>(covered.size()));
        EXPECT_EQ(big_endian(png, at + 8 + length), crc) << covered.substr(0, 4);
        if (covered.substr(0, 4) == type) data += covered.substr(4);
        at += length + 12;
    }
    return data;
}

std::vector<std::uint8_t> decoded(std::string_view png, const Image& like) {
    const auto row_bytes = static_cast<std::size_t>(like.width()) * 3;
    std::string rows((row_bytes + 1) * static_cast<std::size_t>(like.height()), '\0');
    const auto data = chunk(png, "IDAT");
    uLongf size = rows.size();
    EXPECT_EQ(::uncompress(reinterpret_cast<Bytef*>(rows.data()), &size,
                           reinterpret_cast<const Bytef*>(data.data()), data.size()),
              Z_OK);
    EXPECT_EQ(size, rows.size());
    std::vector<std::uint8_t> pixels;
    for (std::size_t start = 0; start < rows.size(); start += row_bytes + 1) {
        EXPECT_EQ(rows[start], 1);  // filter type Sub
        for (std::size_t i = 0; i < row_bytes; ++i) {
            const int left = i < 3 ? 0 : pixels[pixels.size() - 3];
            pixels.push_back(static_cast<std::uint8_t>(left + rows[start + 1 + i]));
        }
    }
    return pixels;
}

TEST(Png, DecodesToThePixelsThatWereSet) {
    Image image(3, 2);
    image.set(0, 0, {1, 0, 0});
    image.set(2, 0, {0, 0.5, 1});
    image.set(1, 1, {1, 1, 1});
    const auto png = encode_png(image);
    EXPECT_EQ(accounts::sniff_picture(png), accounts::PictureType::png);
    EXPECT_EQ(accounts::picture_size(png, accounts::PictureType::png),
              (accounts::PictureSize{.width = 3, .height = 2}));
    const std::vector<std::uint8_t> expected{255, 0, 0, 0,   0,   0,   0, 128, 255,
                                             0,   0, 0, 255, 255, 255, 0, 0,   0};
    EXPECT_EQ(decoded(png, image), expected);
    EXPECT_EQ(chunk(png, "IHDR").size(), 13u);
    EXPECT_TRUE(png.ends_with(std::string_view("IEND\xAE\x42\x60\x82")));
}

TEST(Png, ColoursBeyondTheRangeAreCut) {
    Image image(1, 1);
    image.set(0, 0, {-1, 2, 0});
    EXPECT_EQ(decoded(encode_png(image), image), (std::vector<std::uint8_t>{0, 255, 0}));
}

TEST(Png, SidesHaveLimits) {
    EXPECT_EQ(Image(Image::side_max, 1).bytes().size(), 4096u * 3);
    EXPECT_THROW(Image(Image::side_max + 1, 1), Error);
    EXPECT_THROW(Image(1, Image::side_max + 1), Error);
    EXPECT_THROW(Image(0, 1), Error);
    EXPECT_THROW(Image(1, 0), Error);
}

TEST(Avatar, EveryoneHasTheirOwnAndAlwaysTheSame) {
    std::set<std::string> drawn;
    for (std::size_t i = 0; i < people().size(); ++i) {
        const auto png = encode_png(draw_avatar(i));
        EXPECT_NO_THROW(accounts::check_picture(png));
        drawn.insert(png);
    }
    EXPECT_EQ(drawn.size(), people().size());
    EXPECT_TRUE(drawn.contains(encode_png(draw_avatar(0))));
}

}  // namespace
}  // namespace spaktok::demo
