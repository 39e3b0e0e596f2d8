// What viewers of one stream ask for over HTTP: /live/{stream_id}/{file}.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "http/request.h"
#include "media/hls/player_count.h"
#include "media/hls/window.h"

namespace spaktok::media::hls {

// Thread-safe. Kept alive by the requests that wait in it.
class Channel {
  public:
    Channel(std::shared_ptr<Window> window, const Clock& clock, Random& random)
        : window_(std::move(window)), clock_(clock), random_(random) {}

    Window& window() { return *window_; }
    PlayerCount& players() { return players_; }

    // Answers master.m3u8, media.m3u8, init-N.mp4, N.m4s and N.P.m4s. A playlist or part that is about to
    // come is waited for (at most a few seconds). Throws Error{not_found} for what is not here (any more),
    // Error{invalid_argument} for a reload request that cannot be meant, Error{unavailable} where nothing
    // came in time.
    static boost::asio::awaitable<http::Response> answer(std::shared_ptr<Channel> channel,
                                                         const http::Request& request, std::string file);

  private:
    boost::asio::awaitable<http::Response> master(const http::Request& request);
    boost::asio::awaitable<http::Response> media(const http::Request& request);
    boost::asio::awaitable<http::Response> part(const http::Request& request, std::int64_t sequence,
                                                std::int64_t part);
    std::chrono::milliseconds patience() const;

    const std::shared_ptr<Window> window_;
    const Clock& clock_;
    Random& random_;
    PlayerCount players_;
};

}  // namespace spaktok::media::hls
