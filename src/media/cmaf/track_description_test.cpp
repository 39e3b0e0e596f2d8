#include "media/cmaf/track_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/cmaf/picture_size.h"
#include "media/cmaf/testing.h"

namespace spaktok::media::cmaf {
namespace {

using Bytes = std::vector<std::uint8_t>;

ErrorCode refusal(bool video, const TrackConfig& config) {
    try {
        describe_track(video, config);
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::internal;
}

TEST(TrackDescription, ReadsWhatAnEncoderSays) {
    const auto& recording = media::testing::usual();
    const auto video = describe_track(true, *recording.video);
    EXPECT_THAT(video.codecs,
                ::testing::MatchesRegex("avc1\\.[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]"));
    EXPECT_EQ(video.width, 320);
    EXPECT_EQ(video.height, 180) << "the crop of the last macroblock row counts";
    const auto audio = describe_track(false, *recording.audio);
    EXPECT_EQ(audio.codecs, "mp4a.40.2");
    EXPECT_EQ(audio.sample_rate, 48'000);
    EXPECT_EQ(audio.channels, 2);
    EXPECT_EQ(audio.frame_samples, 1024);
}

TEST(TrackDescription, ReadsAacConfigurations) {
    struct Row {
        Bytes config;
        std::string codecs;
        int rate;
        int channels;
        int samples;
    };
    const Row rows[] = {
        {{0x12, 0x10}, "mp4a.40.2", 44'100, 2, 1024},
        {{0x11, 0x88}, "mp4a.40.2", 48'000, 1, 1024},
        {{0x11, 0x94}, "mp4a.40.2", 48'000, 2, 960},
        {{0x2B, 0x11, 0x88, 0x00}, "mp4a.40.5", 24'000, 2, 1024},  // HE-AAC: the core's rate
        {{0xEB, 0x09, 0x88, 0x00}, "mp4a.40.29", 24'000, 1, 1024},
        {{0x17, 0x80, 0x56, 0x22, 0x10}, "mp4a.40.2", 44'100, 2, 1024},  // the rate written out
    };
    for (const auto& row : rows) {
        const auto description = describe_track(false, {Codec::aac, row.config});
        EXPECT_EQ(description.codecs, row.codecs);
        EXPECT_EQ(description.sample_rate, row.rate) << row.codecs;
        EXPECT_EQ(description.channels, row.channels) << row.codecs;
        EXPECT_EQ(description.frame_samples, row.samples) << row.codecs;
    }
}

TEST(TrackDescription, RefusesWhatCannotBeCarried) {
    const auto& recording = media::testing::usual();
    auto short_lengths = *recording.video;
    short_lengths.extradata[4] = 0xFD;
    auto too_long = *recording.video;
    too_long.extradata.resize(64 * 1024 + 1);
    struct Row {
        const char* what;
        bool video;
        TrackConfig config;
    };
    const Row rows[] = {
        {"audio as video", true, *recording.audio},
        {"video as audio", false, *recording.video},
        {"empty H.264", true, {Codec::h264, {}}},
        {"two-byte lengths", true, short_lengths},
        {"too long", true, too_long},
        {"empty HEVC", true, {Codec::hevc, {}}},
        {"AV1 without a sequence header", true, {Codec::av1, {0x81, 0x00, 0x0C, 0x00}}},
        {"empty AAC", false, {Codec::aac, {}}},
        {"AAC-Main", false, {Codec::aac, {0x0A, 0x10}}},
        {"a rate of zero", false, {Codec::aac, {0x17, 0x80, 0x00, 0x00, 0x10}}},
        {"short Opus", false, {Codec::opus, {1, 2, 0, 0, 0, 0, 0, 0, 0, 0}}},
        {"Opus without channels", false, {Codec::opus, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
    };
    for (const auto& row : rows)
        EXPECT_EQ(refusal(row.video, row.config), ErrorCode::unsupported_media) << row.what;
    too_long.extradata.resize(64 * 1024);
    EXPECT_NO_THROW(describe_track(true, too_long)) << "at the limit";
}

TEST(TrackDescription, AnythingElseIsAnErrorAndNothingWorse) {
    const auto check = [](bool video, const TrackConfig& config) {
        try {
            describe_track(video, config);
        } catch (const Error& error) {
            ASSERT_EQ(error.code(), ErrorCode::unsupported_media);
        }
    };
    const auto& hevc = media::testing::record(
        "-f lavfi -i testsrc2=size=328x182:rate=10 -t 2 -c:v libx265 -preset ultrafast -x265-params "
        "log-level=none -tag:v hvc1 "
        "-pix_fmt yuv420p",
        "mp4");
    const auto& av1 = media::testing::record(
        "-f lavfi -i testsrc2=size=320x180:rate=10 -t 1 -c:v libaom-av1 -cpu-used 8 -usage realtime", "mp4");
    for (const auto& config : {*media::testing::usual().video, *hevc.video, *av1.video}) {
        for (std::size_t size = 0; size < config.extradata.size(); ++size) {
            auto cut = config;
            cut.extradata.resize(size);
            check(true, cut);
        }
        for (std::size_t bit = 0; bit < config.extradata.size() * 8; ++bit) {
            auto flipped = config;
            flipped.extradata[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
            check(true, flipped);
        }
    }
}

TEST(TrackDescription, TakesOpusHeadInItsThreeForms) {
    const Bytes head{'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 2, 0x38, 0x01, 0x80, 0xBB, 0, 0, 0, 0, 0};
    const Bytes without_magic(head.begin() + 8, head.end());
    const Bytes big_endian{0, 2, 0x01, 0x38, 0, 0, 0xBB, 0x80, 0, 0, 0};
    EXPECT_EQ(opus_head(head), head);
    EXPECT_EQ(opus_head(without_magic), head);
    EXPECT_EQ(opus_head(big_endian), head);
}

TEST(TrackDescription, ReadsTheLengthOfOpusPackets) {
    struct Row {
        Bytes packet;
        int samples;
    };
    const Row rows[] = {
        {{}, 0},       {{0xFC}, 960}, {{0xE0}, 120},     {{0xFD, 0}, 1920}, {{0x18}, 2880},
        {{0x60}, 480}, {{0xFF}, 0},   {{0xFF, 3}, 2880}, {{0xFF, 6}, 5760}, {{0xFF, 7}, 0},
    };
    for (const auto& row : rows) {
        EXPECT_EQ(opus_packet_samples(row.packet), row.samples) << ::testing::PrintToString(row.packet);
    }
}

TEST(PictureSize, TakesEmulationPreventionOut) {
    EXPECT_EQ(without_emulation_prevention(Bytes{1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3}),
              (Bytes{1, 0, 0, 1, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace spaktok::media::cmaf
