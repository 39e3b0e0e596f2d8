#include "media/live/live_hub.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/live/hub_fixture.h"

namespace spaktok::media {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Publisher;

using testing::occurrences;

class LiveHubTest : public testing::HubFixture {};

TEST_F(LiveHubTest, WhatIsPublishedCanBePlayed) {
    Publisher publisher(threads_, start(options()), "key");
    const auto& recording = testing::usual();
    publisher.publish(recording);
    ASSERT_TRUE(told_in_time("on_air"));
    const auto master = text("master.m3u8");
    EXPECT_THAT(
        master,
        ContainsRegex("CODECS=\"avc1\\.[0-9a-f]{6},mp4a\\.40\\.2\",RESOLUTION=320x180,FRAME-RATE=30\\.000"));
    publisher.leave();
    const auto media = playlist();
    // Play it: the init segment and all segments, one after the other.
    std::string bytes;
    std::istringstream lines(media);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("#EXT-X-MAP:URI=\"")) bytes += text(line.substr(16, line.size() - 17));
        if (line.ends_with(".m4s")) bytes += text(line);
    }
    const auto read = testing::read_back(bytes);
    EXPECT_EQ(read.packets.size(), recording.units.size());
    EXPECT_EQ(read.pictures_decoded, 180);
    EXPECT_EQ(read.errors, 0);
}

TEST_F(LiveHubTest, AnswersCarryWhatBrowsersOfOtherOriginsNeed) {
    Publisher publisher(threads_, start(options()), "key");
    publisher.publish(testing::usual());
    for (const auto* file : {"master.m3u8", "media.m3u8", "nothing.m4s"}) {
        EXPECT_EQ(get(file).headers.get("Access-Control-Allow-Origin"), "*") << file;
    }
    EXPECT_EQ(get("nothing.m4s").status, 404U);
    const auto preflight = threads_.run(answer(http::Method::options, "media.m3u8", ""));
    EXPECT_EQ(preflight.status, 204U);
    EXPECT_EQ(preflight.headers.get("Access-Control-Allow-Origin"), "*");
    EXPECT_THAT(std::string(*preflight.headers.get("Access-Control-Allow-Methods")), HasSubstr("GET"));
}

TEST_F(LiveHubTest, AStreamThatIsNotOnAirIsNotFound) {
    start(options());
    const auto response = get("master.m3u8");
    EXPECT_EQ(response.status, 404U);
    EXPECT_THAT(response.body, HasSubstr("/problems/not_on_air"));
    EXPECT_FALSE(hub_->status(stream_.stream_id));
    EXPECT_EQ(hub_->uncounted_players(stream_.stream_id), 0);
}

TEST_F(LiveHubTest, OnAirComesWithTheFirstFragment) {
    Publisher publisher(threads_, start(options()), "key");
    const auto& recording = testing::usual();
    publisher.configure(recording);
    const auto first = recording.units.front().dts_ms;
    publisher.push(recording, 0, first + 280);
    EXPECT_FALSE(hub_->status(stream_.stream_id));
    publisher.push(recording, first + 280, first + 400);
    ASSERT_TRUE(told_in_time("on_air " + stream_.stream_id.to_string()));
    const auto status = authority_.last_status();
    EXPECT_EQ(status.protocol, "test");
    EXPECT_THAT(status.video_codec, ::testing::StartsWith("avc1."));
    EXPECT_EQ(status.audio_codec, "mp4a.40.2");
    EXPECT_EQ(status.width, 320);
    EXPECT_EQ(status.height, 180);
    EXPECT_TRUE(status.connected);
}

TEST_F(LiveHubTest, TheFirstSegmentIsThereWithTheSecondKeyframe) {
    Publisher publisher(threads_, start(options()), "key");
    const auto& recording = testing::usual();
    publisher.configure(recording);
    const auto first = recording.units.front().dts_ms;
    auto waiting = threads_.start(answer(http::Method::get, "media.m3u8", ""), 1);
    publisher.push(recording, 0, first + 2'040);  // two seconds and the keyframe after them
    EXPECT_EQ(testing::get(std::move(waiting)).status, 200U);
}

TEST_F(LiveHubTest, StatusIsMeasured) {
    Publisher publisher(threads_, start(options()), "key");
    publisher.publish(testing::usual());
    ASSERT_TRUE(told_in_time("status", 2));
    const auto status = *hub_->status(stream_.stream_id);
    EXPECT_NEAR(status.fps, 30, 0.01);
    EXPECT_DOUBLE_EQ(status.keyframe_interval_seconds, 2);
    EXPECT_EQ(status.dropped_access_units, 0);
    EXPECT_GT(status.bitrate, 0) << "of the last five seconds";
}

TEST_F(LiveHubTest, AnUnknownKeyIsRefused) {
    start(options());
    try {
        Publisher publisher(threads_, *hub_, "wrong");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unauthenticated);
    }
}

TEST_F(LiveHubTest, TakesAsManyPublishersAsItMay) {
    auto few = options();
    few.publishers_max = 2;
    start(few);
    authority_.allow("second");
    authority_.allow("third");
    Publisher first(threads_, *hub_, "key");
    {
        Publisher second(threads_, *hub_, "second");
        EXPECT_THROW(Publisher(threads_, *hub_, "third"), Error);
        EXPECT_NO_THROW(Publisher(threads_, *hub_, "key")) << "taking over is no publisher more";
    }
    EXPECT_NO_THROW(Publisher(threads_, *hub_, "third"));
}

TEST_F(LiveHubTest, APublisherThatReturnsContinuesWithOneDiscontinuity) {
    start(options());
    {
        Publisher publisher(threads_, *hub_, "key", 0);
        publisher.publish(testing::usual());
        ASSERT_TRUE(told_in_time("on_air"));
    }
    EXPECT_FALSE(hub_->status(stream_.stream_id)->connected);
    EXPECT_THAT(playlist(), Not(HasSubstr("ENDLIST")));
    Publisher again(threads_, *hub_, "key", 1);
    again.publish(testing::usual());
    EXPECT_TRUE(hub_->status(stream_.stream_id)->connected);
    const auto text = playlist();
    EXPECT_EQ(occurrences(text, "#EXT-X-DISCONTINUITY\n"), 1);
    EXPECT_EQ(occurrences(text, "#EXT-X-MAP"), 2);
    ASSERT_TRUE(told_in_time("status", 1));
    EXPECT_EQ(told("on_air"), 1);
    EXPECT_EQ(told("off_air"), 0);
}

TEST_F(LiveHubTest, AfterTheGraceItIsOver) {
    auto impatient = options();
    impatient.reconnect_grace = 100ms;
    start(impatient);
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    ASSERT_TRUE(told_in_time("on_air"));
    publisher.leave("unplugged");
    ASSERT_TRUE(told_in_time("off_air " + stream_.stream_id.to_string() + " unplugged"));
    EXPECT_THAT(playlist(), HasSubstr("#EXT-X-ENDLIST"));
    EXPECT_FALSE(hub_->status(stream_.stream_id));
    EXPECT_EQ(told("off_air"), 1);
}

TEST_F(LiveHubTest, OffAirIsToldUntilItIsHeard) {
    auto impatient = options();
    impatient.reconnect_grace = 10ms;
    start(impatient);
    authority_.fail_off_air(2);
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    ASSERT_TRUE(told_in_time("on_air"));
    publisher.leave();
    EXPECT_TRUE(told_in_time("off_air", 3));
}

TEST_F(LiveHubTest, APublisherThatShowedNothingLeavesNothing) {
    start(options());
    {
        Publisher publisher(threads_, *hub_, "key");
        publisher.configure(testing::usual());
    }
    EXPECT_TRUE(eventually([&] { return get("master.m3u8").status == 404; }));
    EXPECT_EQ(told("off_air"), 0);
    EXPECT_EQ(told("on_air"), 0);
}

TEST_F(LiveHubTest, TheNewestPublisherWins) {
    start(options());
    Publisher first(threads_, *hub_, "key", 0);
    first.publish(testing::usual());
    ASSERT_TRUE(told_in_time("on_air"));
    Publisher second(threads_, *hub_, "key", 1);
    EXPECT_THAT(first.told(), HasSubstr("newer publisher"));
    second.configure(testing::usual());
    second.push(testing::usual(), 0, 4'000);
    const auto before = playlist();
    first.push(testing::usual(), 0, INT64_MAX, 6'000);  // it has not heard it yet
    first.leave();
    EXPECT_EQ(playlist(), before);
    EXPECT_TRUE(hub_->status(stream_.stream_id)->connected);
    EXPECT_EQ(second.told(), "");
    EXPECT_EQ(occurrences(playlist(), "#EXT-X-DISCONTINUITY\n"), 1);
    EXPECT_EQ(told("off_air"), 0);
}

TEST_F(LiveHubTest, EndClosesThePlaylistAndThePublisherAtOnce) {
    start(options());
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    ASSERT_TRUE(told_in_time("on_air"));
    auto waiting = threads_.start(answer(http::Method::get, "media.m3u8", "_HLS_msn=999999999"), 1);
    (void)waiting;
    threads_.run(hub_->end(stream_.stream_id, "ended by its host"));
    EXPECT_THAT(playlist(), HasSubstr("#EXT-X-ENDLIST"));
    EXPECT_EQ(publisher.told(), "ended by its host");
    EXPECT_TRUE(told_in_time("off_air " + stream_.stream_id.to_string() + " ended by its host"));
    const auto before = playlist();
    publisher.push(testing::usual(), 0, INT64_MAX, 6'000);
    EXPECT_EQ(playlist(), before);
    threads_.run(hub_->end(stream_.stream_id, "again"));
    threads_.run(hub_->end(StreamId{}, "never was"));
    EXPECT_EQ(told("off_air"), 1);
}

TEST_F(LiveHubTest, AnEndedPlaylistLingersAndGoes) {
    auto brief = options();
    brief.window = 100ms;
    start(brief);
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    ASSERT_TRUE(told_in_time("on_air"));
    threads_.run(hub_->end(stream_.stream_id, "done"));
    EXPECT_TRUE(eventually([&] { return get("media.m3u8").status == 404; }));
}

TEST_F(LiveHubTest, DisconnectingAPublisherLeavesTheBroadcastItsGrace) {
    start(options());
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    ASSERT_TRUE(told_in_time("on_air"));
    threads_.run(hub_->disconnect_publisher(stream_.user_id, "the key was rotated"));
    EXPECT_EQ(publisher.told(), "the key was rotated");
    EXPECT_FALSE(hub_->status(stream_.stream_id)->connected);
    EXPECT_THAT(playlist(), Not(HasSubstr("ENDLIST")));
    EXPECT_EQ(told("off_air"), 0);
}

TEST_F(LiveHubTest, ARefusedBroadcastEnds) {
    start(options());
    authority_.refuse_on_air();
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    EXPECT_TRUE(eventually([&] { return publisher.told() == "This stream has ended."; }));
    EXPECT_TRUE(eventually([&] { return playlist().find("#EXT-X-ENDLIST") != std::string::npos; }));
}

TEST_F(LiveHubTest, ANewConfigurationIsADiscontinuityAndTheSameIsNone) {
    start(options());
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    publisher.configure(testing::usual());
    publisher.push(testing::usual(), 0, INT64_MAX, 6'000);
    EXPECT_EQ(occurrences(playlist(), "#EXT-X-DISCONTINUITY\n"), 0);
    const auto& other = testing::record(
        "-f lavfi -i testsrc2=size=640x360:rate=30 -t 3 -c:v libx264 -preset ultrafast -g 30 -pix_fmt "
        "yuv420p");
    publisher.configure(other);
    publisher.push(other, 0, INT64_MAX, 12'000);
    EXPECT_EQ(occurrences(playlist(), "#EXT-X-DISCONTINUITY\n"), 1);
    EXPECT_THAT(text("master.m3u8"), HasSubstr("RESOLUTION=640x360"));
}

TEST_F(LiveHubTest, AJumpOfTheClockIsADiscontinuityAndASmallGapIsNone) {
    start(options());
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    publisher.push(testing::usual(), 0, INT64_MAX, 6'000 + 4'900);
    EXPECT_EQ(occurrences(playlist(), "#EXT-X-DISCONTINUITY\n"), 0);
    publisher.push(testing::usual(), 0, INT64_MAX, 12'000 + 4'900 + 5'100);
    EXPECT_EQ(occurrences(playlist(), "#EXT-X-DISCONTINUITY\n"), 1);
    publisher.push(testing::usual());  // and back to the beginning
    EXPECT_EQ(occurrences(playlist(), "#EXT-X-DISCONTINUITY\n"), 2);
}

TEST_F(LiveHubTest, DropsWhatCannotBeShown) {
    start(options());
    Publisher publisher(threads_, *hub_, "key");
    const auto& recording = testing::usual();
    publisher.publish(recording);
    testing::Recording bad{.video = recording.video, .audio = recording.audio};
    const auto last = recording.units.back().dts_ms;
    bad.units = {
        {.video = true, .dts_ms = last - 100, .pts_ms = last - 100, .data = {1}},  // late
        {.video = true,
         .dts_ms = last + 100,
         .pts_ms = last + 5'101,
         .data = {1}},                                                            // shown five seconds later
        {.video = true, .dts_ms = last + 100, .pts_ms = last + 100, .data = {}},  // empty
        {.video = true, .dts_ms = -1, .pts_ms = -1, .data = {1}},                 // before the beginning
        {.video = true,
         .dts_ms = (1LL << 40) + 1,
         .pts_ms = (1LL << 40) + 1,
         .data = {1}},  // in the far future
        {.video = true,
         .dts_ms = last + 100,
         .pts_ms = last + 100,
         .data = std::vector<std::uint8_t>((16u << 20) + 1)},
    };
    publisher.push(bad, INT64_MIN);
    publisher.push(recording, 0, INT64_MAX, 6'100);
    EXPECT_EQ(hub_->status(stream_.stream_id)->dropped_access_units, 6);
    EXPECT_EQ(occurrences(playlist(), "#EXT-X-DISCONTINUITY\n"), 0);
}

TEST_F(LiveHubTest, PictureAloneAndSoundAlonePlay) {
    start(options());
    for (const auto* recording : {&testing::only_picture(), &testing::only_sound()}) {
        stream_ = authority_.allow("another");
        Publisher publisher(threads_, *hub_, "another");
        publisher.publish(*recording);
        EXPECT_THAT(playlist(), HasSubstr("#EXTINF"));
        const bool sound = !recording->video;
        EXPECT_EQ(text("master.m3u8").find("RESOLUTION") == std::string::npos, sound);
        EXPECT_EQ(hub_->status(stream_.stream_id)->audio_codec, sound ? "mp4a.40.2" : "");
    }
}

TEST_F(LiveHubTest, CountsPlayersThatHaveNoSocket) {
    start(options());
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    for (int i = 0; i < 3; ++i) {
        const auto master = text("master.m3u8");
        const auto query = master.substr(master.find("?session=") + 1);
        get("media.m3u8", query.substr(0, query.find('\n')));
    }
    get("media.m3u8", "counted=0");
    EXPECT_EQ(hub_->uncounted_players(stream_.stream_id), 3);
}

}  // namespace
}  // namespace spaktok::media
