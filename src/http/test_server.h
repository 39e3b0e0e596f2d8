// For tests: a server on a free port of the loopback, with sessions in memory.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/io_threads.h"
#include "http/memory_key_values.h"
#include "http/rate_limiter.h"
#include "http/router.h"
#include "http/server.h"
#include "http/sessions.h"
#include "http/test_client.h"

namespace spaktok::http::testing {

// What a handler waits for until the test opens it.
class Gate {
  public:
    boost::asio::awaitable<void> pass() {
        ++waiting_;
        boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
        while (!open_) {
            timer.expires_after(std::chrono::milliseconds(1));
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        --waiting_;
    }
    void open() { open_ = true; }
    int waiting() const { return waiting_; }

  private:
    std::atomic<bool> open_{false};
    std::atomic<int> waiting_{0};
};

// Waits for a condition; false when the deadline passed.
template <class Condition>
bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + RawClient::deadline;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

class TestServer {
  public:
    explicit TestServer(ServerOptions options = {}, std::size_t io_threads = 1)
        : threads(io_threads), options_(std::move(options)) {
        options_.listen = "127.0.0.1:0";
    }
    ~TestServer() {
        if (server) server->stop(std::chrono::seconds(10));
        threads.stop();
    }

    // Registers a handler that answers at once.
    void answer(Method method, std::string pattern, std::function<Response(Request&)> make,
                RouteOptions options = {}) {
        if (options.operation_id.empty()) options.operation_id = "test";
        router.add(method, std::move(pattern), options,
                   [make](Request& request) { return run_now(make, request); });
    }
    // Registers a handler that answers "done" once the gate, which outlives the server, is open.
    void answer_after(Gate& gate, std::string pattern) {
        router.add(Method::get, std::move(pattern), {.operation_id = "gated"},
                   [&gate](Request&) { return run_after(gate); });
    }
    void upgrade(std::string path, UpgradeHandler handler) {
        prepare();
        server->add_upgrade(std::move(path), read_limit, std::move(handler));
    }
    void start() {
        prepare();
        threads.start();
        server->start();
    }
    std::uint16_t port() const { return server->port(); }
    RawClient client() const { return RawClient(port()); }

    SystemClock clock;
    SystemRandom random;
    MemoryKeyValues store{clock};
    Sessions sessions{store, clock, random, {.public_url = "http://test"}};
    RateLimiter limiter{clock, {}};
    Router router;
    IoThreads threads;
    std::unique_ptr<Server> server;

  private:
    void prepare() {
        if (!server) server = std::make_unique<Server>(options_, router, &sessions, &limiter, threads);
    }
    static boost::asio::awaitable<Response> run_now(std::function<Response(Request&)> make,
                                                    Request& request) {
        co_return make(request);
    }
    static boost::asio::awaitable<Response> run_after(Gate& gate) {
        co_await gate.pass();
        co_return Response::text("done");
    }
    ServerOptions options_;
};

}  // namespace spaktok::http::testing
