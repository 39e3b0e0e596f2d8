#include <filesystem>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/live/hub_fixture.h"
#include "media/live/live_hub.h"
#include "media/transcode/limited_process.h"

namespace spaktok::media {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Publisher;

using testing::occurrences;

class LiveHubCourse : public testing::HubFixture {};

TEST_F(LiveHubCourse, AWindowSurvivesARestartAndGoesOnWithOneDiscontinuity) {
    const testing::TemporaryDirectory directory;
    auto keeping = options();
    keeping.state_directory = directory.file("live");
    start(keeping);
    std::string before;
    {
        Publisher publisher(threads_, *hub_, "key");
        publisher.publish(testing::usual());
        ASSERT_TRUE(told_in_time("on_air"));
        hub_->stop(1s);
        EXPECT_EQ(publisher.told(), "the server is stopping");
        before = playlist();
    }
    hub_.reset();
    EXPECT_EQ(told("off_air"), 0);
    start(keeping);
    EXPECT_EQ(playlist(), before);
    EXPECT_TRUE(std::filesystem::is_empty(keeping.state_directory));
    EXPECT_FALSE(hub_->status(stream_.stream_id)->connected);
    Publisher again(threads_, *hub_, "key", 1);
    again.publish(testing::usual());
    EXPECT_TRUE(told_in_time("on_air", 2)) << "after a restart it is told again";
    EXPECT_EQ(authority_.last_status().audio_codec, "mp4a.40.2") << "and with what it sends now";
    const auto after = playlist();
    EXPECT_EQ(occurrences(after, "#EXT-X-DISCONTINUITY\n"), 1);
    EXPECT_TRUE(after.find(before.substr(before.rfind("#EXTINF"), 20)) != std::string::npos);
    EXPECT_EQ(told("off_air"), 0);
}

TEST_F(LiveHubCourse, AWindowThatNobodyReturnsToEndsAfterTheGrace) {
    const testing::TemporaryDirectory directory;
    auto keeping = options();
    keeping.state_directory = directory.file("live");
    start(keeping);
    {
        Publisher publisher(threads_, *hub_, "key");
        publisher.publish(testing::usual());
        ASSERT_TRUE(told_in_time("on_air"));
        stop();
    }
    keeping.reconnect_grace = 50ms;
    start(keeping);
    EXPECT_TRUE(told_in_time("off_air " + stream_.stream_id.to_string() + " the server was restarted"));
    EXPECT_THAT(playlist(), HasSubstr("#EXT-X-ENDLIST"));
    stop();
    EXPECT_TRUE(std::filesystem::is_empty(keeping.state_directory)) << "an ended one is not kept";
}

TEST_F(LiveHubCourse, ABroadcastCountsFromNothing) {
    start(options());
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    const auto text = playlist();
    EXPECT_THAT(text, HasSubstr("#EXT-X-MEDIA-SEQUENCE:0\n"));
    EXPECT_THAT(text, HasSubstr("#EXT-X-DISCONTINUITY-SEQUENCE:0\n"));
    EXPECT_THAT(text, HasSubstr("#EXT-X-MAP:URI=\"init-0.mp4\"\n"));
    EXPECT_THAT(text, HasSubstr("\n0.m4s\n"));
}

TEST_F(LiveHubCourse, NumbersGoOnAheadOfWhatPlayersSawWhereTheWindowWasLost) {
    start(options());
    {
        Publisher publisher(threads_, *hub_, "key");
        publisher.publish(testing::usual());
        EXPECT_THAT(playlist(), HasSubstr("#EXT-X-MEDIA-SEQUENCE:0\n"));
        stop();
    }
    // The Authority remembers that it is on air; the playlist so far ends below its age in seconds.
    stream_.live_since = clock_.now() - 100s;
    authority_.allow("key", stream_);
    start(options());
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    const auto text = playlist();
    const auto number_after = [&](const std::string& tag) {
        return std::stoll(text.substr(text.find(tag) + tag.size()));
    };
    for (const auto* tag : {"MEDIA-SEQUENCE:", "DISCONTINUITY-SEQUENCE:"}) {
        EXPECT_GE(number_after(tag), 100) << tag;
        EXPECT_LT(number_after(tag), 1'000) << tag;
    }
}

TEST_F(LiveHubCourse, AfterTheStopNobodyIsAdmitted) {
    start(options());
    hub_->stop(1s);
    EXPECT_THROW(Publisher(threads_, *hub_, "key"), Error);
    hub_->stop(1s);
}

TEST_F(LiveHubCourse, MakesThumbnailsAndRemovesOldOnes) {
    auto pictures = options();
    pictures.thumbnail_interval = 1ms;
    start(pictures);
    Publisher publisher(threads_, *hub_, "key");
    publisher.configure(testing::usual());
    for (int i = 0; i < 4; ++i) {
        publisher.push(testing::usual(), 0, INT64_MAX, i * 6'000);
        ASSERT_TRUE(told_in_time("thumbnail " + stream_.stream_id.to_string(), i + 1));
    }
    const auto last = authority_.last("thumbnail");
    EXPECT_THAT(last, ContainsRegex("thumbnails/" + stream_.stream_id.to_string() + "/[0-9]+\\.jpg"));
    EXPECT_TRUE(eventually([&] { return blobs_.keys().size() <= 2; }));
    threads_.run(hub_->end(stream_.stream_id, "done"));
    EXPECT_TRUE(eventually([&] { return blobs_.keys().size() == 1; })) << "the last one stays";
    EXPECT_THAT(last, HasSubstr(blobs_.keys().front()));
}

TEST_F(LiveHubCourse, FfmpegPublishesOverRtmpAndViewersSeeIt) {
    auto listening = options();
    listening.rtmp_listen = "127.0.0.1:0";
    start(listening);
    const auto address = "rtmp://127.0.0.1:" + std::to_string(hub_->rtmp_port()) + "/live/key";
    auto ffmpeg = threads_.start(LimitedProcess::run({.argv = {"ffmpeg",
                                                               "-nostdin",
                                                               "-loglevel",
                                                               "error",
                                                               "-f",
                                                               "lavfi",
                                                               "-i",
                                                               "testsrc2=size=320x180:rate=30",
                                                               "-f",
                                                               "lavfi",
                                                               "-i",
                                                               "sine=sample_rate=48000",
                                                               "-t",
                                                               "5",
                                                               "-c:v",
                                                               "libx264",
                                                               "-preset",
                                                               "ultrafast",
                                                               "-g",
                                                               "60",
                                                               "-keyint_min",
                                                               "60",
                                                               "-sc_threshold",
                                                               "0",
                                                               "-pix_fmt",
                                                               "yuv420p",
                                                               "-c:a",
                                                               "aac",
                                                               "-f",
                                                               "flv",
                                                               address},
                                                      .deadline = 60s,
                                                      .cpu_max = 60s,
                                                      .memory_bytes_max = std::uint64_t{4} << 30}));
    const auto result = testing::get(std::move(ffmpeg));
    EXPECT_TRUE(result.succeeded()) << result.error_tail;
    ASSERT_TRUE(told_in_time("on_air"));
    EXPECT_EQ(authority_.last_status().protocol, "rtmp");
    ASSERT_TRUE(eventually([&] { return !hub_->status(stream_.stream_id)->connected; }));
    std::string bytes;
    std::istringstream lines(playlist());
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("#EXT-X-MAP:URI=\"")) bytes += text(line.substr(16, line.size() - 17));
        if (line.ends_with(".m4s")) bytes += text(line);
    }
    const auto read = testing::read_back(bytes);
    EXPECT_EQ(read.pictures_decoded, 150);
    EXPECT_EQ(read.errors, 0);
}

TEST(LiveHubConcurrent, PublishersComeAndGoWhileViewersRead) {
    SystemClock clock;
    SystemRandom random;
    testing::RecordingAuthority authority;
    testing::MemoryBlobs blobs;
    testing::Threads threads(3);
    http::Router router;
    LiveHub hub({.rtmp_listen = "", .reconnect_grace = 20ms, .window = 100ms, .thumbnail_interval = 0ms},
                authority, blobs, threads.io(), clock, random);
    hub.add_routes(router);
    hub.start();
    std::vector<Publication> streams;
    for (const auto* key : {"a", "b"})
        streams.push_back(authority.allow(key));
    std::atomic<bool> done{false};
    std::atomic<int> answered{0};
    const auto view = [&](Publication stream) -> boost::asio::awaitable<void> {
        while (!done) {
            http::Request request;
            request.raw_query = "session=viewer";
            const auto path = "/live/" + stream.stream_id.to_string() + "/master.m3u8";
            auto match = router.find(http::Method::get, path);
            request.path_params = match.params;
            answered += (co_await match.route->handler(request)).status == 200 ? 1 : 0;
            co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
        }
    };
    std::vector<std::future<void>> viewers;
    for (std::size_t i = 0; i < 6; ++i)
        viewers.push_back(threads.start(view(streams[i % 2]), i % 3));
    for (int round = 0; round < 12; ++round) {
        const std::string key = round % 2 == 0 ? "a" : "b";
        Publisher first(threads, hub, key, static_cast<std::size_t>(round) % 3);
        first.publish(testing::usual());
        Publisher second(threads, hub, key, static_cast<std::size_t>(round + 1) % 3);
        second.publish(testing::usual());
        hub.status(streams[0].stream_id);
        hub.uncounted_players(streams[1].stream_id);
        if (round % 3 == 0)
            threads.run(hub.end(streams[static_cast<std::size_t>(round) % 2].stream_id, "done"), 2);
        if (round % 3 == 1) threads.run(hub.disconnect_publisher(streams[1].user_id, "rotated"), 1);
    }
    EXPECT_TRUE(eventually([&] { return answered > 0; }));
    done = true;
    hub.stop(1s);
    for (auto& viewer : viewers)
        testing::get(std::move(viewer));
}

}  // namespace
}  // namespace spaktok::media
