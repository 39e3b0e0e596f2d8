// The HTTP/1.1 server: accepts, parses, limits, authenticates, routes, answers. One listener, connections
// spread over the I/O threads; each stays on its thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include <boost/asio/ip/tcp.hpp>

#include "base/io_threads.h"
#include "http/rate_limiter.h"
#include "http/router.h"
#include "http/sessions.h"

namespace spaktok::http {

struct ServerOptions {
    std::string listen = "127.0.0.1:8080";  // host:port; port 0 takes a free one
    std::string public_url;  // origin that browsers use ("https://live.example.org"); decides the cookie
    std::vector<std::string> trusted_proxies;  // addresses whose X-Forwarded-For is believed
    std::size_t connections_max = 10'000;
    std::size_t header_bytes_max = 16 * 1024;
    std::chrono::milliseconds header_timeout{10'000};  // from the first byte of a request to its last header
    std::chrono::milliseconds body_timeout{60'000};
    std::chrono::milliseconds idle_timeout{75'000};
    std::chrono::milliseconds write_timeout{30'000};  // without progress
};

// A connection that asked to become something else (WebSocket). The handler owns the socket from then on, on
// its thread.
struct Upgrade {
    boost::asio::ip::tcp::socket socket;
    Request request;
    std::string unread;  // bytes that came after the request
};
// Must not block; runs on the connection's I/O thread, after Origin check, authentication and rate limit.
// What it throws is answered as a problem.
using UpgradeHandler = std::function<void(Upgrade)>;

class Server {
  public:
    // `router`, `sessions`, `limiter` and `threads` outlive the server. Sessions and limiter may be null (the
    // metrics listener).
    Server(ServerOptions options, const Router& router, Sessions* sessions, RateLimiter* limiter,
           IoThreads& threads);
    ~Server();

    void add_upgrade(std::string path, RateLimit rate, UpgradeHandler handler);
    std::vector<std::string> upgrade_paths() const;
    // Binds, so that port() is known before the routes are made. Throws Error{unavailable} where the address
    // is taken.
    void listen();
    // Accepts; listens first where that was not done.
    void start();
    std::uint16_t port() const;
    // Stops accepting, answers requests under way (Connection: close), closes idle connections; returns when
    // all are closed or `grace` has passed. Call from a thread that is no I/O thread.
    void stop(std::chrono::milliseconds grace);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::http
