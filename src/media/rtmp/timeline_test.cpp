#include "media/rtmp/timeline.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace spaktok::media::rtmp {
namespace {

constexpr auto video = Timeline::video;
constexpr auto audio = Timeline::audio;

std::vector<std::int64_t> dts_of(const std::vector<std::uint32_t>& timestamps) {
    Timeline timeline;
    std::vector<std::int64_t> all;
    for (const auto at : timestamps)
        all.push_back(timeline.place(video, at, 0).dts_ms);
    return all;
}

TEST(Timeline, KeepsThePublishersTime) {
    EXPECT_EQ(dts_of({1'000, 1'033, 1'067}), (std::vector<std::int64_t>{1'000, 1'033, 1'067}));
}

TEST(Timeline, UndoesTheWrapOf32Bits) {
    EXPECT_EQ(dts_of({0xFFFFFFF0, 0x10, 0x30}),
              (std::vector<std::int64_t>{0xFFFFFFF0, 0x100000010, 0x100000030}));
}

TEST(Timeline, RisesStrictlyWithinATrack) {
    EXPECT_EQ(dts_of({100, 100, 90, 110, 103, 140}),
              (std::vector<std::int64_t>{100, 101, 102, 110, 111, 140}));
}

TEST(Timeline, GoesOnAfterAJumpFromEachLimitOn) {
    EXPECT_EQ(dts_of({0, 40, 40 + 10'000}).back(), 10'040) << "a gap at the limit is kept";
    EXPECT_EQ(dts_of({0, 40, 40 + 10'001}).back(), 80) << "one past it goes on after the usual step";
    EXPECT_EQ(dts_of({5'000, 5'040, 5'040 - 1'000}).back(), 5'041) << "back by the limit waits";
    EXPECT_EQ(dts_of({5'000, 5'040, 5'040 - 1'001}).back(), 5'080) << "one past it goes on";
}

TEST(Timeline, KeepsTheDistanceOfPtsToTheClock) {
    Timeline timeline;
    timeline.place(video, 1'000, 80);
    EXPECT_EQ(timeline.place(video, 1'040, 120).pts_ms, 1'160);
    EXPECT_EQ(timeline.place(video, 1'040, 40).dts_ms, 1'041);
    EXPECT_EQ(timeline.place(video, 1'080, 0).pts_ms, 1'080);
}

TEST(Timeline, LowersDtsWhereThePublisherPutsPtsBeforeIt) {
    Timeline timeline;
    // I P B B with a clock that counts from the first dts: the pictures between are shown before their dts.
    const std::vector<std::pair<std::uint32_t, std::int32_t>> sent{
        {0, 0}, {40, 80}, {80, -40}, {120, -40}, {160, 80}};
    std::vector<std::int64_t> pts;
    std::int64_t last = -1;
    for (const auto& [at, offset] : sent) {
        const auto times = timeline.place(video, at, offset);
        EXPECT_GT(times.dts_ms, last);
        EXPECT_GE(times.pts_ms, times.dts_ms);
        last = times.dts_ms;
        pts.push_back(times.pts_ms);
    }
    EXPECT_EQ(pts, (std::vector<std::int64_t>{0, 120, 41, 80, 240}));
}

TEST(Timeline, KeepsSoundAndPictureTogetherOverAJump) {
    Timeline timeline;
    for (std::uint32_t at = 100'000; at <= 101'000; at += 40) {
        timeline.place(video, at, 0);
        timeline.place(audio, at + 5, 0);
    }
    // The clock begins anew; the picture arrives first, and late sound of before still follows it.
    const auto picture = timeline.place(video, 0, 0);
    EXPECT_EQ(picture.dts_ms, 101'005 + 40);
    EXPECT_EQ(timeline.place(audio, 101'045, 0).dts_ms, 101'045);
    const auto sound = timeline.place(audio, 20, 0);
    EXPECT_EQ(sound.dts_ms - picture.dts_ms, 20);
    EXPECT_EQ(timeline.place(video, 40, 0).dts_ms, picture.dts_ms + 40);
}

TEST(Timeline, KeepsAPauseOfOneTrack) {
    Timeline timeline;
    timeline.place(video, 0, 0);
    for (std::uint32_t at = 0; at <= 60'000; at += 20)
        timeline.place(audio, at, 0);
    EXPECT_EQ(timeline.place(video, 60'010, 0).dts_ms, 60'010);
}

TEST(Timeline, BeginsATrackOfAnotherClockWhereTheFirstOneIs) {
    Timeline timeline;
    timeline.place(video, 500'000, 0);
    EXPECT_EQ(timeline.place(audio, 0, 0).dts_ms, 500'000);
    EXPECT_EQ(timeline.place(audio, 23, 0).dts_ms, 500'023);
    EXPECT_EQ(timeline.place(video, 500'040, 0).dts_ms, 500'040);
}

// Whatever a publisher sends, the muxer gets what MP4 requires, and no step that a player would take for a
// hang.
TEST(Timeline, HoldsItsLawsForRandomClocks) {
    std::mt19937 random(7);
    Timeline timeline;
    std::array<std::int64_t, 2> last{INT64_MIN, INT64_MIN};
    std::uint32_t clock = 0xFFFF0000;
    for (int i = 0; i < 200'000; ++i) {
        const auto dice = random() % 1'000;
        clock += dice == 0 ? random() : dice < 20 ? random() % 30'000 - 15'000 : random() % 50;
        const auto track = static_cast<Timeline::Track>(random() % 2);
        const auto offset = static_cast<std::int32_t>(random() % 20'001) - 10'000;
        const auto times = timeline.place(track, clock, random() % 2 == 0 ? 0 : offset);
        ASSERT_GT(times.dts_ms, last[track]) << i;
        ASSERT_GE(times.pts_ms, times.dts_ms) << i;
        last[track] = times.dts_ms;
    }
}

}  // namespace
}  // namespace spaktok::media::rtmp
