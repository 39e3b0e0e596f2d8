#include "media/hls/playlist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spaktok::media::hls {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

Part part(std::chrono::milliseconds duration, bool independent, std::size_t bytes = 1000) {
    return {http::BodyPart(std::make_shared<const std::string>(bytes, 'x')), duration, independent};
}

Segment segment(std::int64_t sequence, std::int64_t timeline, std::vector<Part> parts) {
    Segment made{.sequence = sequence, .timeline = timeline, .start = 5s + (sequence - 7) * 2s};
    for (const auto& each : parts) {
        made.duration += each.duration;
        made.bytes += each.bytes.length;
    }
    made.parts = std::move(parts);
    return made;
}

Timeline timeline() {
    return {.init = std::make_shared<const std::string>("init"),
            .codecs = "avc1.64001f,mp4a.40.2",
            .width = 1280,
            .height = 720,
            .media_start = 5s,
            .wall_start = from_unix_milliseconds(1'769'846'400'250),
            .pictures = 60,
            .duration = 2s};
}

Contents two_segments() {
    Contents contents;
    contents.timelines[3] = timeline();
    contents.segments.push_back(segment(7, 3, {part(1s, true), part(1s, false)}));
    contents.segments.push_back(segment(8, 3, {part(1s, true, 3000), part(1s, false)}));
    contents.next_sequence = 9;
    contents.next_timeline = 4;
    contents.target_duration_seconds = 2;
    contents.part_target = 1s;
    return contents;
}

TEST(MediaPlaylist, ReadsAsTheStandardSays) {
    auto contents = two_segments();
    contents.open = segment(9, 3, {part(1s, true)});
    EXPECT_EQ(media_playlist(contents),
              "#EXTM3U\n"
              "#EXT-X-VERSION:9\n"
              "#EXT-X-TARGETDURATION:2\n"
              "#EXT-X-INDEPENDENT-SEGMENTS\n"
              "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6.000,PART-HOLD-BACK=3.000\n"
              "#EXT-X-PART-INF:PART-TARGET=1.000\n"
              "#EXT-X-MEDIA-SEQUENCE:7\n"
              "#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
              "#EXT-X-MAP:URI=\"init-3.mp4\"\n"
              "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T08:00:00.250Z\n"
              "#EXT-X-PART:DURATION=1.00000,URI=\"7.0.m4s\",INDEPENDENT=YES\n"
              "#EXT-X-PART:DURATION=1.00000,URI=\"7.1.m4s\"\n"
              "#EXTINF:2.00000,\n"
              "7.m4s\n"
              "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T08:00:02.250Z\n"
              "#EXT-X-PART:DURATION=1.00000,URI=\"8.0.m4s\",INDEPENDENT=YES\n"
              "#EXT-X-PART:DURATION=1.00000,URI=\"8.1.m4s\"\n"
              "#EXTINF:2.00000,\n"
              "8.m4s\n"
              "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T08:00:04.250Z\n"
              "#EXT-X-PART:DURATION=1.00000,URI=\"9.0.m4s\",INDEPENDENT=YES\n"
              "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9.1.m4s\"\n");
}

TEST(MediaPlaylist, BeginsAtTheSegmentThatItIsTold) {
    const auto text = media_playlist(two_segments(), 1);
    EXPECT_THAT(text, HasSubstr("#EXT-X-MEDIA-SEQUENCE:8\n"));
    EXPECT_THAT(text, HasSubstr("#EXT-X-MAP:URI=\"init-3.mp4\"\n"));
    EXPECT_THAT(text, Not(HasSubstr("7.m4s")));
    EXPECT_THAT(text, HasSubstr("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9.0.m4s\"\n"));
}

TEST(MediaPlaylist, MarksADiscontinuityOnceWithItsOwnInitSegment) {
    auto contents = two_segments();
    contents.timelines[4] = timeline();
    contents.segments.push_back(segment(9, 4, {part(2s, true)}));
    contents.segments.push_back(segment(10, 4, {part(2s, true)}));
    const auto text = media_playlist(contents);
    EXPECT_THAT(text, HasSubstr("8.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-4.mp4\"\n"));
    EXPECT_EQ(text.find("#EXT-X-DISCONTINUITY\n"), text.rfind("#EXT-X-DISCONTINUITY\n"));
    // Once what was before it is gone, the tag is in the number (RFC 8216, 6.2.2).
    const auto later = media_playlist(contents, 2);
    EXPECT_THAT(later, HasSubstr("#EXT-X-DISCONTINUITY-SEQUENCE:4\n"));
    EXPECT_THAT(later, Not(HasSubstr("#EXT-X-DISCONTINUITY\n")));
}

TEST(MediaPlaylist, AnEndedOneHasOnlySegmentsAndTheEnd) {
    auto contents = two_segments();
    contents.ended = true;
    const auto text = media_playlist(contents);
    EXPECT_TRUE(text.ends_with("8.m4s\n#EXT-X-ENDLIST\n"));
    for (const auto* tag : {"PART", "PRELOAD", "SERVER-CONTROL"})
        EXPECT_THAT(text, Not(HasSubstr(tag)));
}

TEST(MediaPlaylist, DoesNotPromiseKeyframesThatAreNotThere) {
    auto contents = two_segments();
    contents.segments.push_back(segment(9, 3, {part(2s, false)}));
    EXPECT_THAT(media_playlist(contents), Not(HasSubstr("INDEPENDENT-SEGMENTS")));
}

TEST(MediaPlaylist, OnlyTheNewestSegmentsShowTheirParts) {
    auto contents = two_segments();
    for (std::int64_t i = 9; i < 20; ++i)
        contents.segments.push_back(segment(i, 3, {part(1s, true), part(1s, false)}));
    const auto text = media_playlist(contents);
    EXPECT_THAT(text, HasSubstr("\"17.0.m4s\""));
    EXPECT_THAT(text, Not(HasSubstr("\"16.0.m4s\"")));
}

TEST(MasterPlaylist, StatesWhatWasMeasured) {
    EXPECT_EQ(master_playlist(two_segments(), "media.m3u8?session=abc"),
              "#EXTM3U\n"
              "#EXT-X-VERSION:9\n"
              "#EXT-X-STREAM-INF:BANDWIDTH=16000,AVERAGE-BANDWIDTH=12000,CODECS=\"avc1.64001f,mp4a.40.2\","
              "RESOLUTION=1280x720,FRAME-RATE=30.000\n"
              "media.m3u8?session=abc\n");
}

TEST(MasterPlaylist, OfSoundAloneHasNoResolution) {
    auto contents = two_segments();
    contents.timelines[3] = {.init = timeline().init, .codecs = "opus", .duration = 2s};
    const auto text = master_playlist(contents, "media.m3u8");
    EXPECT_THAT(text, HasSubstr("CODECS=\"opus\"\n"));
    EXPECT_THAT(text, Not(HasSubstr("RESOLUTION")));
}

TEST(MasterPlaylist, MeasuresTheOpenSegmentWhereThereIsNoOther) {
    auto contents = two_segments();
    contents.segments.clear();
    contents.open = segment(9, 3, {part(1s, true, 500)});
    EXPECT_THAT(master_playlist(contents, "m"), HasSubstr("BANDWIDTH=4000,AVERAGE-BANDWIDTH=4000"));
}

TEST(FrameRate, IsWhatThePublisherMostLikelyMeans) {
    struct Row {
        std::int64_t pictures;
        std::chrono::microseconds duration;
        double rate;
    };
    const Row rows[] = {
        {0, 2s, 0.0},
        {9, 300ms, 30.0},
        {9, 301ms, 30.0},
        {300, 10s, 30.0},
        {300, 10'010ms, 30'000.0 / 1001},
        {240, 10'010ms, 24'000.0 / 1001},
        {15, 1s, 15.0},
        {147, 10s, 14.7},
    };
    for (const auto& row : rows) {
        EXPECT_DOUBLE_EQ(frame_rate({.pictures = row.pictures, .duration = row.duration}), row.rate)
            << row.pictures << " in " << row.duration.count();
    }
}

}  // namespace
}  // namespace spaktok::media::hls
