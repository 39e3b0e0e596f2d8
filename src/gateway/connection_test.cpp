// The connection's own behaviour over real sockets: handshake, requests, limits, close codes.
#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/test_gateway.h"

namespace spaktok::gateway {
namespace {

namespace asio = boost::asio;
using ClientOptions = TestGateway::ClientOptions;

const UserId ada{*Uuid::parse("01890000-0000-7000-8000-000000000001")};

std::string reason_of(const json::Value& answer) {
    return std::string(answer.at("error").at("type").as_string());
}

// ---- Handshake and welcome

TEST(Connection, WelcomesAGuestWithItsLimits) {
    TestGateway test;
    TestClient client = test.handshake({});
    EXPECT_THAT(client.read_head(),
                testing::HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    const auto welcome = client.read_json();
    EXPECT_EQ(welcome.at("type"), "welcome");
    EXPECT_TRUE(welcome.at("user_id").is_null());
    EXPECT_EQ(welcome.at("ping_interval_seconds"), 25);
    EXPECT_EQ(welcome.at("limits").at("message_bytes_max"), 16 * 1024);
    EXPECT_EQ(welcome.at("limits").at("requests_in_flight_max"), 16);
}

TEST(Connection, WelcomesASignedInUser) {
    TestGateway test;
    TestClient client = test.handshake({.user = ada, .session_id = "s1"});
    client.read_head();
    EXPECT_EQ(client.read_json().at("user_id").as_string(), ada.to_string());
}

TEST(Connection, TakesWhatCameWithTheHandshake) {
    TestGateway test;
    TestClient client = test.connect({.unread = client_text(R"({"id":7,"type":"ping"})")});
    EXPECT_EQ(client.answer(7).at("result").at("server_time").as_string().size(), 24u);
}

TEST(Connection, RefusesAnotherVersionWithTheOneThatItSpeaks) {
    TestGateway test;
    TestClient client = test.handshake({.version = "8"});
    const auto head = client.read_head();
    EXPECT_THAT(head, testing::StartsWith("HTTP/1.1 426 "));
    EXPECT_THAT(head, testing::HasSubstr("Sec-WebSocket-Version: 13\r\n"));
    EXPECT_TRUE(client.is_ended());
}

TEST(Connection, RefusesABadKey) {
    TestGateway test;
    EXPECT_THROW(test.handshake({.key = "short"}), Error);
}

TEST(Connection, TakesAsManyConnectionsAsTheLimitSaysAndNotOneMore) {
    TestGateway test({.gateway = {.connections_max = 2}});
    TestClient first = test.connect({.remote_address = "10.0.0.1"});
    TestClient second = test.connect({.remote_address = "10.0.0.2"});
    try {
        test.connect({.remote_address = "10.0.0.3"});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
    }
    first.disconnect();
    EXPECT_TRUE(eventually([&] {
        try {
            test.connect({.remote_address = "10.0.0.3"});
            return true;
        } catch (const Error&) {
            return false;
        }
    }));
}

TEST(Connection, CountsConnectionsOfAnAddress) {
    TestGateway test({.gateway = {.connections_per_address_max = 1}});
    TestClient first = test.connect({.remote_address = "2001:db8::1"});
    TestClient elsewhere = test.connect({.remote_address = "2001:db8:1::1"});
    try {
        test.connect({.remote_address = "2001:db8::2"});  // the same /64
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::rate_limited);
    }
}

// ---- Requests

TEST(Connection, AnswersRequestsById) {
    TestGateway test;
    test.gateway.add_request(
        "greet", [](Caller caller, json::Object message) -> asio::awaitable<json::Value> {
            co_return json::Object{{"hello", message.at("name")}, {"from", caller.user().to_string()}};
        });
    TestClient client = test.connect({.user = ada, .session_id = "s1"});
    const auto answer = client.ask("greet", {{"name", "Grace"}});
    EXPECT_EQ(answer.at("result").at("hello"), "Grace");
    EXPECT_EQ(answer.at("result").at("from").as_string(), ada.to_string());

    TestClient guest = test.connect();
    const auto refused = guest.ask("greet", {{"name", "Grace"}});
    EXPECT_EQ(reason_of(refused), "/problems/unauthenticated");
    EXPECT_EQ(refused.at("error").at("status"), 401);
}

TEST(Connection, AnswersWhatAHandlerThrows) {
    TestGateway test;
    test.gateway.add_request("refused", [](Caller, json::Object) -> asio::awaitable<json::Value> {
        throw Error(
            ErrorCode::rate_limited, "Slowly.",
            {.field = "content", .reason = "slow_mode", .retry_after = std::chrono::milliseconds(2500)});
        co_return nullptr;
    });
    test.gateway.add_request("broken", [](Caller, json::Object) -> asio::awaitable<json::Value> {
        throw std::runtime_error("a secret of the inside");
        co_return nullptr;
    });
    TestClient client = test.connect();
    const auto refused = client.ask("refused");
    EXPECT_EQ(reason_of(refused), "/problems/slow_mode");
    EXPECT_EQ(refused.at("error").at("field"), "content");
    EXPECT_EQ(refused.at("retry_after_seconds"), 3);
    const auto broken = client.ask("broken");
    EXPECT_EQ(broken.at("error").at("status"), 500);
    EXPECT_THAT(boost::json::serialize(broken), testing::Not(testing::HasSubstr("secret")));
}

struct BadRequest {
    const char* name;
    std::string text;
    json::Value id;
    std::string type;
    std::string field;
};
class BadRequests : public testing::TestWithParam<BadRequest> {};

TEST_P(BadRequests, AreAnswered) {
    TestGateway test;
    test.add_open_topic();
    TestClient client = test.connect();
    client.send_text(GetParam().text);
    const auto answer = client.read_json();
    EXPECT_EQ(answer.at("id"), GetParam().id);
    EXPECT_EQ(reason_of(answer), "/problems/" + GetParam().type);
    EXPECT_EQ(answer.at("error").at("field").as_string(), GetParam().field);
}

std::string subscription(std::string_view rest) {
    return R"({"id":1,"type":"subscribe",)" + std::string(rest) + "}";
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadRequests,
    testing::Values(
        BadRequest{"no_id", R"({"type":"ping"})", nullptr, "invalid_field", "id"},
        BadRequest{"text_id", R"({"id":"1","type":"ping"})", nullptr, "invalid_field", "id"},
        BadRequest{"negative_id", R"({"id":-1,"type":"ping"})", nullptr, "invalid_field", "id"},
        BadRequest{"id_beyond_a_double", R"({"id":9007199254740992,"type":"ping"})", nullptr, "invalid_field",
                   "id"},
        BadRequest{"largest_id_unknown_type", R"({"id":9007199254740991,"type":"dance"})", 9007199254740991,
                   "unknown_type", "type"},
        BadRequest{"no_type", R"({"id":0})", 0, "unknown_type", "type"},
        BadRequest{"no_topic", R"({"id":1,"type":"subscribe"})", 1, "missing_field", "topic"},
        BadRequest{"empty_topic", subscription(R"("topic":"")"), 1, "invalid_field", "topic"},
        BadRequest{"long_topic", subscription(R"("topic":"open:)" + std::string(196, 'x') + "\""), 1,
                   "invalid_field", "topic"},
        BadRequest{"unknown_topic", subscription(R"("topic":"closed:1")"), 1, "unknown_topic", "topic"},
        BadRequest{"bad_recover", subscription(R"("topic":"open:1","recover":12)"), 1, "invalid_field",
                   "recover"},
        BadRequest{"recover_without_epoch", subscription(R"("topic":"open:1","recover":{"offset":1})"), 1,
                   "invalid_field", "recover.epoch"},
        BadRequest{"recover_without_offset", subscription(R"("topic":"open:1","recover":{"epoch":"e"})"), 1,
                   "invalid_field", "recover.offset"},
        BadRequest{"unsubscribe_from_nothing", R"({"id":1,"type":"unsubscribe","topic":"open:1"})", 1,
                   "not_subscribed", "topic"}),
    [](const auto& info) { return info.param.name; });

TEST(Connection, TakesTheLongestTopicName) {
    TestGateway test;
    test.add_open_topic();
    TestClient client = test.connect();
    EXPECT_TRUE(
        client.ask("subscribe", {{"topic", "open:" + std::string(195, 'x')}}).as_object().contains("result"));
}

TEST(Connection, CarriesRequestsOutInTheOrderTheyCameAndRefusesOneBeyondThoseThatWait) {
    TestGateway test({.gateway = {.requests_per_second = 100}});
    std::atomic<bool> released = false;
    std::atomic<int> begun = 0;
    test.gateway.add_request("wait", [&](Caller, json::Object) -> asio::awaitable<json::Value> {
        const int number = ++begun;
        asio::steady_timer timer(co_await asio::this_coro::executor);
        while (!released) {
            timer.expires_after(std::chrono::milliseconds(1));
            co_await timer.async_wait(asio::use_awaitable);
        }
        // The first is the slowest.
        timer.expires_after(std::chrono::milliseconds(number == 1 ? 20 : 0));
        co_await timer.async_wait(asio::use_awaitable);
        co_return number;
    });
    TestClient client = test.connect();
    std::vector<std::int64_t> ids;
    for (int i = 0; i < 16; ++i)
        ids.push_back(client.request("wait"));
    const auto refused = client.ask("wait");
    EXPECT_EQ(reason_of(refused), "/problems/too_many_in_flight");
    EXPECT_EQ(begun, 1);
    EXPECT_TRUE(client.ask("ping").as_object().contains("result"));  // needs no place
    released = true;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto answer = client.read_json().as_object();
        EXPECT_EQ(answer.at("id"), ids[i]);
        EXPECT_EQ(answer.at("result"), i + 1);
    }
    EXPECT_EQ(client.ask("wait").at("result"), ids.size() + 1);
}

TEST(Connection, ClosesBeyondTheBurstOfRequests) {
    TestGateway test({.gateway = {.requests_per_second = 5}});
    TestClient client = test.connect();
    for (int i = 0; i < 15; ++i)
        ASSERT_TRUE(client.ask("ping").as_object().contains("result")) << i;
    client.request("ping");
    EXPECT_EQ(client.read_close(), 4429);

    TestClient patient = test.connect();
    for (int i = 0; i < 15; ++i)
        patient.ask("ping");
    test.clock.advance(std::chrono::milliseconds(200));  // one more is due
    EXPECT_TRUE(patient.ask("ping").as_object().contains("result"));
    patient.write(client_frame(0x89, "pings count as well"));
    EXPECT_EQ(patient.read_close(), 4429);
}

// ---- Close codes

struct Violation {
    const char* name;
    std::string bytes;
    int code;
};
class Violations : public testing::TestWithParam<Violation> {};

TEST_P(Violations, CloseTheConnectionWithTheirCode) {
    TestGateway test({.gateway = {.message_bytes_max = 100}});
    TestClient client = test.connect();
    client.write(GetParam().bytes);
    EXPECT_EQ(client.read_close(), GetParam().code);
    EXPECT_TRUE(client.is_ended());
}

INSTANTIATE_TEST_SUITE_P(Table, Violations,
                         testing::Values(Violation{"no_json", client_text("hello"), 1007},
                                         Violation{"array", client_text("[1]"), 1007},
                                         Violation{"too_deep", client_text(std::string(40, '[')), 1007},
                                         Violation{"not_utf8", client_text("\xFF"), 1007},
                                         Violation{"binary", client_frame(0x82, "x"), 1003},
                                         Violation{"reserved_bits", client_frame(0xC1, "x"), 1002},
                                         Violation{"too_big", client_text(std::string(101, ' ')), 1009},
                                         Violation{"peer_leaves", client_frame(0x88, "\x03\xE9"), 1001},
                                         Violation{"peer_leaves_without_code", client_frame(0x88, ""), 1005}),
                         [](const auto& info) { return info.param.name; });

TEST(Connection, TakesAMessageOfTheLargestSize) {
    TestGateway test({.gateway = {.message_bytes_max = 100}});
    TestClient client = test.connect();
    std::string message = R"({"id":3,"type":"ping"})";
    message.insert(message.size() - 1, 100 - message.size(), ' ');
    client.send_text(message);
    EXPECT_EQ(client.read_json().at("id"), 3);
}

TEST(Connection, AnswersPingsOfTheClient) {
    TestGateway test;
    TestClient client = test.connect();
    client.write(client_frame(0x89, "still there?"));
    const auto pong = client.read_frame();
    ASSERT_TRUE(pong);
    EXPECT_EQ(pong->first_byte, 0x8A);
    EXPECT_EQ(pong->payload, "still there?");
}

TEST(Connection, PingsAClientAndDropsOneThatDoesNotAnswer) {
    using std::chrono::milliseconds;
    TestGateway test({.gateway = {.ping_interval = milliseconds(100), .pong_timeout = milliseconds(100)}});
    TestClient client = test.connect();
    for (int i = 0; i < 3; ++i) {
        const auto ping = client.read_frame();
        ASSERT_TRUE(ping);
        EXPECT_EQ(ping->first_byte, 0x89);
        client.write(client_frame(0x8A, ping->payload));
    }
    ASSERT_TRUE(client.read_frame());  // the next ping, which stays unanswered
    EXPECT_FALSE(client.read_frame());
}

TEST(Connection, ClosesTheSocketsOfASessionThatEnded) {
    TestGateway test;
    TestClient here = test.connect({.user = ada, .session_id = "s1", .thread = 0});
    TestClient there = test.connect({.user = ada, .session_id = "s1", .thread = 1});
    TestClient other = test.connect({.user = ada, .session_id = "s2"});
    test.gateway.close_session("s1");
    EXPECT_EQ(here.read_close(), 4401);
    EXPECT_EQ(there.read_close(), 4401);
    EXPECT_TRUE(other.ask("ping").as_object().contains("result"));
    // A handshake that was authenticated before the session ended.
    EXPECT_THROW(test.connect({.user = ada, .session_id = "s1"}), Error);
}

TEST(Connection, TellsEveryoneToComeBackWhenTheServerStops) {
    TestGateway test;
    std::vector<TestClient> clients;
    for (int i = 0; i < 10; ++i)
        clients.push_back(test.connect());
    auto stopped = std::async(std::launch::async, [&] { test.stop(std::chrono::milliseconds(200)); });
    for (auto& client : clients)
        EXPECT_EQ(client.read_close(), 1012);
    stopped.get();
    for (auto& client : clients)
        EXPECT_TRUE(client.is_ended());
    EXPECT_THROW(test.connect(), Error);
}

TEST(Connection, StopsWithoutAClientThatDoesNotAnswer) {
    TestGateway test;
    TestClient silent = test.connect();
    const auto begin = std::chrono::steady_clock::now();
    test.stop();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(9));
    EXPECT_EQ(silent.read_close(), 1012);
    EXPECT_TRUE(silent.is_ended());
}

TEST(Connection, GivesUpARequestThatDoesNotEndWhenTheServerStops) {
    TestGateway test;
    std::atomic<bool> begun = false;
    test.gateway.add_request("forever", [&](Caller, json::Object) -> asio::awaitable<json::Value> {
        begun = true;
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
        co_await timer.async_wait(asio::use_awaitable);
        co_return nullptr;
    });
    TestClient client = test.connect();
    client.request("forever");
    EXPECT_TRUE(eventually([&] { return begun.load(); }));
    client.disconnect();
    test.stop();
}

}  // namespace
}  // namespace spaktok::gateway
