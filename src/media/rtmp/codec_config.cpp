#include "media/rtmp/codec_config.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "media/rtmp/failure.h"
#include "media/rtmp/message.h"

namespace spaktok::media::rtmp {

namespace {

[[noreturn]] void bad(std::string_view what) {
    fail(reason::malformed, fmt::format("The {} is malformed.", what));
}

class ConfigReader {
  public:
    ConfigReader(std::span<const std::uint8_t> bytes, std::string_view what) : bytes_(bytes), what_(what) {}

    std::uint8_t u8() { return *take(1); }
    std::size_t u16() { return read_u16(take(2)); }
    const std::uint8_t* take(std::size_t size) {
        if (size > bytes_.size()) bad(what_);
        const std::uint8_t* at = bytes_.data();
        bytes_ = bytes_.subspan(size);
        return at;
    }
    void skip_units(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            take(u16());
    }

  private:
    std::span<const std::uint8_t> bytes_;
    std::string_view what_;
};

// Sets lengthSizeMinusOne to 3 and returns what it was, plus one.
std::size_t take_length_size(std::uint8_t& field, std::string_view what) {
    const std::size_t bytes = (field & 3u) + 1;
    if (bytes == 3) bad(what);
    field |= 3;
    return bytes;
}

// ISO/IEC 14496-15, 5.3.3.1.
void read_avc(TrackSetup& setup) {
    constexpr std::string_view what = "H.264 configuration (avcC)";
    ConfigReader reader(setup.config.extradata, what);
    if (reader.u8() != 1) bad(what);
    reader.take(4);
    const std::size_t sequence_sets = reader.u8() & 0x1Fu;
    if (sequence_sets == 0) bad(what);
    reader.skip_units(sequence_sets);
    reader.skip_units(reader.u8());
    setup.nal_length_bytes = take_length_size(setup.config.extradata[4], what);
}

// ISO/IEC 14496-15, 8.3.3.1. The version is 0 in files of before the standard's end.
void read_hevc(TrackSetup& setup) {
    constexpr std::string_view what = "HEVC configuration (hvcC)";
    ConfigReader reader(setup.config.extradata, what);
    if (reader.u8() > 1) bad(what);
    reader.take(21);
    for (std::size_t arrays = reader.u8(); arrays > 0; --arrays) {
        reader.take(1);
        reader.skip_units(reader.u16());
    }
    setup.nal_length_bytes = take_length_size(setup.config.extradata[21], what);
}

// AV1 Codec ISO Media File Format Binding, 2.3: marker and version are one byte, always 0x81.
void read_av1(const TrackSetup& setup) {
    if (setup.config.extradata.size() < 4 || setup.config.extradata[0] != 0x81)
        bad("AV1 configuration (av1C)");
}

// ISO/IEC 14496-3, 1.6.2.1: five bits of object type, four of sampling frequency index.
void read_aac(const TrackSetup& setup) {
    const auto& bytes = setup.config.extradata;
    constexpr std::string_view what = "AAC configuration";
    if (bytes.size() < 2) bad(what);
    const unsigned object_type = bytes[0] >> 3;
    const unsigned frequency_index = (bytes[0] & 7u) << 1 | bytes[1] >> 7;
    if (object_type == 0 || frequency_index == 13 || frequency_index == 14) bad(what);
}

// RFC 7845, 5.1.
void read_opus(TrackSetup& setup) {
    constexpr std::string_view what = "Opus configuration (OpusHead)";
    constexpr std::string_view magic = "OpusHead";
    auto& bytes = setup.config.extradata;
    if (bytes.size() < magic.size() || !std::equal(magic.begin(), magic.end(), bytes.begin())) bad(what);
    bytes.erase(bytes.begin(), bytes.begin() + magic.size());
    ConfigReader reader(bytes, what);
    const std::uint8_t version = reader.u8();
    const std::uint8_t channels = reader.u8();
    reader.take(8);
    const std::uint8_t family = reader.u8();
    if (version > 15 || channels == 0) bad(what);
    if (family == 0 && channels > 2) bad(what);
    if (family != 0) reader.take(2u + channels);
}

bool is_random_access(Codec codec, std::uint8_t first_byte) {
    if (codec == Codec::h264) return (first_byte & 0x1F) == 5;
    const int type = first_byte >> 1 & 0x3F;
    return type >= 16 && type <= 23;
}

std::size_t read_length(const std::uint8_t* at, std::size_t bytes) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        length = length << 8 | at[i];
    return length;
}

// Calls `unit` with each NAL unit; false where the lengths do not add up.
template <class Unit>
bool for_each_unit(std::span<const std::uint8_t> data, std::size_t length_bytes, Unit unit) {
    while (!data.empty()) {
        if (data.size() < length_bytes) return false;
        const std::size_t length = read_length(data.data(), length_bytes);
        data = data.subspan(length_bytes);
        if (length == 0 || length > data.size()) return false;
        unit(data.first(length));
        data = data.subspan(length);
    }
    return true;
}

void widen_lengths(std::vector<std::uint8_t>& data, std::size_t length_bytes) {
    std::vector<std::uint8_t> wide;
    wide.reserve(data.size() + data.size() / 2 + 4);
    for_each_unit(data, length_bytes, [&](std::span<const std::uint8_t> unit) {
        const std::array<std::uint8_t, 4> length{0, 0, static_cast<std::uint8_t>(unit.size() >> 8),
                                                 static_cast<std::uint8_t>(unit.size())};
        wide.insert(wide.end(), length.begin(), length.end());
        wide.insert(wide.end(), unit.begin(), unit.end());
    });
    data = std::move(wide);
}

}  // namespace

TrackSetup read_config(Codec codec, std::span<const std::uint8_t> payload) {
    if (payload.size() > extradata_bytes_max) fail(reason::too_large, "A codec configuration is too long.");
    TrackSetup setup{.config = {.codec = codec, .extradata = {payload.begin(), payload.end()}}};
    switch (codec) {
        case Codec::h264:
            read_avc(setup);
            break;
        case Codec::hevc:
            read_hevc(setup);
            break;
        case Codec::av1:
            read_av1(setup);
            break;
        case Codec::aac:
            read_aac(setup);
            break;
        case Codec::opus:
            read_opus(setup);
            break;
    }
    return setup;
}

AccessUnitCheck normalize(const TrackSetup& setup, std::vector<std::uint8_t>& data) {
    AccessUnitCheck check;
    const Codec codec = setup.config.codec;
    if (data.empty()) return check;
    if (codec == Codec::aac || codec == Codec::opus) return {.valid = true, .random_access = true};
    if (codec == Codec::av1)
        return {.valid = (data[0] & 0x81) == 0, .random_access = false};  // obu_header's reserved bits
    check.valid = for_each_unit(data, setup.nal_length_bytes, [&](std::span<const std::uint8_t> unit) {
        check.random_access = check.random_access || is_random_access(codec, unit[0]);
    });
    if (check.valid && setup.nal_length_bytes != 4) widen_lengths(data, setup.nal_length_bytes);
    return check;
}

}  // namespace spaktok::media::rtmp
