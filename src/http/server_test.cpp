#include "http/server.h"

#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/metrics.h"
#include "http/test_server.h"

namespace spaktok::http {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::Gate;
using testing::RawClient;
using testing::TestServer;

Response echo(Request& request) {
    json::Object object;
    object["path"] = request.path;
    object["query"] = request.raw_query;
    object["body"] = request.body;
    object["address"] = request.remote_address;
    return Response::of(object);
}

std::string field(const testing::Answer& answer, std::string_view name) {
    const auto value = json::parse(answer.body);
    const auto& member = value.as_object().at(name);
    return member.is_string() ? std::string(member.as_string()) : boost::json::serialize(member);
}

std::string post(std::string_view path, std::string_view body, std::string_view fields = "") {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string(fields) + "\r\n" + std::string(body);
}

TEST(Server, answers_with_what_every_answer_has) {
    TestServer server;
    server.answer(Method::get, "/echo", echo);
    server.start();
    auto client = server.client();
    const auto answer = client.get("/echo?a=b");
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(field(answer, "query"), "a=b");
    EXPECT_EQ(field(answer, "address"), "127.0.0.1");
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.header("Referrer-Policy"), "strict-origin-when-cross-origin");
    EXPECT_TRUE(answer.header("Date").ends_with(" GMT")) << answer.head;
    EXPECT_EQ(answer.header("X-Request-Id").size(), 13u);
    EXPECT_FALSE(answer.headers.has("Server"));
    EXPECT_FALSE(answer.headers.has("Connection"));
    EXPECT_NE(client.get("/echo").header("X-Request-Id"), answer.header("X-Request-Id"));
}

TEST(Server, a_connection_stays_open_as_its_version_has_it) {
    TestServer server;
    server.answer(Method::get, "/echo", echo);
    server.start();
    auto old = server.client();
    EXPECT_EQ(old.ask("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").header("Connection"),
              "keep-alive");
    EXPECT_EQ(old.ask("GET /echo HTTP/1.0\r\n\r\n").header("Connection"), "close");
    EXPECT_TRUE(old.is_closed_by_server());
    auto client = server.client();
    EXPECT_FALSE(client.get("/echo").headers.has("Connection"));
    EXPECT_EQ(client.get("/echo", "Connection: close\r\n").header("Connection"), "close");
    EXPECT_TRUE(client.is_closed_by_server());
}

TEST(Server, pipelined_requests_are_answered_in_order) {
    TestServer server;
    server.answer(Method::get, "/echo", echo);
    server.answer(Method::post, "/echo", echo, {.rate = {"all", 1'000'000, 1'000'000}});
    server.start();
    auto client = server.client();
    constexpr int count = 3000;
    std::thread sender([&] {
        std::string batch;
        for (int i = 0; i < count; ++i)
            batch += post("/echo?" + std::to_string(i), std::string(static_cast<std::size_t>(i % 100), 'x'));
        client.send(batch);
    });
    for (int i = 0; i < count; ++i) {
        const auto answer = client.receive();
        ASSERT_EQ(answer.status, 200u) << answer.body;
        ASSERT_EQ(field(answer, "query"), std::to_string(i));
        ASSERT_EQ(field(answer, "body").size(), static_cast<std::size_t>(i % 100));
    }
    sender.join();
}

TEST(Server, an_answer_does_not_wait_for_the_slow_request_behind_it) {
    Gate gate;
    TestServer server;
    server.answer(Method::get, "/fast", echo);
    server.answer_after(gate, "/slow");
    server.start();
    auto client = server.client();
    client.send("GET /fast HTTP/1.1\r\nHost: t\r\n\r\nGET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_EQ(client.receive().status, 200u);
    EXPECT_EQ(gate.waiting(), 1);
    gate.open();
    EXPECT_EQ(client.receive().body, "done");
}

TEST(Server, a_request_may_come_byte_by_byte) {
    TestServer server;
    server.answer(Method::post, "/echo", echo);
    server.start();
    auto client = server.client();
    for (const char byte : post("/echo", "hello"))
        client.send(std::string_view(&byte, 1));
    EXPECT_EQ(field(client.receive(), "body"), "hello");
    const std::string chunked =
        "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    for (const char byte : chunked)
        client.send(std::string_view(&byte, 1));
    EXPECT_EQ(field(client.receive(), "body"), "abcde");
}

TEST(Server, head_has_the_head_of_get_and_no_body) {
    TestServer server;
    server.answer(Method::get, "/echo", echo);
    server.start();
    auto client = server.client();
    const auto got = client.get("/echo");
    const auto head = client.ask("HEAD /echo HTTP/1.1\r\nHost: test\r\n\r\n");
    EXPECT_EQ(head.status, 200u);
    EXPECT_EQ(head.header("Content-Length"), got.header("Content-Length"));
    EXPECT_EQ(head.header("Content-Type"), got.header("Content-Type"));
    EXPECT_EQ(client.get("/echo").body, got.body);
}

TEST(Server, a_path_or_a_method_without_a_route_is_a_problem) {
    TestServer server;
    server.answer(Method::get, "/things/{id}", echo);
    server.answer(Method::put, "/things/{id}", echo);
    server.start();
    auto client = server.client();
    const auto missing = client.get("/nothing");
    EXPECT_EQ(missing.status, 404u);
    EXPECT_EQ(missing.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(field(missing, "type"), "/problems/not_found");
    EXPECT_EQ(field(missing, "request_id"), missing.header("X-Request-Id"));
    const auto wrong = client.ask(post("/things/1", "x"));
    EXPECT_EQ(wrong.status, 405u);
    EXPECT_EQ(wrong.header("Allow"), "GET, HEAD, PUT, OPTIONS");
    const auto options = client.ask("OPTIONS /things/1 HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_EQ(options.status, 204u);
    EXPECT_EQ(options.header("Allow"), "GET, HEAD, PUT, OPTIONS");
}

TEST(Server, the_fallback_answers_get_and_head_only) {
    TestServer server;
    server.router.set_fallback([](Request& request) -> boost::asio::awaitable<Response> {
        co_return Response::text("page for " + request.path);
    });
    server.start();
    auto client = server.client();
    EXPECT_EQ(client.get("/a%20b").body, "page for /a b");
    EXPECT_EQ(client.ask("HEAD /x HTTP/1.1\r\nHost: t\r\n\r\n").status, 200u);
    EXPECT_EQ(client.ask(post("/x", "")).status, 404u);
}

TEST(Server, an_error_becomes_a_problem_and_anything_else_says_nothing) {
    TestServer server;
    server.answer(Method::get, "/conflict", [](Request&) -> Response {
        throw Error(ErrorCode::conflict, "That name is taken.",
                    {.field = "username", .reason = "username_taken", .detail = "users_username_key"});
    });
    server.answer(Method::get, "/busy", [](Request&) -> Response {
        throw Error(ErrorCode::unavailable, "Try again.", {.retry_after = 1500ms});
    });
    server.answer(Method::get, "/internal", [](Request&) -> Response {
        throw Error(ErrorCode::internal, "secret", {.detail = "secret"});
    });
    server.answer(Method::get, "/bug", [](Request&) -> Response { throw std::runtime_error("secret"); });
    server.answer(Method::get, "/odd", [](Request&) -> Response { throw 42; });
    server.start();
    auto client = server.client();
    const auto conflict = client.get("/conflict");
    EXPECT_EQ(conflict.status, 409u);
    EXPECT_EQ(field(conflict, "type"), "/problems/username_taken");
    EXPECT_EQ(field(conflict, "field"), "username");
    EXPECT_EQ(field(conflict, "detail"), "That name is taken.");
    EXPECT_EQ(conflict.body.find("users_username_key"), std::string::npos);
    const auto busy = client.get("/busy");
    EXPECT_EQ(busy.status, 503u);
    EXPECT_EQ(busy.header("Retry-After"), "2");
    for (const auto* path : {"/internal", "/bug", "/odd"}) {
        const auto answer = client.get(path);
        EXPECT_EQ(answer.status, 500u) << path;
        EXPECT_EQ(answer.body.find("secret"), std::string::npos) << path;
        EXPECT_EQ(field(answer, "request_id"), answer.header("X-Request-Id")) << path;
    }
}

TEST(Server, a_route_is_limited_by_its_rate) {
    TestServer server;
    server.answer(Method::get, "/limited", echo, {.rate = {"limited", 1, 2}});
    server.start();
    auto client = server.client();
    EXPECT_EQ(client.get("/limited").status, 200u);
    EXPECT_EQ(client.get("/limited").status, 200u);
    const auto refused = client.get("/limited");
    EXPECT_EQ(refused.status, 429u);
    EXPECT_EQ(refused.header("Retry-After"), "60");
    EXPECT_EQ(field(refused, "type"), "/problems/rate_limited");
}

class SignedIn : public ::testing::Test {
  protected:
    SignedIn() {
        const auto who = [](Request& request) {
            return Response::text(request.session ? request.session->user_id.to_string() : "nobody");
        };
        server.answer(Method::get, "/anyone", who);
        server.answer(Method::get, "/signed_in", who, {.access = Access::signed_in});
        server.answer(Method::post, "/signed_in", who,
                      {.access = Access::signed_in, .rate = {"write_few", 60, 4}});
        server.start();
    }
    TestServer server;
    UserId ada = UserId::make(server.clock.now(), server.random);
    std::string token = testing::run(server.sessions.create(ada, "test")).token;
    std::string bearer = "Authorization: Bearer " + token + "\r\n";
    std::string cookie = "Cookie: spaktok_session=" + token + "\r\n";
};

TEST_F(SignedIn, credentials_are_recognised_where_they_are_good) {
    auto client = server.client();
    EXPECT_EQ(client.get("/anyone").body, "nobody");
    EXPECT_EQ(client.get("/anyone", bearer).body, ada.to_string());
    EXPECT_EQ(client.get("/anyone", cookie).body, ada.to_string());
    EXPECT_EQ(client.get("/anyone", "Authorization: Bearer wrong\r\n").body, "nobody");
    EXPECT_EQ(client.get("/signed_in", cookie).status, 200u);
    const auto refused = client.get("/signed_in");
    EXPECT_EQ(refused.status, 401u);
    EXPECT_EQ(refused.header("WWW-Authenticate"), "Bearer");
}

TEST_F(SignedIn, an_unsafe_request_with_a_cookie_must_come_from_our_own_page) {
    auto client = server.client();
    EXPECT_EQ(client.ask(post("/signed_in", "", cookie)).status, 403u);
    const auto refused = client.ask(post("/signed_in", "", cookie + "Origin: http://evil.example\r\n"));
    EXPECT_EQ(refused.status, 403u);
    EXPECT_EQ(field(refused, "type"), "/problems/cross_origin");
    EXPECT_EQ(client.ask(post("/signed_in", "", cookie + "Origin: http://test\r\n")).status, 200u);
    EXPECT_EQ(client.ask(post("/signed_in", "", bearer + "Origin: http://evil.example\r\n")).status, 200u);
}

TEST_F(SignedIn, the_rate_counts_by_user_and_not_by_address) {
    auto client = server.client();
    const auto other =
        testing::run(server.sessions.create(UserId::make(server.clock.now(), server.random), "test")).token;
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(client.ask(post("/signed_in", "", bearer)).status, 200u);
    EXPECT_EQ(client.ask(post("/signed_in", "", bearer)).status, 429u);
    EXPECT_EQ(client.ask(post("/signed_in", "", "Authorization: Bearer " + other + "\r\n")).status, 200u);
}

TEST(Server, an_unchanged_thing_is_answered_304) {
    TestServer server;
    server.answer(Method::get, "/thing", [](Request&) {
        auto response = Response::text("thing");
        response.headers.add("ETag", "\"v1\"");
        response.headers.add("Cache-Control", "no-cache");
        return response;
    });
    server.start();
    auto client = server.client();
    EXPECT_EQ(client.get("/thing").status, 200u);
    const auto same = client.get("/thing", "If-None-Match: \"v0\", W/\"v1\"\r\n");
    EXPECT_EQ(same.status, 304u);
    EXPECT_EQ(same.body, "");
    EXPECT_FALSE(same.headers.has("Content-Length"));
    EXPECT_EQ(same.header("ETag"), "\"v1\"");
    EXPECT_EQ(same.header("Cache-Control"), "no-cache");
    EXPECT_EQ(client.get("/thing", "If-None-Match: \"v2\"\r\n").status, 200u);
}

TEST(Server, shared_bytes_are_sent_whole_or_in_part) {
    TestServer server;
    const auto bytes = std::make_shared<const std::string>("0123456789");
    server.answer(Method::get, "/bytes", [&](Request& request) {
        auto response = Response::bytes(request, bytes, "video/mp4");
        response.headers.add("ETag", "\"v1\"");
        return response;
    });
    server.start();
    auto client = server.client();
    const auto whole = client.get("/bytes");
    EXPECT_EQ(whole.body, "0123456789");
    EXPECT_EQ(whole.header("Accept-Ranges"), "bytes");
    const auto part = client.get("/bytes", "Range: bytes=2-4\r\n");
    EXPECT_EQ(part.status, 206u);
    EXPECT_EQ(part.body, "234");
    EXPECT_EQ(part.header("Content-Range"), "bytes 2-4/10");
    EXPECT_EQ(client.get("/bytes", "Range: bytes=-3\r\nIf-Range: \"v1\"\r\n").body, "789");
    const auto changed = client.get("/bytes", "Range: bytes=-3\r\nIf-Range: \"v0\"\r\n");
    EXPECT_EQ(changed.status, 200u);
    EXPECT_EQ(changed.body, "0123456789");
    EXPECT_FALSE(changed.headers.has("Content-Range"));
    const auto beyond = client.get("/bytes", "Range: bytes=10-\r\n");
    EXPECT_EQ(beyond.status, 416u);
    EXPECT_EQ(beyond.header("Content-Range"), "bytes */10");
}

TEST(Server, a_large_answer_of_many_shared_parts_arrives_whole) {
    TestServer server;
    const auto bytes = std::make_shared<const std::string>(200'000, 'v');
    server.answer(Method::get, "/large", [&](Request&) {
        auto response = Response::text("", "video/mp4");
        for (std::size_t i = 0; i < 150; ++i)
            response.shared_body.push_back({bytes, i, 100'000});
        return response;
    });
    server.start();
    auto client = server.client();
    client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\nGET /large HTTP/1.1\r\nHost: t\r\n\r\n");
    for (int i = 0; i < 2; ++i) {
        const auto answer = client.receive();
        EXPECT_EQ(answer.body.size(), 15'000'000u);
        EXPECT_EQ(answer.body.find_first_not_of('v'), std::string::npos);
    }
}

TEST(Server, the_address_of_a_client_behind_a_trusted_proxy_is_what_the_proxy_saw) {
    TestServer trusting({.trusted_proxies = {"127.0.0.0/8", "10.0.0.1"}});
    trusting.answer(Method::get, "/echo", echo);
    trusting.start();
    auto client = trusting.client();
    EXPECT_EQ(field(client.get("/echo"), "address"), "127.0.0.1");
    EXPECT_EQ(field(client.get("/echo", "X-Forwarded-For: 203.0.113.9\r\n"), "address"), "203.0.113.9");
    EXPECT_EQ(field(client.get("/echo", "X-Forwarded-For: 1.2.3.4, 203.0.113.9, 10.0.0.1\r\n"), "address"),
              "203.0.113.9");
    EXPECT_EQ(field(client.get("/echo", "X-Forwarded-For: junk\r\n"), "address"), "127.0.0.1");
    EXPECT_EQ(client.get("/echo", "X-Request-Id: from-the-proxy.1\r\n").header("X-Request-Id"),
              "from-the-proxy.1");
    TestServer doubting;
    doubting.answer(Method::get, "/echo", echo);
    doubting.start();
    auto stranger = doubting.client();
    EXPECT_EQ(field(stranger.get("/echo", "X-Forwarded-For: 203.0.113.9\r\n"), "address"), "127.0.0.1");
    EXPECT_NE(stranger.get("/echo", "X-Request-Id: mine\r\n").header("X-Request-Id"), "mine");
}

TEST(Server, requests_are_counted_by_operation_and_status) {
    TestServer server;
    server.answer(Method::get, "/counted", echo, {.operation_id = "counted_operation"});
    server.start();
    auto client = server.client();
    client.get("/counted");
    client.get("/counted");
    const auto text = metrics::expose();
    EXPECT_NE(text.find("spaktok_http_requests_total{operation=\"counted_operation\",status=\"2xx\"} 2"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("spaktok_http_request_seconds_count{operation=\"counted_operation\"} 2"),
              std::string::npos);
}

TEST(Server, a_client_that_ends_its_side_is_still_answered) {
    TestServer server;
    server.answer(Method::get, "/echo", echo);
    server.answer(Method::post, "/echo", echo);
    server.start();
    auto client = server.client();
    client.send("GET /echo HTTP/1.1\r\nHost: t\r\n\r\n");
    client.end();
    EXPECT_EQ(client.receive().status, 200u);
    EXPECT_TRUE(client.is_closed_by_server());
    // … but a request that is cut short is not carried out.
    auto cut = server.client();
    cut.send(
        "GET /echo HTTP/1.1\r\nHost: t\r\n\r\nPOST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: "
        "10\r\n\r\nhalf");
    cut.end();
    EXPECT_EQ(cut.receive().status, 200u);
    EXPECT_TRUE(cut.is_closed_by_server());
}

TEST(Server, an_address_that_is_taken_is_said_so) {
    TestServer server;
    server.start();
    Server second({.listen = "127.0.0.1:" + std::to_string(server.port())}, server.router, nullptr, nullptr,
                  server.threads);
    try {
        second.start();
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
    }
}

TEST(Server, a_server_without_sessions_and_limits_answers_all_the_same) {
    TestServer owner;
    owner.answer(Method::get, "/metrics", echo);
    owner.start();
    Server second({.listen = "127.0.0.1:0"}, owner.router, nullptr, nullptr, owner.threads);
    second.start();
    RawClient client(second.port());
    EXPECT_EQ(client.get("/metrics", "Cookie: spaktok_session=x\r\n").status, 200u);
    second.stop(10s);
}

TEST(ServerConcurrent, many_clients_on_many_threads_get_their_own_answers) {
    TestServer server({}, 3);
    server.answer(Method::post, "/echo", echo, {.rate = {"all", 1'000'000, 1'000'000}});
    server.start();
    std::atomic<int> right{0};
    std::vector<std::thread> clients;
    for (int c = 0; c < 6; ++c) {
        clients.emplace_back([&, c] {
            auto client = server.client();
            for (int i = 0; i < 50; ++i) {
                const auto body = std::to_string(c) + "." + std::to_string(i);
                if (field(client.ask(post("/echo", body)), "body") == body) ++right;
            }
        });
    }
    for (auto& client : clients)
        client.join();
    EXPECT_EQ(right, 300);
}

TEST(ServerConcurrent, stopping_under_load_loses_no_answer_that_was_begun) {
    TestServer server({}, 2);
    server.answer(Method::get, "/echo", echo, {.rate = {"all", 1'000'000, 1'000'000}});
    server.start();
    std::atomic<int> answered{0};
    std::atomic<int> broken{0};
    std::vector<std::thread> clients;
    for (int c = 0; c < 4; ++c) {
        clients.emplace_back([&] {
            auto client = server.client();
            for (bool open = true; open;) {
                try {
                    if (client.get("/echo").header("Connection") == "close") open = false;
                    ++answered;
                } catch (const std::runtime_error& error) {
                    // Closed while idle: nothing of an answer may have come.
                    if (!std::string(error.what()).ends_with("head: ")) ++broken;
                    open = false;
                }
            }
        });
    }
    ASSERT_TRUE(eventually([&] { return answered > 100; }));
    server.server->stop(10s);
    for (auto& client : clients)
        client.join();
    EXPECT_EQ(broken, 0);
}

}  // namespace
}  // namespace spaktok::http
