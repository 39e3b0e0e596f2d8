// Limits, deadlines, upgrades and the end of the server, over real sockets.
#include <thread>

#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "http/server.h"
#include "http/test_server.h"

namespace spaktok::http {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::Gate;
using testing::RawClient;
using testing::TestServer;

Response size_of_body(Request& request) {
    return Response::text(std::to_string(request.body.size()));
}

std::string post(std::string_view path, std::size_t length, std::string_view body,
                 std::string_view fields = "") {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(length) + "\r\n" +
           std::string(fields) + "\r\n" + std::string(body);
}

class ServerLimits : public ::testing::Test {
  protected:
    void start(ServerOptions options) {
        server.emplace(std::move(options));
        server->answer(Method::get, "/", size_of_body);
        server->answer(Method::post, "/small", size_of_body, {.body_bytes_max = 100});
        server->answer(Method::post, "/large", size_of_body, {.body_bytes_max = 1024 * 1024});
        server->start();
    }
    std::optional<TestServer> server;
};

TEST_F(ServerLimits, a_header_at_the_limit_passes_and_one_byte_more_is_431) {
    start({.header_bytes_max = 2048});
    const auto request = [](std::size_t bytes) {
        const std::string begin = "GET / HTTP/1.1\r\nHost: t\r\nX: ";
        return begin + std::string(bytes - begin.size() - 4, 'x') + "\r\n\r\n";
    };
    auto client = server->client();
    EXPECT_EQ(client.ask(request(2048)).status, 200u);
    const auto refused = client.ask(request(2049));
    EXPECT_EQ(refused.status, 431u);
    EXPECT_EQ(refused.header("Connection"), "close");
    EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
    EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerLimits, a_body_at_the_routes_limit_passes_and_one_byte_more_is_413) {
    start({});
    auto client = server->client();
    EXPECT_EQ(client.ask(post("/small", 100, std::string(100, 'x'))).body, "100");
    // A little too much is read and thrown away, and the connection goes on.
    EXPECT_EQ(client.ask(post("/small", 101, std::string(101, 'x'))).status, 413u);
    EXPECT_EQ(client.ask(post("/small", 3, "abc")).body, "3");
}

TEST_F(ServerLimits, a_body_far_beyond_the_limit_is_refused_before_it_is_read) {
    start({});
    auto client = server->client();
    const auto refused = client.ask(post("/large", 1024 * 1024 + 1, ""));
    EXPECT_EQ(refused.status, 413u);
    EXPECT_EQ(refused.header("Connection"), "close");
}

TEST_F(ServerLimits, the_answer_arrives_though_the_client_goes_on_sending) {
    start({});
    auto client = server->client();
    client.send(post("/large", 4 * 1024 * 1024, ""));
    const std::string piece(64 * 1024, 'x');
    for (int i = 0; i < 32; ++i)
        client.send(piece);
    EXPECT_EQ(client.receive().status, 413u);
}

TEST_F(ServerLimits, a_chunked_body_is_counted_as_it_comes) {
    start({});
    const std::string head = "POST /small HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string fifty = "32\r\n" + std::string(50, 'x') + "\r\n";
    auto client = server->client();
    EXPECT_EQ(client.ask(head + fifty + fifty + "0\r\n\r\n").body, "100");
    EXPECT_EQ(client.ask(head + fifty + fifty + "1\r\nx\r\n0\r\n\r\n").status, 413u);
    EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerLimits, who_waits_for_100_is_invited_only_where_the_body_is_wanted) {
    start({});
    auto client = server->client();
    client.send(post("/small", 5, "", "Expect: 100-continue\r\n"));
    EXPECT_EQ(client.receive().status, 100u);
    client.send("hello");
    EXPECT_EQ(client.receive().body, "5");
    // Who does not wait is not told.
    EXPECT_EQ(client.ask(post("/small", 5, "hello", "Expect: 100-continue\r\n")).status, 200u);
    client.send(post("/small", 101, "", "Expect: 100-continue\r\n"));
    EXPECT_EQ(client.receive().status, 413u);
    EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerLimits, junk_is_400_and_the_end) {
    start({});
    for (const auto& junk : {std::string("\x16\x03\x01\x02", 4), std::string("hello\r\n\r\n"),
                             std::string("GET / HTTP/3.0\r\n\r\n")}) {
        auto client = server->client();
        const auto status = client.ask(junk).status;
        EXPECT_TRUE(status == 400 || status == 505) << status;
        EXPECT_TRUE(client.is_closed_by_server());
    }
}

TEST_F(ServerLimits, a_connection_too_many_is_503) {
    start({.connections_max = 2});
    const auto refusals = [] {
        const std::string series = "\nspaktok_http_connections_refused_total ";
        const auto text = metrics::expose();
        return std::stod(text.substr(text.find(series) + series.size()));
    };
    const auto before = refusals();
    auto first = server->client();
    auto second = server->client();
    EXPECT_EQ(first.get("/").status, 200u);
    EXPECT_EQ(second.get("/").status, 200u);
    auto third = server->client();
    const auto refused = third.receive();
    EXPECT_EQ(refused.status, 503u);
    EXPECT_EQ(refused.header("Retry-After"), "5");
    EXPECT_EQ(refusals(), before + 1);
    EXPECT_TRUE(third.is_closed_by_server());
    // A place that becomes free is given away again.
    first.close();
    EXPECT_TRUE(eventually([&] {
        auto next = server->client();
        try {
            return next.get("/").status == 200;
        } catch (const std::runtime_error&) {
            return false;
        }
    }));
}

// ---- Deadlines

TEST_F(ServerLimits, a_header_that_does_not_end_is_408) {
    start({.header_timeout = 200ms});
    auto client = server->client();
    client.send("GET / HTTP/1.1\r\nHost:");
    EXPECT_EQ(client.receive().status, 408u);
    EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerLimits, a_header_that_drips_is_not_given_more_time) {
    start({.header_timeout = 300ms});
    auto client = server->client();
    client.send("GET / HTTP/1.1\r\nHost: t\r\n");
    // A line every 20 ms: at most 15 of them before the deadline, far from the limit of fields.
    while (!client.is_readable_within(20ms))
        client.send("A: b\r\n");
    EXPECT_EQ(client.receive().status, 408u);
}

TEST_F(ServerLimits, a_body_that_does_not_come_is_408) {
    start({.body_timeout = 200ms});
    auto client = server->client();
    client.send(post("/small", 10, "abc"));
    EXPECT_EQ(client.receive().status, 408u);
    EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerLimits, a_body_that_drips_is_given_only_the_time_that_its_bytes_earn) {
    start({.body_timeout = 300ms});
    auto client = server->client();
    client.send(post("/large", 1000, ""));
    int bytes = 0;
    while (!client.is_readable_within(20ms)) {
        client.send("x");
        ++bytes;
    }
    EXPECT_EQ(client.receive().status, 408u);
    EXPECT_LT(bytes, 50);
}

TEST_F(ServerLimits, who_says_nothing_is_let_go_without_a_word) {
    start({.header_timeout = 200ms, .idle_timeout = 200ms});
    auto silent = server->client();
    EXPECT_TRUE(silent.is_closed_by_server());
    auto client = server->client();
    EXPECT_EQ(client.get("/").status, 200u);
    EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerLimits, who_does_not_read_is_let_go) {
    server.emplace(ServerOptions{.write_timeout = 200ms});
    const auto bytes = std::make_shared<const std::string>(50'000'000, 'v');
    server->answer(Method::get, "/large",
                   [&](Request& request) { return Response::bytes(request, bytes, "video/mp4"); });
    server->start();
    auto client = server->client();
    client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return bytes.use_count() == 2; }));  // on its way
    EXPECT_TRUE(eventually([&] { return bytes.use_count() == 1; }));
}

TEST_F(ServerLimits, a_handlers_time_is_its_own) {
    server.emplace(ServerOptions{
        .header_timeout = 100ms, .body_timeout = 100ms, .idle_timeout = 100ms, .write_timeout = 100ms});
    server->router.add(Method::get, "/slow", {.operation_id = "slow"},
                       [](Request&) -> boost::asio::awaitable<Response> {
                           boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 500ms);
                           co_await timer.async_wait(boost::asio::use_awaitable);
                           co_return Response::text("done");
                       });
    server->start();
    EXPECT_EQ(server->client().get("/slow").body, "done");
}

// ---- Upgrades

constexpr const char* handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

class ServerUpgrade : public ::testing::Test {
  protected:
    ServerUpgrade() {
        server.upgrade("/ws", [this](Upgrade upgrade) {
            if (upgrade.request.raw_query == "refuse") throw Error(ErrorCode::conflict, "Not now.");
            const auto text =
                "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\nX-Unread: " + upgrade.unread +
                "\r\n\r\n";
            boost::asio::write(upgrade.socket, boost::asio::buffer(text));
            const std::lock_guard lock(mutex);
            sockets.push_back(std::move(upgrade.socket));
        });
        server.answer(Method::get, "/", size_of_body);
        server.start();
    }
    ~ServerUpgrade() override {
        server.server->stop(10s);
        server.threads.stop();
        sockets.clear();
    }
    TestServer server;
    std::mutex mutex;
    std::vector<boost::asio::ip::tcp::socket> sockets;
};

TEST_F(ServerUpgrade, the_handler_gets_the_socket_and_what_came_after_the_request) {
    auto client = server.client();
    EXPECT_EQ(client.get("/").status, 200u);
    client.send("GET /ws HTTP/1.1\r\nHost: test\r\n" + std::string(handshake) + "\r\nfirst frame");
    const auto answer = client.receive();
    EXPECT_EQ(answer.status, 101u);
    EXPECT_EQ(answer.header("X-Unread"), "first frame");
    ASSERT_TRUE(eventually([&] {
        const std::lock_guard lock(mutex);
        return sockets.size() == 1;
    }));
    boost::asio::write(sockets[0], boost::asio::buffer(std::string("HTTP/1.1 200 later\r\n\r\n")));
    EXPECT_EQ(client.receive().status, 200u);
}

TEST_F(ServerUpgrade, what_the_handler_throws_is_answered) {
    auto client = server.client();
    const auto refused = client.get("/ws?refuse", handshake);
    EXPECT_EQ(refused.status, 409u);
    EXPECT_EQ(refused.header("Connection"), "close");
    EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerUpgrade, anything_but_a_handshake_is_told_so) {
    auto client = server.client();
    const auto plain = client.get("/ws");
    EXPECT_EQ(plain.status, 426u);
    EXPECT_EQ(plain.header("Upgrade"), "websocket");
    EXPECT_EQ(client.get("/ws", "Connection: Upgrade\r\nUpgrade: h2c\r\n").status, 426u);
    EXPECT_EQ(client.ask(post("/ws", 0, "", handshake)).status, 405u);
    EXPECT_EQ(client.get("/", handshake).status, 200u);  // a route ignores the wish (RFC 9110, 7.8)
}

TEST_F(ServerUpgrade, a_cookie_from_another_sites_page_is_refused) {
    const auto token =
        testing::run(server.sessions.create(UserId::make(server.clock.now(), server.random), "")).token;
    const auto cookie = "Cookie: spaktok_session=" + token + "\r\n" + handshake;
    EXPECT_EQ(server.client().get("/ws", cookie + "Origin: http://evil.example\r\n").status, 403u);
    EXPECT_EQ(server.client().get("/ws", cookie).status, 403u);
    EXPECT_EQ(server.client().get("/ws", cookie + "Origin: http://test\r\n").status, 101u);
    EXPECT_EQ(server.client().get("/ws", std::string(handshake) + "Origin: http://evil.example\r\n").status,
              101u);
}

// ---- The end

TEST(ServerStop, idle_connections_close_and_running_requests_are_answered) {
    Gate gate;
    TestServer server;
    server.answer(Method::get, "/", size_of_body);
    server.answer_after(gate, "/slow");
    server.start();
    auto idle = server.client();
    EXPECT_EQ(idle.get("/").status, 200u);
    auto busy = server.client();
    busy.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
    std::thread stopper([&] { server.server->stop(10s); });
    EXPECT_TRUE(idle.is_closed_by_server());
    gate.open();
    const auto answer = busy.receive();
    EXPECT_EQ(answer.body, "done");
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_TRUE(busy.is_closed_by_server());
    stopper.join();
    EXPECT_THROW(server.client(), boost::system::system_error);
}

TEST(ServerStop, a_handler_that_takes_longer_than_the_grace_is_cancelled) {
    Gate gate;
    TestServer server;
    server.answer_after(gate, "/stuck");
    server.start();
    auto client = server.client();
    client.send("GET /stuck HTTP/1.1\r\nHost: t\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
    server.server->stop(50ms);
    EXPECT_TRUE(client.is_closed_by_server());
}

}  // namespace
}  // namespace spaktok::http
