// Two nodes: one has the broadcast, the other's viewers see it.
#include "media/live/edge.h"

#include <atomic>
#include <vector>

#include <gmock/gmock.h>

#include "http/server.h"
#include "http/test_server.h"
#include "media/live/hub_fixture.h"

namespace spaktok::media {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::Publisher;

std::string text_of(const http::Response& response) {
    std::string all = response.body;
    for (const auto& part : response.shared_body)
        all += part.text();
    return all;
}

http::Request request_for(std::string query, std::string range = "") {
    http::Request request;
    request.raw_query = std::move(query);
    if (!range.empty()) request.headers.set("Range", range);
    return request;
}

boost::asio::awaitable<http::Response> ask(Edge& edge, StreamId stream, std::string origin,
                                           http::Request request, std::string file) {
    co_return co_await edge.answer(stream, std::move(origin), request, std::move(file));
}

// `hub_` is the node with the broadcast, `edge_` is the other's.
class EdgeTest : public testing::HubFixture {
  protected:
    void SetUp() override {
        start(options());
        server_ = std::make_unique<http::Server>(http::ServerOptions{.listen = "127.0.0.1:0"}, *router_,
                                                 nullptr, nullptr, threads_.io());
        server_->listen();
        server_->start();
        origin_ = "http://127.0.0.1:" + std::to_string(server_->port());
    }
    void TearDown() override {
        edge_.stop();
        server_->stop(1s);
    }
    http::Response elsewhere(std::string file, std::string query = "", std::string range = "") {
        return threads_.run(ask(edge_, stream_.stream_id, origin_,
                                request_for(std::move(query), std::move(range)), std::move(file)),
                            1);
    }

    std::unique_ptr<http::Server> server_;
    std::string origin_;
    Edge edge_{threads_.io(), clock_, random_};
};

TEST_F(EdgeTest, ShowsWhatTheOtherNodeHas) {
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    publisher.leave();
    EXPECT_EQ(text_of(elsewhere("media.m3u8")), playlist());
    EXPECT_EQ(*elsewhere("media.m3u8").headers.get("Content-Type"), "application/vnd.apple.mpegurl");
    for (const auto* file : {"init-0.mp4", "0.m4s", "1.m4s"}) {
        const auto response = elsewhere(file);
        EXPECT_EQ(response.status, 200U) << file;
        EXPECT_EQ(text_of(response), text(file)) << file;
    }
    const auto some = elsewhere("0.m4s", "", "bytes=100-199");
    EXPECT_EQ(some.status, 206U);
    EXPECT_EQ(text_of(some), text("0.m4s").substr(100, 100));
    EXPECT_EQ(elsewhere("99.m4s").status, 404U);
    for (const auto* name : {"passwd", "../0.m4s", "0.M4S", "0.m4s?x=1", ".m4s.txt"})
        EXPECT_THROW(elsewhere(name), Error) << name;
    EXPECT_THROW(elsewhere("media.m3u8", "_HLS_msn=1%20HTTP"), Error);
}

TEST_F(EdgeTest, CountsItsOwnPlayers) {
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    const auto master = text_of(elsewhere("master.m3u8"));
    EXPECT_THAT(master, HasSubstr("\nmedia.m3u8?session="));
    EXPECT_NE(master, text_of(elsewhere("master.m3u8")));  // each player has its own
    EXPECT_THAT(text_of(elsewhere("master.m3u8", "counted=0")), HasSubstr("\nmedia.m3u8?counted=0"));
    elsewhere("media.m3u8", "session=one");
    elsewhere("media.m3u8", "session=two");
    elsewhere("media.m3u8", "session=two");
    elsewhere("media.m3u8", "session=three&counted=0");
    EXPECT_EQ(edge_.uncounted_players(stream_.stream_id), 2);
    EXPECT_EQ(hub_->uncounted_players(stream_.stream_id), 0);
}

TEST_F(EdgeTest, WaitsForWhatIsAboutToCome) {
    Publisher publisher(threads_, *hub_, "key");
    const auto& recording = testing::usual();
    publisher.configure(recording);
    const auto first = recording.units.front().dts_ms;
    publisher.push(recording, 0, first + 2'400);
    auto part = threads_.start(ask(edge_, stream_.stream_id, origin_, request_for(""), "1.3.m4s"), 1);
    auto reload = threads_.start(
        ask(edge_, stream_.stream_id, origin_, request_for("_HLS_msn=1&_HLS_part=3"), "media.m3u8"), 1);
    EXPECT_EQ(part.wait_for(20ms), std::future_status::timeout);
    publisher.push(recording, first + 2'400, first + 4'000);
    EXPECT_EQ(text_of(testing::get(std::move(part))), text("1.3.m4s"));
    EXPECT_THAT(text_of(testing::get(std::move(reload))), HasSubstr("1.3.m4s"));
}

TEST_F(EdgeTest, SaysThatANodeIsGoneAndFindsItAgain) {
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    EXPECT_EQ(elsewhere("0.m4s").status, 200U);
    const std::string there = std::exchange(origin_, "http://127.0.0.1:1");
    try {
        elsewhere("0.m4s");
        FAIL() << "did not throw";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
        EXPECT_EQ(error.reason(), "node_unreachable");
    }
    origin_ = there;
    EXPECT_EQ(elsewhere("1.m4s").status, 200U);
}

TEST_F(EdgeTest, FetchesAFileOnceHoweverManyAsk) {
    http::testing::Gate gate;
    std::atomic<int> fetches = 0;
    http::testing::TestServer node({}, 1);
    node.router.add(http::Method::get, "/live/{stream_id}/{file}", {.operation_id = "file"},
                    [&](http::Request&) -> boost::asio::awaitable<http::Response> {
                        ++fetches;
                        co_await gate.pass();
                        co_return http::Response::text("bytes");
                    });
    node.start();
    const std::string origin = "http://127.0.0.1:" + std::to_string(node.port());
    std::vector<std::future<http::Response>> viewers;
    for (std::size_t i = 0; i < 40; ++i)
        viewers.push_back(
            threads_.start(ask(edge_, stream_.stream_id, origin, request_for(""), "7.m4s"), i % 2));
    ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
    gate.open();
    for (auto& viewer : viewers)
        EXPECT_EQ(text_of(testing::get(std::move(viewer))), "bytes");
    EXPECT_EQ(text_of(threads_.run(ask(edge_, stream_.stream_id, origin, request_for(""), "7.m4s"))),
              "bytes");
    EXPECT_EQ(fetches, 1);
}

// The publisher goes to another node: there it goes on, here nobody is told that it has ended.
TEST_F(EdgeTest, ABroadcastThatIsHandedOverIsShownFromTheOtherNode) {
    Publisher publisher(threads_, *hub_, "key");
    publisher.publish(testing::usual());
    ASSERT_TRUE(told_in_time("on_air"));
    http::testing::TestServer node({}, 1);
    node.answer(http::Method::get, "/live/{stream_id}/{file}",
                [](http::Request&) { return http::Response::text("from there"); });
    node.start();
    EXPECT_EQ(get("0.m4s").status, 200U);
    auto waiting = threads_.start(answer(http::Method::get, "media.m3u8", "_HLS_msn=4"), 1);
    authority_.place_elsewhere(stream_.stream_id, "http://127.0.0.1:" + std::to_string(node.port()));
    hub_->hand_over(stream_.stream_id);
    EXPECT_TRUE(eventually([&] { return !publisher.told().empty(); }));
    EXPECT_EQ(testing::get(std::move(waiting)).status, 200U);  // who waited is not left waiting
    EXPECT_EQ(text("0.m4s"), "from there");
    EXPECT_FALSE(hub_->status(stream_.stream_id));
    hub_->stop(1s);
    EXPECT_EQ(told("off_air"), 0);
}

}  // namespace
}  // namespace spaktok::media
