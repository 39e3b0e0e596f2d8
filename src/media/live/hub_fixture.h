// The hub with viewers over its routes, for its tests.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "media/live/hub_testing.h"

namespace spaktok::media::testing {

using namespace std::chrono_literals;

inline int occurrences(const std::string& text, const std::string& what) {
    int count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

class HubFixture : public ::testing::Test {
  protected:
    static LiveOptions options() {
        return {.rtmp_listen = "",
                .reconnect_grace = 60s,
                .fragment_target = 300ms,
                .segment_target = 2s,
                .thumbnail_interval = 0ms};
    }
    LiveHub& start(LiveOptions options) {
        router_ = std::make_unique<http::Router>();
        hub_ =
            std::make_unique<LiveHub>(std::move(options), authority_, blobs_, threads_.io(), clock_, random_);
        hub_->add_routes(*router_);
        hub_->start();
        return *hub_;
    }
    void stop() {
        hub_->stop(1s);
        hub_.reset();
    }

    boost::asio::awaitable<http::Response> answer(http::Method method, std::string file, std::string query) {
        http::Request request;
        request.method = method;
        request.path = "/live/" + stream_.stream_id.to_string() + "/" + file;
        request.raw_query = std::move(query);
        auto match = router_->find(method, request.path);
        if (match.route == nullptr) throw Error(ErrorCode::not_found, "no route");
        request.path_params = match.params;
        co_return co_await match.route->handler(request);
    }
    http::Response get(std::string file, std::string query = "") {
        return threads_.run(answer(http::Method::get, std::move(file), std::move(query)), 1);
    }
    std::string text(const std::string& file, const std::string& query = "") {
        const auto response = get(file, query);
        std::string all = response.body;
        for (const auto& part : response.shared_body)
            all += part.text();
        return all;
    }
    std::string playlist() { return text("media.m3u8"); }
    int told(const std::string& what) { return authority_.count(what); }
    bool told_in_time(const std::string& what, int times = 1) {
        return eventually([&] { return told(what) >= times; });
    }

    SystemClock clock_;
    SystemRandom random_;
    RecordingAuthority authority_;
    MemoryBlobs blobs_;
    Threads threads_{2};
    Publication stream_ = authority_.allow("key");
    std::unique_ptr<http::Router> router_;
    std::unique_ptr<LiveHub> hub_;
};

}  // namespace spaktok::media::testing
