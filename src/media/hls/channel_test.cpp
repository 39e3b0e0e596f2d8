#include "media/hls/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/hls/testing.h"
#include "media/live/testing.h"

namespace spaktok::media::hls {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string body(const http::Response& response) {
    std::string text = response.body;
    for (const auto& part : response.shared_body)
        text += part.text();
    return text;
}

struct Asked {
    std::string file;
    std::string query;
    std::vector<std::pair<std::string, std::string>> headers;
};

class ChannelTest : public ::testing::Test {
  protected:
    ChannelTest() { window_->begin_timeline(media::testing::timeline_start(), clock_.now()); }
    ~ChannelTest() override { window_->arrivals().advance(Arrivals::everything); }

    boost::asio::awaitable<http::Response> answer(Asked asked) {
        http::Request request;
        request.raw_query = asked.query;
        for (const auto& [name, value] : asked.headers)
            request.headers.set(name, value);
        co_return co_await Channel::answer(channel_, request, asked.file);
    }
    http::Response get(Asked asked) { return threads_.run(answer(std::move(asked))); }
    std::future<http::Response> start(Asked asked) { return threads_.start(answer(std::move(asked)), 1); }
    ErrorCode error(Asked asked) {
        try {
            get(std::move(asked));
        } catch (const Error& thrown) {
            return thrown.code();
        }
        return ErrorCode::internal;
    }
    bool is_waiting(std::size_t count = 1) {
        return media::testing::eventually([&] { return window_->arrivals().waiting() == count; });
    }

    media::testing::Threads threads_{2};
    ManualClock clock_{from_unix_milliseconds(1'769'846'400'000)};
    SeededRandom random_{1};
    std::shared_ptr<Window> window_ =
        std::make_shared<Window>(WindowOptions{.waiters_max = 1'000}, Window::First{100, 5}, threads_.io());
    std::shared_ptr<Channel> channel_ = std::make_shared<Channel>(window_, clock_, random_);
    media::testing::FragmentSource source_;
};

TEST_F(ChannelTest, TheMasterPlaylistNamesAMediaPlaylistForThisPlayer) {
    source_.add_segment(*window_);
    const auto first = get({"master.m3u8"});
    const auto second = get({"master.m3u8"});
    EXPECT_THAT(first.body, ::testing::ContainsRegex("\nmedia\\.m3u8\\?session=[A-Za-z0-9_-]+\n"));
    EXPECT_NE(first.body, second.body);
    EXPECT_EQ(first.headers.get("Cache-Control"), "no-cache");
    EXPECT_EQ(first.headers.get("Content-Type"), "application/vnd.apple.mpegurl");
    EXPECT_THAT(get({"master.m3u8", "counted=0"}).body, HasSubstr("\nmedia.m3u8?counted=0\n"));
}

TEST_F(ChannelTest, WhoeverAsksBeforeTheFirstSegmentWaitsForIt) {
    auto master = start({"master.m3u8"});
    auto media = start({"media.m3u8"});
    ASSERT_TRUE(is_waiting(2));
    window_->add(source_.next({.independent = true}));
    EXPECT_EQ(media::testing::get(std::move(master)).status, 200U);
    ASSERT_TRUE(is_waiting(1));
    window_->add(source_.next({.before_keyframe = true}));
    EXPECT_THAT(body(media::testing::get(std::move(media))), HasSubstr("100.m4s\n"));
}

TEST_F(ChannelTest, ABlockingReloadIsAnsweredWhenThePartIsThere) {
    source_.add_segment(*window_);
    EXPECT_THAT(body(get({"media.m3u8", "_HLS_msn=100"})), HasSubstr("100.m4s")) << "already there";
    auto part = start({"media.m3u8", "_HLS_msn=101&_HLS_part=0"});
    auto segment = start({"media.m3u8", "_HLS_msn=101"});
    auto beyond = start({"media.m3u8", "_HLS_msn=101&_HLS_part=9"});
    ASSERT_TRUE(is_waiting(3));
    window_->add(source_.next({.duration = 1s, .independent = true}));
    const auto answered = media::testing::get(std::move(part));
    EXPECT_THAT(body(answered), HasSubstr("101.0.m4s"));
    EXPECT_EQ(answered.headers.get("Cache-Control"), "public, max-age=1");
    ASSERT_TRUE(is_waiting(2));
    window_->add(source_.next({.duration = 1s, .before_keyframe = true}));
    EXPECT_THAT(body(media::testing::get(std::move(segment))), HasSubstr("\n101.m4s\n"));
    EXPECT_THAT(body(media::testing::get(std::move(beyond))), HasSubstr("\n101.m4s\n"))
        << "no such part will come";
}

TEST_F(ChannelTest, ReloadsThatCannotBeMeantAreRefused) {
    source_.add_segment(*window_);  // the next is 101
    for (const auto* query :
         {"_HLS_msn=104", "_HLS_msn=-1", "_HLS_msn=x", "_HLS_msn=", "_HLS_part=1", "_HLS_msn=101&_HLS_part=x",
          "_HLS_msn=101&_HLS_part=4096", "_HLS_msn=99999999999999999999"}) {
        EXPECT_EQ(error({"media.m3u8", query}), ErrorCode::invalid_argument) << query;
    }
    auto furthest = start({"media.m3u8", "_HLS_msn=103&_HLS_part=4095"});
    ASSERT_TRUE(is_waiting());
    window_->end();
    EXPECT_THAT(body(media::testing::get(std::move(furthest))), HasSubstr("#EXT-X-ENDLIST"));
}

TEST_F(ChannelTest, AReloadWithoutAnythingNewGetsWhatThereIs) {
    source_.add_segment(*window_, 2, {.duration = 500ms});
    ASSERT_EQ(window_->target_duration_seconds(), 2);
    const auto response = get({"media.m3u8", "_HLS_msn=101&_HLS_part=0"});
    EXPECT_EQ(response.status, 200U);
    EXPECT_THAT(body(response), HasSubstr("100.m4s"));
}

TEST_F(ChannelTest, ServesSegmentsAndPartsWithoutCopying) {
    source_.add_segment(*window_);
    const auto segment = get({"100.m4s"});
    ASSERT_EQ(segment.shared_body.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_EQ(segment.shared_body[i], window_->part(100, i));
    EXPECT_EQ(segment.headers.get("Content-Type"), "video/mp4");
    EXPECT_THAT(std::string(*segment.headers.get("Cache-Control")), HasSubstr("immutable"));
    EXPECT_EQ(get({"100.2.m4s"}).shared_body.at(0), window_->part(100, 2));
    EXPECT_EQ(body(get({"init-5.mp4"})), "init");
}

TEST_F(ChannelTest, ServesRangesAcrossParts) {
    source_.add_segment(*window_, 4, {.bytes = 100});
    const auto whole = body(get({"100.m4s"}));
    struct Row {
        const char* range;
        unsigned status;
        std::size_t begin;
        std::size_t end;
        const char* content_range;
    };
    const Row rows[] = {
        {"bytes=0-", 206, 0, 400, "bytes 0-399/400"},
        {"bytes=0-0", 206, 0, 1, "bytes 0-0/400"},
        {"bytes=99-100", 206, 99, 101, "bytes 99-100/400"},
        {"bytes=100-299", 206, 100, 300, "bytes 100-299/400"},
        {"bytes=-1", 206, 399, 400, "bytes 399-399/400"},
        {"bytes=399-9999", 206, 399, 400, "bytes 399-399/400"},
        {"bytes=5-2", 200, 0, 400, nullptr},
        {"lines=1-2", 200, 0, 400, nullptr},
    };
    for (const auto& row : rows) {
        const auto response = get({"100.m4s", "", {{"Range", row.range}}});
        EXPECT_EQ(response.status, row.status) << row.range;
        EXPECT_EQ(body(response), whole.substr(row.begin, row.end - row.begin)) << row.range;
        if (row.content_range != nullptr) EXPECT_EQ(response.headers.get("Content-Range"), row.content_range);
    }
    EXPECT_EQ(error({"100.m4s", "", {{"Range", "bytes=400-"}}}), ErrorCode::range_not_satisfiable);
    EXPECT_EQ(get({"100.m4s", "", {{"Range", "bytes=1-2"}, {"If-Range", "\"x\""}}}).status, 200U);
}

TEST_F(ChannelTest, TheHintedPartMayBeAskedForBeforeItIsThere) {
    source_.add_segment(*window_);
    auto hinted = start({"101.0.m4s"});
    ASSERT_TRUE(is_waiting());
    window_->add(source_.next({.independent = true}));
    EXPECT_EQ(media::testing::get(std::move(hinted)).shared_body.at(0), window_->part(101, 0));
}

TEST_F(ChannelTest, WhatIsNotHereIsNotFoundAtOnce) {
    source_.add_segment(*window_);
    for (const auto* file :
         {"", "x", "99.m4s", "101.m4s", "100.4.m4s", "102.0.m4s", "100.4096.m4s", "0100.m4s", "100.m4s.m4s",
          "100..m4s", ".m4s", "-1.m4s", "init-4.mp4", "init-.mp4", "init-6.mp4", "99999999999999999999.m4s",
          "media.m3u", "100.0.0.m4s"}) {
        EXPECT_EQ(error({file}), ErrorCode::not_found) << file;
    }
}

TEST_F(ChannelTest, AnEndedStreamWithoutASegmentIsNotFound) {
    window_->end();
    EXPECT_EQ(error({"media.m3u8"}), ErrorCode::not_found);
    EXPECT_EQ(error({"master.m3u8"}), ErrorCode::not_found);
}

TEST_F(ChannelTest, CompressesThePlaylistForThoseWhoTakeIt) {
    source_.add_segment(*window_);
    const auto zipped = get({"media.m3u8", "", {{"Accept-Encoding", "br, gzip"}}});
    EXPECT_EQ(zipped.headers.get("Content-Encoding"), "gzip");
    EXPECT_EQ(zipped.headers.get("Vary"), "Accept-Encoding");
    const auto plain = get({"media.m3u8", "", {{"Accept-Encoding", "gzip;q=0"}}});
    EXPECT_FALSE(plain.headers.get("Content-Encoding"));
    EXPECT_TRUE(body(plain).starts_with("#EXTM3U"));
}

TEST_F(ChannelTest, CountsPlayersByTheirSession) {
    source_.add_segment(*window_);
    const auto count = [&] { return channel_->players().count(clock_.steady_now()); };
    get({"media.m3u8", "session=one"});
    get({"media.m3u8", "session=one"});
    get({"media.m3u8", "session=two"});
    get({"media.m3u8", "session=three&counted=0"});
    get({"media.m3u8"});
    get({"100.m4s", "session=four"});
    EXPECT_EQ(count(), 2);
    clock_.advance(10s);
    get({"media.m3u8", "session=two"});
    clock_.advance(5s);
    EXPECT_EQ(count(), 2) << "at fifteen seconds";
    clock_.advance(1ms);
    EXPECT_EQ(count(), 1);
    clock_.advance(15s);
    EXPECT_EQ(count(), 0);
}

TEST(PlayerCount, RemembersNoMoreThanItMay) {
    PlayerCount players(3);
    const std::chrono::steady_clock::time_point start{};
    for (const auto* session : {"a", "b", "c", "d"})
        players.seen(session, start + 1s);
    EXPECT_EQ(players.count(start + 1s), 3);
    players.seen("e", start + 20s);
    EXPECT_EQ(players.count(start + 20s), 1) << "the old ones made room";
}

TEST(PlayerCount, IgnoresWhatIsNoWord) {
    PlayerCount players;
    const std::chrono::steady_clock::time_point now{};
    players.seen("", now);
    players.seen(std::string(33, 'a'), now);
    players.seen("a b", now);
    EXPECT_EQ(players.count(now), 0);
    players.seen(std::string(32, 'a'), now);
    EXPECT_EQ(players.count(now), 1);
}

TEST(ChannelConcurrent, FiveHundredPlayersFollowAStream) {
    media::testing::Threads threads(2);
    SystemClock clock;
    SeededRandom random(1);
    const auto window = std::make_shared<Window>(WindowOptions{}, Window::First{}, threads.io());
    const auto channel = std::make_shared<Channel>(window, clock, random);
    window->begin_timeline(media::testing::timeline_start(), clock.now());
    media::testing::FragmentSource source;
    source.add_segment(*window);
    constexpr int segments = 5;
    const auto play = [](std::shared_ptr<Channel> from, int player) -> boost::asio::awaitable<int> {
        int parts = 0;
        for (int sequence = 1; sequence <= segments; ++sequence) {
            for (int part = 0; part < 4; ++part) {
                http::Request request;
                request.raw_query = "session=" + std::to_string(player) +
                                    "&_HLS_msn=" + std::to_string(sequence) +
                                    "&_HLS_part=" + std::to_string(part);
                const auto playlist = co_await Channel::answer(from, request, "media.m3u8");
                const auto file = std::to_string(sequence) + "." + std::to_string(part) + ".m4s";
                parts += (co_await Channel::answer(from, http::Request{}, file)).status == 200 ? 1 : 0;
            }
        }
        co_return parts;
    };
    std::vector<std::future<int>> players;
    for (int i = 0; i < 500; ++i)
        players.push_back(threads.start(play(channel, i), static_cast<std::size_t>(i) % 2));
    for (int i = 0; i < segments; ++i) {
        for (int part = 0; part < 4; ++part) {
            ASSERT_TRUE(media::testing::eventually([&] { return window->arrivals().waiting() == 500; }));
            window->add(source.next({.independent = part == 0, .before_keyframe = part == 3}));
        }
    }
    for (auto& player : players)
        EXPECT_EQ(media::testing::get(std::move(player)), segments * 4);
    EXPECT_EQ(channel->players().count(clock.steady_now()), 500);
}

}  // namespace
}  // namespace spaktok::media::hls
