#include "media/rtmp/codec_config.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/rtmp/testing.h"

namespace spaktok::media::rtmp {
namespace {

using testing::Bytes;
using testing::joined;
using testing::nal_unit;
using testing::text_bytes;

std::string reason_of(Codec codec, const Bytes& payload) {
    try {
        read_config(codec, payload);
    } catch (const Error& error) {
        return error.reason();
    }
    return "";
}

Bytes opus_payload() {
    return joined({text_bytes("OpusHead"), testing::opus_head});
}

TEST(CodecConfig, IsKeptAsMp4CarriesIt) {
    EXPECT_EQ(read_config(Codec::h264, testing::avcc).config, (TrackConfig{Codec::h264, testing::avcc}));
    EXPECT_EQ(read_config(Codec::hevc, testing::hvcc()).config, (TrackConfig{Codec::hevc, testing::hvcc()}));
    EXPECT_EQ(read_config(Codec::av1, testing::av1c).config, (TrackConfig{Codec::av1, testing::av1c}));
    EXPECT_EQ(read_config(Codec::aac, testing::asc).config, (TrackConfig{Codec::aac, testing::asc}));
    EXPECT_EQ(read_config(Codec::opus, opus_payload()).config,
              (TrackConfig{Codec::opus, testing::opus_head}));
}

TEST(CodecConfig, IsRefusedAtEveryShorterLength) {
    const std::vector<std::pair<Codec, Bytes>> whole{{Codec::h264, testing::avcc},
                                                     {Codec::hevc, testing::hvcc()},
                                                     {Codec::av1, testing::av1c},
                                                     {Codec::aac, testing::asc},
                                                     {Codec::opus, opus_payload()}};
    for (const auto& [codec, payload] : whole) {
        ASSERT_EQ(reason_of(codec, payload), "");
        for (std::size_t size = 0; size < payload.size(); ++size) {
            const Bytes prefix(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_EQ(reason_of(codec, prefix), "malformed") << static_cast<int>(codec) << " " << size;
        }
    }
}

TEST(CodecConfig, IsRefusedWhereAFieldCannotBe) {
    const auto with = [](Bytes bytes, std::size_t at, std::uint8_t value) {
        bytes[at] = value;
        return bytes;
    };
    EXPECT_EQ(reason_of(Codec::h264, with(testing::avcc, 0, 2)), "malformed") << "version";
    EXPECT_EQ(reason_of(Codec::h264, with(testing::avcc, 4, 0xFE)), "malformed") << "lengths of three bytes";
    EXPECT_EQ(reason_of(Codec::h264, with(testing::avcc, 5, 0xE0)), "malformed") << "no parameter set";
    EXPECT_EQ(reason_of(Codec::hevc, with(testing::hvcc(), 0, 2)), "malformed") << "version";
    EXPECT_EQ(reason_of(Codec::hevc, with(testing::hvcc(), 21, 0x0E)), "malformed")
        << "lengths of three bytes";
    EXPECT_EQ(reason_of(Codec::av1, with(testing::av1c, 0, 0x82)), "malformed") << "version";
    EXPECT_EQ(reason_of(Codec::aac, {0x02, 0x10}), "malformed") << "object type 0";
    EXPECT_EQ(reason_of(Codec::aac, {0x16, 0x90}), "malformed") << "reserved frequency";
    EXPECT_EQ(reason_of(Codec::opus, with(opus_payload(), 8, 16)), "malformed") << "version";
    EXPECT_EQ(reason_of(Codec::opus, with(opus_payload(), 9, 0)), "malformed") << "no channel";
    EXPECT_EQ(reason_of(Codec::opus, with(opus_payload(), 9, 3)), "malformed")
        << "three channels in family 0";
    EXPECT_EQ(reason_of(Codec::opus, with(opus_payload(), 18, 1)), "malformed")
        << "family 1 without its table";
}

TEST(CodecConfig, HasALimit) {
    Bytes payload = testing::av1c;
    payload.resize(extradata_bytes_max);
    EXPECT_EQ(reason_of(Codec::av1, payload), "");
    payload.resize(extradata_bytes_max + 1);
    EXPECT_EQ(reason_of(Codec::av1, payload), "too_large");
}

TEST(AccessUnits, GetNalLengthsOfFourBytes) {
    for (const int length_bytes : {1, 2}) {
        Bytes configuration = testing::avcc;
        configuration[4] = static_cast<std::uint8_t>(0xFC | (length_bytes - 1));
        const TrackSetup setup = read_config(Codec::h264, configuration);
        EXPECT_EQ(setup.config.extradata, testing::avcc);
        Bytes data = joined({nal_unit({0x67, 1, 2}, length_bytes), nal_unit({0x65, 3}, length_bytes)});
        const auto check = normalize(setup, data);
        EXPECT_TRUE(check.valid);
        EXPECT_TRUE(check.random_access);
        EXPECT_EQ(data, joined({nal_unit({0x67, 1, 2}), nal_unit({0x65, 3})}));
    }
}

TEST(AccessUnits, AreInvalidWhereLengthsDoNotAddUp) {
    const TrackSetup setup = read_config(Codec::h264, testing::avcc);
    const std::vector<std::pair<std::string, Bytes>> cases{
        {"nothing", {}},
        {"length cut off", {0, 0, 0}},
        {"empty unit", {0, 0, 0, 0}},
        {"unit cut off", {0, 0, 0, 3, 0x65, 1}},
        {"bytes left", joined({nal_unit({0x65}), {1}})},
        {"start codes", {0, 0, 0, 1, 0x65, 0x88, 0x84, 0, 0, 0, 1, 0x41}},
        {"huge", {0xFF, 0xFF, 0xFF, 0xFF, 0x65}},
    };
    for (auto [name, data] : cases)
        EXPECT_FALSE(normalize(setup, data).valid) << name;
}

TEST(AccessUnits, TellWhereADecoderCanStart) {
    const TrackSetup avc = read_config(Codec::h264, testing::avcc);
    const TrackSetup hevc = read_config(Codec::hevc, testing::hvcc());
    const auto starts = [](const TrackSetup& setup, Bytes data) {
        return normalize(setup, data).random_access;
    };
    EXPECT_TRUE(starts(avc, joined({nal_unit({0x06, 1}), nal_unit({0x65, 1})})));
    EXPECT_FALSE(starts(avc, nal_unit({0x41, 1})));
    EXPECT_FALSE(starts(hevc, nal_unit({15 << 1, 1})));
    EXPECT_TRUE(starts(hevc, nal_unit({16 << 1, 1})));
    EXPECT_TRUE(starts(hevc, nal_unit({23 << 1, 1})));
    EXPECT_FALSE(starts(hevc, nal_unit({24 << 1, 1})));
}

TEST(AccessUnits, OfAv1MustHaveItsReservedBitsClear) {
    const TrackSetup setup = read_config(Codec::av1, testing::av1c);
    Bytes good{0x12, 0};
    Bytes forbidden{0x92, 0};
    Bytes reserved{0x13, 0};
    EXPECT_TRUE(normalize(setup, good).valid);
    EXPECT_FALSE(normalize(setup, forbidden).valid);
    EXPECT_FALSE(normalize(setup, reserved).valid);
}

}  // namespace
}  // namespace spaktok::media::rtmp
