#include "media/cmaf/muxer.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/cmaf/testing.h"

namespace spaktok::media::cmaf {
namespace {

using namespace std::chrono_literals;
using media::testing::Recording;

struct Muxed {
    std::string init;
    std::vector<Fragment> fragments;
    std::string bytes() const {
        std::string all = init;
        for (const auto& fragment : fragments)
            all += *fragment.bytes;
        return all;
    }
};

Muxed mux(const Recording& recording, Muxer::Options options = {}) {
    Muxer muxer(options, recording.video, recording.audio);
    Muxed muxed{.init = *muxer.init()};
    for (const auto& unit : recording.units) {
        if (auto fragment = muxer.push(unit)) muxed.fragments.push_back(std::move(*fragment));
    }
    if (auto fragment = muxer.finish()) muxed.fragments.push_back(std::move(*fragment));
    return muxed;
}

std::vector<AccessUnit> pictures_of(const Recording& recording) {
    std::vector<AccessUnit> pictures;
    for (const auto& unit : recording.units) {
        if (unit.video) pictures.push_back(unit);
    }
    return pictures;
}

TEST(Muxer, KeepsEveryAccessUnitWithItsPresentationTime) {
    const auto& recording = media::testing::usual();
    const auto bytes = mux(recording).bytes();
    std::vector<std::int64_t> expected;
    std::vector<std::int64_t> actual;
    for (const auto& unit : pictures_of(recording))
        expected.push_back(unit.pts_ms * 90);
    const media::testing::Boxes boxes(bytes);
    for (const auto& sample : boxes.samples) {
        if (sample.track == 1) actual.push_back(sample.pts);
    }
    EXPECT_EQ(actual, expected);
    EXPECT_EQ(boxes.samples.size(), recording.units.size());
}

TEST(Muxer, WhatItMakesDecodesWhole) {
    const auto& recording = media::testing::usual();
    const auto read = media::testing::read_back(mux(recording).bytes());
    EXPECT_EQ(read.packets.size(), recording.units.size());
    EXPECT_EQ(read.pictures_decoded, static_cast<int>(pictures_of(recording).size()));
    EXPECT_EQ(read.errors, 0);
    EXPECT_EQ(read.width, 320);
    EXPECT_EQ(read.height, 180);
}

TEST(Muxer, GivesAudioWithoutTheRoundingOfMilliseconds) {
    const auto read = media::testing::read_back(mux(media::testing::usual()).bytes());
    std::optional<double> expected;
    for (const auto& packet : read.packets) {
        if (packet.video) continue;
        if (expected) {
            ASSERT_NEAR(packet.dts, *expected, 1e-6);
        }
        expected = packet.dts + 1024.0 / 48000;
    }
}

TEST(Muxer, AnAudioGapStaysAGap) {
    auto recording = media::testing::only_sound();
    std::erase_if(recording.units, [](const auto& unit) { return unit.dts_ms > 2500 && unit.dts_ms < 3500; });
    const auto read = media::testing::read_back(mux(recording).bytes());
    ASSERT_EQ(read.packets.size(), recording.units.size());
    for (std::size_t i = 0; i < read.packets.size(); ++i) {
        ASSERT_NEAR(read.packets[i].dts, static_cast<double>(recording.units[i].dts_ms) / 1000, 0.013) << i;
    }
}

TEST(Muxer, CutsFragmentsOfTheTargetAndBeforeEveryKeyframe) {
    const auto muxed = mux(media::testing::usual());
    ASSERT_GE(muxed.fragments.size(), 18U);
    std::chrono::microseconds end = muxed.fragments.front().start;
    int keyframes = 0;
    for (std::size_t i = 0; i < muxed.fragments.size(); ++i) {
        const auto& fragment = muxed.fragments[i];
        EXPECT_EQ(fragment.start, end) << "fragments follow each other";
        end = fragment.start + fragment.duration;
        keyframes += fragment.independent ? 1 : 0;
        if (i + 1 == muxed.fragments.size()) break;
        EXPECT_EQ(fragment.before_keyframe, muxed.fragments[i + 1].independent) << i;
        EXPECT_LE(fragment.duration, 334ms) << i;
        if (!fragment.before_keyframe) EXPECT_GE(fragment.duration, 290ms) << i;
    }
    EXPECT_EQ(keyframes, 3);
    EXPECT_EQ(end - muxed.fragments.front().start, 6s);
}

TEST(Muxer, EveryStretchFromAKeyframeDecodesAlone) {
    const auto muxed = mux(media::testing::usual());
    for (const auto& fragment : muxed.fragments) {
        if (!fragment.independent) continue;
        const auto read = media::testing::read_back(muxed.init + *fragment.bytes);
        EXPECT_EQ(read.errors, 0);
        EXPECT_EQ(read.pictures_decoded, fragment.pictures);
    }
}

TEST(Muxer, AudioIsInTheFragmentOfItsTime) {
    const auto muxed = mux(media::testing::usual());
    for (std::size_t i = 1; i + 1 < muxed.fragments.size(); ++i) {
        const auto& fragment = muxed.fragments[i];
        const double start = std::chrono::duration<double>(fragment.start).count();
        const double end = start + std::chrono::duration<double>(fragment.duration).count();
        for (const auto& packet : media::testing::read_back(muxed.init + *fragment.bytes).packets) {
            if (packet.video) continue;
            EXPECT_LT(packet.dts, end);
            EXPECT_GT(packet.dts, start - 0.070) << "three frames late at the most";
        }
    }
}

TEST(Muxer, VideoAloneAndAudioAloneWork) {
    const auto video = mux(media::testing::only_picture());
    EXPECT_EQ(media::testing::read_back(video.bytes()).pictures_decoded, 120);
    const auto audio = mux(media::testing::only_sound());
    EXPECT_GE(audio.fragments.size(), 15U);
    for (const auto& fragment : audio.fragments) {
        EXPECT_TRUE(fragment.independent);
        EXPECT_TRUE(fragment.before_keyframe);
        EXPECT_LE(fragment.duration, 322ms);
    }
    EXPECT_EQ(media::testing::read_back(audio.bytes()).packets.size(),
              media::testing::only_sound().units.size());
}

TEST(Muxer, AudioGoesOnWhereThePictureStalls) {
    auto recording = media::testing::usual();
    std::erase_if(recording.units, [](const auto& unit) { return unit.video && unit.dts_ms > 2000; });
    const auto muxed = mux(recording);
    const auto& last = muxed.fragments.back();
    EXPECT_GE(last.start + last.duration, 5s);
    EXPECT_FALSE(last.independent);
    for (const auto& fragment : muxed.fragments) {
        EXPECT_LE(fragment.duration, 1400ms);
        EXPECT_GT(fragment.duration, 0ms);
    }
}

TEST(Muxer, CutsAFragmentThatGrowsTooBig) {
    const auto& recording = media::testing::only_picture();
    EXPECT_GT(mux(recording, {.fragment_bytes_max = 2'000}).fragments.size(),
              2 * mux(recording).fragments.size());
}

struct Other {
    const char* name;
    std::string arguments;
    std::string codecs;
};

class MuxerCodecs : public ::testing::TestWithParam<Other> {};

TEST_P(MuxerCodecs, AreCarriedAndDecode) {
    const auto& recording = media::testing::record(GetParam().arguments, "mp4");
    Muxer muxer({}, recording.video, recording.audio);
    EXPECT_THAT((muxer.video() ? muxer.video() : muxer.audio())->codecs,
                ::testing::MatchesRegex(GetParam().codecs));
    const auto muxed = mux(recording);
    const auto read = media::testing::read_back(muxed.bytes());
    EXPECT_EQ(read.packets.size(), recording.units.size());
    EXPECT_EQ(read.errors, 0);
    if (recording.video) {
        EXPECT_EQ(read.pictures_decoded, static_cast<int>(pictures_of(recording).size()));
        EXPECT_EQ(muxer.video()->width, read.width);
        EXPECT_EQ(muxer.video()->height, read.height);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, MuxerCodecs,
    ::testing::Values(
        Other{"hevc",
              "-f lavfi -i testsrc2=size=328x182:rate=10 -t 2 -c:v libx265 -preset ultrafast -x265-params "
              "log-level=none -tag:v hvc1 -pix_fmt yuv420p",
              "hvc1\\.1\\.6\\.L[0-9]+.*"},
        Other{"av1",
              "-f lavfi -i testsrc2=size=320x180:rate=10 -t 1 -c:v libaom-av1 -cpu-used 8 -usage realtime",
              "av01\\.0\\.[0-9]+M\\.08"},
        Other{"opus", "-f lavfi -i sine=sample_rate=48000 -t 2 -c:a libopus", "opus"},
        Other{"interlaced_h264",
              "-f lavfi -i testsrc2=size=400x300:rate=25 -t 2 -c:v libx264 -preset ultrafast -flags "
              "+ildct+ilme -x264-params tff=1 -pix_fmt yuv420p",
              "avc1\\.[0-9a-f]+"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace spaktok::media::cmaf
