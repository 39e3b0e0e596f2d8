// A gateway on I/O threads of its own, with the embedded realtime engine (Redis where
// SPAKTOK_TEST_REALTIME=redis:
// ./test runs both), and clients on loopback sockets.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io_threads.h"
#include "base/random.h"
#include "engines/realtime/realtime.h"
#include "engines/realtime/redis/test_server.h"
#include "gateway/gateway.h"
#include "gateway/testing/gated_engine.h"
#include "gateway/testing/test_client.h"

namespace spaktok::gateway {

// Waits for a condition that another thread brings about.
inline bool eventually(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + TestClient::patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

// Both ends of a TCP connection on loopback.
inline std::pair<int, int> connected_sockets(int client_receive_buffer = 0) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    if (client_receive_buffer > 0) {
        ::setsockopt(client, SOL_SOCKET, SO_RCVBUF, &client_receive_buffer, sizeof client_receive_buffer);
    }
    EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), size), 0);
    const int server = ::accept(listener, nullptr, nullptr);
    EXPECT_GE(server, 0);
    ::close(listener);
    return {client, server};
}

struct TestGatewayOptions {
    GatewayOptions gateway{};
    std::size_t threads = 2;
};

class TestGateway {
  public:
    using Options = TestGatewayOptions;
    explicit TestGateway(Options options = {})
        : threads(options.threads),
          inner_(realtime::open(realtime_url(), {.node_id = "test", .clock = &clock, .random = &random})),
          engine(*inner_),
          gateway(options.gateway, engine, threads, clock) {
        threads.start();
    }
    ~TestGateway() {
        stop();
        run(inner_->stop());
        threads.stop();
    }
    TestGateway(const TestGateway&) = delete;
    TestGateway& operator=(const TestGateway&) = delete;

    void stop(std::chrono::milliseconds spread = {}) {
        if (!std::exchange(stopped_, true)) gateway.stop(spread);
    }

    // Topics "open:…", for everyone.
    void add_open_topic(std::function<void(std::string, std::int64_t)> on_count = {}) {
        gateway.add_topic({.prefix = "open",
                           .authorize = [](Caller, std::string rest) -> boost::asio::awaitable<json::Value> {
                               co_return json::Object{{"rest", rest}};
                           },
                           .on_count = std::move(on_count)});
    }

    struct ClientOptions {
        std::optional<UserId> user{};
        std::string session_id{};
        std::string remote_address = "127.0.0.1";
        int receive_buffer = 0;
        std::string unread{};  // arrives with the handshake
        std::string version = "13";
        std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
        std::optional<std::size_t> thread{};
    };
    // A connection for which the handshake was asked for, not yet read.
    TestClient handshake(ClientOptions options) {
        const auto [client, server] = connected_sockets(options.receive_buffer);
        http::Request request;
        request.headers.set("Connection", "Upgrade");
        request.headers.set("Upgrade", "websocket");
        request.headers.set("Sec-WebSocket-Version", options.version);
        request.headers.set("Sec-WebSocket-Key", options.key);
        request.remote_address = options.remote_address;
        if (options.user) {
            request.session = http::Session{.id = options.session_id, .user_id = *options.user};
        }
        auto& context = threads.context(options.thread ? *options.thread : threads.next());
        std::promise<void> accepted;
        boost::asio::post(context, [&] {
            try {
                gateway.accept({boost::asio::ip::tcp::socket(context, boost::asio::ip::tcp::v4(), server),
                                std::move(request), options.unread});
                accepted.set_value();
            } catch (...) {
                accepted.set_exception(std::current_exception());
            }
        });
        TestClient connected(client);
        accepted.get_future().get();  // throws what refused it
        return connected;
    }
    // A connection that was welcomed.
    TestClient connect(ClientOptions options) {
        TestClient client = handshake(std::move(options));
        EXPECT_TRUE(client.read_head().starts_with("HTTP/1.1 101 "));
        EXPECT_EQ(client.read_json().at("type"), "welcome");
        return client;
    }
    TestClient connect() { return connect(ClientOptions{}); }

    template <class T>
    T run(boost::asio::awaitable<T> work) {
        return boost::asio::co_spawn(threads.context(0), std::move(work), boost::asio::use_future).get();
    }
    static constexpr realtime::HistoryLimits kept{.messages_max = 1000, .age_max = std::chrono::minutes(10)};
    realtime::Position publish(std::string topic, json::Value data, realtime::HistoryLimits history = kept) {
        return run(gateway.publish(std::move(topic), "said", std::move(data), history));
    }

    engines::testing::LeadingClock clock{Timestamp{std::chrono::hours(24 * 365 * 50)}};
    SeededRandom random{1};
    IoThreads threads;

  private:
    std::string realtime_url() {
        if (redis_ == nullptr) return "local:";
        redis_->follow(clock);
        return redis_->url();
    }

    std::unique_ptr<realtime::redis::RedisPlace> redis_ = realtime::redis::RedisPlace::if_wanted();
    std::unique_ptr<realtime::Engine> inner_;

  public:
    GatedEngine engine;
    Gateway gateway;

  private:
    bool stopped_ = false;
};

}  // namespace spaktok::gateway
