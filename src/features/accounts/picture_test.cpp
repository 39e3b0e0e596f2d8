#include "features/accounts/picture.h"

#include <sodium.h>

#include "features/testing/world.h"

namespace spaktok::accounts {

using features_testing::failure_of;
using features_testing::run;

namespace {

std::string decoded(std::string_view base64) {
    std::string bytes(base64.size(), '\0');
    std::size_t length = 0;
    EXPECT_EQ(sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), base64.data(),
                                base64.size(), nullptr, &length, nullptr, sodium_base64_VARIANT_ORIGINAL),
              0);
    bytes.resize(length);
    return bytes;
}

// Two red pixels each way.
const std::string small_png = decoded(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAACXBIWXMAAAABAAAAAQBPJcTWAAAAEElEQVR4nGP4y8AARAwQCgAfrgP1"
    "9hgqWQAAAABJ"
    "RU5ErkJggg==");
// Six each way; as a camera writes it when `with_exif` is put behind its first marker.
const std::string small_jpeg = decoded(
    "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD/"
    "2wBDAAgEBAQEBAUFBQUFBQYGBgYGBgYGBgYGBgYHBwcICAgHBwcGBgcHCAgICAkJ"
    "CQgICAgJCQoKCgwMCwsODg4RERT/"
    "xABMAAEBAAAAAAAAAAAAAAAAAAAABgEBAQAAAAAAAAAAAAAAAAAABgcQAQAAAAAAAAAAAAAAAAAAAAARAQAAAAAA"
    "AAAAAAAAAAAAAAD/wAARCAAGAAYDASIAAhEAAxEA/9oADAMBAAIRAxEAPwCLAFF/f//Z");
const std::string webp_lossless = decoded(
    "UklGRvAAAABXRUJQVlA4WAoAAAAIAAAAAQAAAQAAVlA4TA8AAAAvAUAAAAcQ7Y/+ByKi/"
    "wEARVhJRroAAABFeGlmAABJSSoACAAAAAYAEgEDAAEAAAAB"
    "AAAAGgEFAAEAAABWAAAAGwEFAAEAAABeAAAAKAEDAAEAAAACAAAAEwIDAAEAAAABAAAAaYcEAAEAAABmAAAAAAAAADhjAADoAwAAOGMA"
    "AOgDAAAGAACQ"
    "BwAEAAAAMDIxMAGRBwAEAAAAAQIDAACgBwAEAAAAMDEwMAGgAwABAAAA//8AAAKgBAABAAAAAgAAAAOgBAABAAAAAgAAAAAAAAA=");

std::string big_endian(std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8)
        bytes += static_cast<char>(value >> shift & 0xFF);
    return bytes;
}
std::string png_header(std::uint32_t width, std::uint32_t height) {
    return std::string("\x89PNG\r\n\x1a\n", 8) + big_endian(13) + "IHDR" + big_endian(width) +
           big_endian(height);
}

// EXIF with the camera's make in it (CIPA DC-008, 4.6), and a comment.
std::string jpeg_with_exif() {
    const std::string tiff("II*\0\x08\0\0\0\x01\0\x0F\x01\x02\0\x0D\0\0\0\x1A\0\0\0\0\0\0\0SECRETCAMERA\0",
                           39);
    const std::string exif = std::string("Exif\0\0", 6) + tiff;
    std::string segment("\xFF\xE1\0", 3);
    segment += static_cast<char>(exif.size() + 2);
    return small_jpeg.substr(0, 2) + segment + exif + std::string("\xFF\xFE\0\x0CSECRETNOTE", 14) +
           small_jpeg.substr(2);
}

TEST(Picture, IsKnownByItsFirstBytes) {
    EXPECT_EQ(sniff_picture(small_png), PictureType::png);
    EXPECT_EQ(sniff_picture(small_jpeg), PictureType::jpeg);
    EXPECT_EQ(sniff_picture(webp_lossless), PictureType::webp);
    EXPECT_EQ(sniff_picture("GIF87a"), PictureType::gif);
    EXPECT_EQ(sniff_picture("GIF89a"), PictureType::gif);
    for (const auto* other :
         {"", "GIF88a", "<svg xmlns=", "%PDF-1.7", "RIFF\1\2\3\4WAVE", "RIFF", "\x89PNG", "BM"}) {
        EXPECT_EQ(sniff_picture(other), std::nullopt) << other;
    }
}

TEST(Picture, SaysItsSizeInItsHeader) {
    EXPECT_EQ(picture_size(small_png, PictureType::png), (PictureSize{2, 2}));
    EXPECT_EQ(picture_size(small_jpeg, PictureType::jpeg), (PictureSize{6, 6}));
    EXPECT_EQ(picture_size(jpeg_with_exif(), PictureType::jpeg), (PictureSize{6, 6}));
    EXPECT_EQ(picture_size(webp_lossless, PictureType::webp), (PictureSize{2, 2}));
    EXPECT_EQ(picture_size(std::string("GIF89a\x05\x00\x00\x01", 10), PictureType::gif),
              (PictureSize{5, 256}));
    EXPECT_EQ(picture_size(png_header(8192, 70'000), PictureType::png), (PictureSize{8192, 70'000}));
}

TEST(Picture, WithABrokenHeaderHasNoSizeAndIsNeverReadPastItsEnd) {
    for (const auto& [whole, type] :
         {std::pair(small_png.substr(0, 24), PictureType::png), std::pair(small_jpeg, PictureType::jpeg),
          std::pair(webp_lossless.substr(0, 30), PictureType::webp),
          std::pair(std::string("GIF89a\x05\x00\x00\x01", 10), PictureType::gif)}) {
        ASSERT_TRUE(picture_size(whole, type));
        bool found = false;
        for (std::size_t length = 0; length <= whole.size(); ++length) {
            const std::string cut =
                whole.substr(0, length);  // its own allocation, so that the sanitizer sees an overrun
            const bool now = picture_size(cut, type).has_value();
            EXPECT_TRUE(now || !found) << length;  // once the header is whole, it stays known
            found = found || now;
        }
        EXPECT_TRUE(found);
    }
}

TEST(Picture, IsRefusedForTheFirstOfItsFaults) {
    const std::string too_large = small_png + std::string(picture_bytes_max - small_png.size() + 1, '\0');
    EXPECT_EQ(failure_of([&] { check_picture(too_large); }), "payload_too_large");
    EXPECT_EQ(failure_of([&] { check_picture(std::string(picture_bytes_max, 'x')); }), "unsupported_media");
    EXPECT_EQ(failure_of([&] { check_picture(""); }), "unsupported_media");
    EXPECT_EQ(failure_of([&] { check_picture(small_png.substr(0, 20)); }),
              "invalid_argument invalid_picture");
    EXPECT_EQ(failure_of([&] { check_picture(png_header(0, 5)); }), "invalid_argument invalid_picture");
    EXPECT_EQ(failure_of([&] { check_picture(png_header(8193, 5)); }), "invalid_argument invalid_picture");
    EXPECT_EQ(failure_of([&] { check_picture(png_header(5, 8193)); }), "invalid_argument invalid_picture");
    EXPECT_EQ(failure_of([&] { check_picture(png_header(8192, 8192)); }), "");
    EXPECT_EQ(failure_of([&] {
                  check_picture(small_png + std::string(picture_bytes_max - small_png.size(), '\0'));
              }),
              "");
}

TEST(Picture, OfWebPLosesEverythingButItsPixels) {
    const auto clean = webp_without_metadata(webp_lossless);
    ASSERT_TRUE(clean);
    EXPECT_EQ(clean->find("EXIF"), std::string::npos);
    EXPECT_EQ(picture_size(*clean, PictureType::webp), (PictureSize{2, 2}));
    EXPECT_EQ(clean->size(), 12u + 18u + 24u);  // RIFF, VP8X, VP8L with its padding byte
    EXPECT_EQ((*clean)[20], 0);                 // VP8X says that no metadata follows
    EXPECT_EQ(static_cast<std::size_t>((*clean)[4]), clean->size() - 8);
    EXPECT_EQ(webp_without_metadata(*clean), clean);
    for (std::size_t length = 0; length < webp_lossless.size(); ++length) {
        const std::string cut = webp_lossless.substr(0, length);
        const auto of_cut = webp_without_metadata(cut);
        // Cut between two chunks it is a container still.
        EXPECT_EQ(of_cut.has_value(), length == 12 || length == 30 || length == 54) << length;
    }
}

TEST(Picture, OfEveryKindBecomesASquareWebP) {
    const auto process = make_picture_processor();
    for (const auto& source : {small_png, small_jpeg, webp_lossless, jpeg_with_exif()}) {
        const auto webp = run(process(source));
        ASSERT_EQ(sniff_picture(webp), PictureType::webp);
        EXPECT_EQ(picture_size(webp, PictureType::webp), (PictureSize{512, 512}));
    }
}

TEST(Picture, ThatIsAStripBecomesTheSquareInItsMiddle) {
    // 8192×16, 16×8192 and 8192×1: as long and as thin as pictures may be.
    const auto wide = decoded(
        "iVBORw0KGgoAAAANSUhEUgAAIAAAAAAQAQAAAACWuszzAAAAQElEQVR42u3UMQ0AAAzDsDIof7alMWk2hBxJgbciARgAYACAAQAG"
        "ABgA"
        "YACAAQAGABgAYACAAQAGABgAYADAVQNKO8AuAeGyMQAAAABJRU5ErkJggg==");
    const auto tall = decoded(
        "iVBORw0KGgoAAAANSUhEUgAAABAAACAAAQAAAAD74/"
        "nLAAAAMUlEQVR42u3CMQ0AAAACIBvYv60hfGGkjaqqqqqqqqqqqqqqqqqqqqqq"
        "qqqqqqqq+h3slsAulwhkLgAAAABJRU5ErkJggg==");
    const auto line = decoded(
        "iVBORw0KGgoAAAANSUhEUgAAIAAAAAABAQAAAABeMB3NAAAAEUlEQVR42mPgHwWjYBSMWAAAKQk8AU7b5X8AAAAASUVORK5CYII"
        "=");
    const auto process = make_picture_processor();
    for (const auto& source : {wide, tall, line}) {
        const auto webp = run(process(source));
        EXPECT_EQ(picture_size(webp, PictureType::webp), (PictureSize{512, 512}));
    }
    EXPECT_EQ(failure_of(process(wide.substr(0, wide.size() - 20))), "invalid_argument invalid_picture");
}

TEST(Picture, TellsNothingOfTheCameraThatTookIt) {
    ASSERT_NE(jpeg_with_exif().find("SECRETCAMERA"), std::string::npos);
    const auto webp = run(make_picture_processor()(jpeg_with_exif()));
    EXPECT_EQ(webp.find("SECRET"), std::string::npos);
    EXPECT_EQ(webp.find("EXIF"), std::string::npos);
}

TEST(Picture, ThatCannotBeDecodedIsRefused) {
    const auto process = make_picture_processor();
    const auto cut = small_jpeg.substr(0, small_jpeg.size() - 40);
    EXPECT_EQ(failure_of(process(cut)), "invalid_argument invalid_picture");
    EXPECT_EQ(failure_of(process(png_header(100, 100) + std::string(1000, 'x'))),
              "invalid_argument invalid_picture");
    EXPECT_EQ(failure_of(process("<svg/>")), "unsupported_media");
}

TEST(Picture, BeyondThoseThatAreReadAtOnceIsTurnedAwayAndFreesNoPlace) {
    const auto process = make_picture_processor(0);
    EXPECT_EQ(failure_of(process(small_png)), "unavailable busy");
    EXPECT_EQ(failure_of(process(small_png)), "unavailable busy");
    const auto one = make_picture_processor(1);
    run(one(small_png));
    EXPECT_EQ(failure_of(one("GIF89a")), "invalid_argument invalid_picture");
    run(one(small_png));  // the place was given back both times
}

}  // namespace
}  // namespace spaktok::accounts
