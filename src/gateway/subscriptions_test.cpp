// Topics over real sockets: who gets what, once and in order, whatever happens while a client joins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/test_gateway.h"

namespace spaktok::gateway {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::IsEmpty;

json::Object subscription(std::string_view topic, const json::Value& after = nullptr) {
    json::Object message{{"topic", topic}};
    if (!after.is_null()) message["recover"] = {{"epoch", after.at("epoch")}, {"offset", after.at("offset")}};
    return message;
}

std::vector<std::int64_t> numbers(const json::Value& messages) {
    std::vector<std::int64_t> all;
    for (const auto& message : messages.as_array())
        all.push_back(message.at("data").as_int64());
    return all;
}

json::Value long_text(std::size_t bytes) {
    return json::Value(boost::json::string(bytes, 'x'));
}

// The next `count` events' data.
std::vector<std::int64_t> read_numbers(TestClient& client, std::size_t count) {
    std::vector<std::int64_t> all;
    while (all.size() < count) {
        const auto message = client.read_json();
        if (message.at("type") == "event") all.push_back(message.at("data").as_int64());
    }
    return all;
}

// Says so in order and asks for a ping: what the client gets before its answer is all that there was.
std::vector<std::int64_t> read_until_quiet(TestClient& client) {
    const auto id = client.request("ping");
    std::vector<std::int64_t> all;
    while (true) {
        const auto message = client.read_json();
        if (message.at("type") == "event") all.push_back(message.at("data").as_int64());
        if (message.at("type") == "answer" && message.at("id") == id) return all;
    }
}

TEST(Subscriptions, AnswerWithTheStateAndThenCarryEvents) {
    TestGateway test;
    test.add_open_topic();
    TestClient client = test.connect();
    const auto answer = client.ask("subscribe", subscription("open:1"));
    const auto& result = answer.at("result");
    EXPECT_EQ(result.at("topic"), "open:1");
    EXPECT_EQ(result.at("offset"), 0);
    EXPECT_EQ(result.at("recovered"), false);
    EXPECT_THAT(result.at("messages").as_array(), IsEmpty());
    EXPECT_EQ(result.at("state").at("rest"), "1");

    const auto position = test.publish("open:1", "hello \u00e4 \U0001F381");
    EXPECT_EQ(client.read_json(), (json::Object{{"type", "event"},
                                                {"topic", "open:1"},
                                                {"epoch", position.epoch},
                                                {"offset", 1},
                                                {"event", "said"},
                                                {"data", "hello \u00e4 \U0001F381"}}));
}

TEST(Subscriptions, CarryEventsWithoutHistoryWithoutAPosition) {
    TestGateway test;
    test.add_open_topic();
    TestClient client = test.connect();
    client.ask("subscribe", subscription("open:1"));
    test.run(test.gateway.publish_json("open:1", "reaction", R"({"kind":"heart"})"));
    EXPECT_EQ(client.read_json(), (json::Object{{"type", "event"},
                                                {"topic", "open:1"},
                                                {"event", "reaction"},
                                                {"data", json::Object{{"kind", "heart"}}}}));
}

TEST(Subscriptions, EndWhenTheClientUnsubscribes) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    TestClient client = test.connect();
    client.ask("subscribe", subscription("open:1"));
    test.publish("open:1", 1);
    EXPECT_THAT(read_numbers(client, 1), ElementsAre(1));
    client.ask("unsubscribe", subscription("open:1"));
    test.publish("open:1", 2);
    EXPECT_THAT(read_until_quiet(client), IsEmpty());
    EXPECT_EQ(test.gateway.subscribers("open:1"), 0);
    // And may begin again.
    const auto again = client.ask("subscribe", subscription("open:1"));
    EXPECT_EQ(again.at("result").at("offset"), 2);
}

TEST(Subscriptions, AreRefusedToWhoMayNotListen) {
    TestGateway test;
    test.gateway.add_topic(
        {.prefix = "closed", .authorize = [](Caller, std::string) -> asio::awaitable<json::Value> {
             throw Error(ErrorCode::forbidden, "Not for you.");
             co_return nullptr;
         }});
    TestClient client = test.connect();
    EXPECT_EQ(client.ask("subscribe", subscription("closed:1")).at("error").at("status"), 403);
    test.publish("closed:1", 1);
    EXPECT_THAT(read_until_quiet(client), IsEmpty());
    EXPECT_EQ(test.gateway.subscribers("closed:1"), 0);
}

TEST(Subscriptions, AreAuthorisedForEachCallerOfAnOpenTopic) {
    TestGateway test({.threads = 1});
    test.gateway.add_topic(
        {.prefix = "members", .authorize = [](Caller caller, std::string) -> asio::awaitable<json::Value> {
             co_return json::Object{{"me", caller.user().to_string()}};
         }});
    const UserId ada{*Uuid::parse("01890000-0000-7000-8000-000000000001")};
    TestClient member = test.connect({.user = ada, .session_id = "s"});
    EXPECT_EQ(
        member.ask("subscribe", subscription("members:1")).at("result").at("state").at("me").as_string(),
        ada.to_string());
    TestClient guest = test.connect();
    EXPECT_EQ(guest.ask("subscribe", subscription("members:1")).at("error").at("status"), 401);
    test.publish("members:1", 1);
    EXPECT_THAT(read_until_quiet(guest), IsEmpty());
    EXPECT_THAT(read_numbers(member, 1), ElementsAre(1));
}

TEST(Subscriptions, OfOneTopicAreTakenOnce) {
    TestGateway test;
    test.add_open_topic();
    TestClient client = test.connect();
    client.ask("subscribe", subscription("open:1"));
    EXPECT_EQ(client.ask("subscribe", subscription("open:1")).at("error").at("type"),
              "/problems/already_subscribed");
    test.publish("open:1", 1);
    EXPECT_THAT(read_until_quiet(client), testing::AnyOf(ElementsAre(1), IsEmpty()));
}

TEST(Subscriptions, AreTakenUpToTheLimitAndNotOneMore) {
    TestGateway test({.gateway = {.subscriptions_max = 3}});
    test.add_open_topic();
    TestClient client = test.connect();
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(client.ask("subscribe", subscription("open:" + std::to_string(i)))
                        .as_object()
                        .contains("result"));
    }
    EXPECT_EQ(client.ask("subscribe", subscription("open:3")).at("error").at("type"),
              "/problems/too_many_subscriptions");
    client.ask("unsubscribe", subscription("open:0"));
    EXPECT_TRUE(client.ask("subscribe", subscription("open:3")).as_object().contains("result"));
    // The places of the others survived the one that left.
    for (int i = 1; i <= 3; ++i)
        test.publish("open:" + std::to_string(i), i);
    EXPECT_THAT(read_numbers(client, 3), testing::UnorderedElementsAre(1, 2, 3));
}

TEST(Subscriptions, OfWhatTheEngineLostEndWithTheirConnectionSoThatItRecovers) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    TestClient client = test.connect();
    TestClient elsewhere = test.connect();
    client.ask("subscribe", subscription("open:1"));
    elsewhere.ask("subscribe", subscription("open:2"));
    const auto position = test.publish("open:1", 1);
    EXPECT_THAT(read_numbers(client, 1), ElementsAre(1));
    const realtime::Position now{.epoch = "another", .offset = 7};
    test.engine.topics().lose("open:1", now);
    EXPECT_EQ(client.read_close(), 1012);
    EXPECT_THAT(read_until_quiet(elsewhere), IsEmpty());
    EXPECT_EQ(test.gateway.subscribers("open:1"), 0);
    TestClient back = test.connect();
    const json::Value before{{"epoch", position.epoch}, {"offset", 0}};
    const auto answer = back.ask("subscribe", subscription("open:1", before));
    EXPECT_EQ(answer.at("result").at("recovered"), true);
}

TEST(Subscriptions, ThatAreBeingAnsweredWhileTheEngineLosesEventsSayReload) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    const auto position = test.publish("open:1", 1);
    test.publish("open:1", 2);
    test.engine.topics().hold_recovery = true;
    TestClient client = test.connect();
    const auto id = client.request(
        "subscribe", subscription("open:1", {{"epoch", position.epoch}, {"offset", position.offset}}));
    ASSERT_TRUE(eventually([&] { return test.engine.topics().waiting == 1; }));
    test.engine.topics().lose("open:1", {.epoch = "another", .offset = 7});
    test.run([]() -> asio::awaitable<int> { co_return 0; }());  // behind the loss
    test.engine.topics().hold_recovery = false;
    const auto result = client.answer(id).at("result");
    EXPECT_EQ(result.at("recovered"), false);
    EXPECT_EQ(result.at("epoch"), "another");
    EXPECT_EQ(result.at("offset"), 7);
}

TEST(Subscriptions, FailWithTheEngine) {
    TestGateway test;
    test.add_open_topic();
    test.engine.topics().refuse = true;
    TestClient client = test.connect();
    EXPECT_EQ(client.ask("subscribe", subscription("open:1")).at("error").at("status"), 503);
    test.engine.topics().refuse = false;
    EXPECT_TRUE(client.ask("subscribe", subscription("open:1")).as_object().contains("result"));
}

// ---- Recovery

TEST(Recovery, GivesWhatWasMissedAndThenWhatFollows) {
    TestGateway test;
    test.add_open_topic();
    json::Value last;
    {
        TestClient client = test.connect();
        client.ask("subscribe", subscription("open:1"));
        for (int i = 1; i <= 3; ++i)
            test.publish("open:1", i);
        client.read_json();
        client.read_json();
        last = client.read_json();
    }
    for (int i = 4; i <= 6; ++i)
        test.publish("open:1", i);
    TestClient back = test.connect();
    const auto answer = back.ask("subscribe", subscription("open:1", last));
    EXPECT_EQ(answer.at("result").at("recovered"), true);
    EXPECT_EQ(answer.at("result").at("offset"), 6);
    EXPECT_THAT(numbers(answer.at("result").at("messages")), ElementsAre(4, 5, 6));
    EXPECT_EQ(answer.at("result").at("messages").at(0).at("type"), "event");
    EXPECT_EQ(answer.at("result").at("messages").at(0).at("offset"), 4);
    test.publish("open:1", 7);
    EXPECT_THAT(read_numbers(back, 1), ElementsAre(7));
}

TEST(Recovery, OfNothingMissedNeedsNoEngine) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    TestClient other = test.connect();
    const auto position = other.ask("subscribe", subscription("open:1")).at("result");
    test.engine.topics().refuse = true;
    TestClient client = test.connect();
    const auto answer = client.ask("subscribe", subscription("open:1", position));
    EXPECT_EQ(answer.at("result").at("recovered"), true);
}

TEST(Recovery, SaysWhenTheHistoryNoLongerReaches) {
    TestGateway test;
    test.add_open_topic();
    const realtime::HistoryLimits short_history{.messages_max = 2, .age_max = std::chrono::minutes(1)};
    const auto first = test.publish("open:1", 1, short_history);
    for (int i = 2; i <= 5; ++i)
        test.publish("open:1", i, short_history);
    TestClient client = test.connect();
    const auto answer =
        client.ask("subscribe", subscription("open:1", json::Object{{"epoch", first.epoch}, {"offset", 1}}));
    EXPECT_EQ(answer.at("result").at("recovered"), false);
    EXPECT_EQ(answer.at("result").at("offset"), 5);
    EXPECT_THAT(answer.at("result").at("messages").as_array(), IsEmpty());
    TestClient stranger = test.connect();
    const auto other = stranger.ask(
        "subscribe", subscription("open:1", json::Object{{"epoch", "of another life"}, {"offset", 4}}));
    EXPECT_EQ(other.at("result").at("recovered"), false);
    EXPECT_EQ(other.at("result").at("epoch").as_string(), first.epoch);
}

TEST(Recovery, OfMoreThanHalfTheQueueIsRefused) {
    constexpr std::size_t queue = 64 * 1024;
    TestGateway test({.gateway = {.queue_bytes_max = queue}});
    test.add_open_topic();
    const auto first = test.publish("open:1", 1);
    const json::Value from = json::Object{{"epoch", first.epoch}, {"offset", 1}};
    test.publish("open:1", long_text(queue / 2 - 2000));
    TestClient client = test.connect();
    EXPECT_EQ(client.ask("subscribe", subscription("open:1", from)).at("result").at("recovered"), true);
    test.publish("open:1", long_text(2000));
    TestClient late = test.connect();
    EXPECT_EQ(late.ask("subscribe", subscription("open:1", from)).at("result").at("recovered"), false);
}

// ---- What happens while a client joins

TEST(Joining, KeepsEventsThatComeBeforeTheAnswer) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    test.engine.topics().hold_opening = true;
    TestClient client = test.connect();
    const auto id = client.request("subscribe", subscription("open:1"));
    ASSERT_TRUE(eventually([&] { return test.engine.topics().waiting == 1; }));
    for (int i = 1; i <= 3; ++i)
        test.publish("open:1", i);
    ASSERT_TRUE(eventually([&] { return test.engine.topics().delivered == 3; }));
    test.engine.topics().hold_opening = false;
    EXPECT_EQ(client.read_json().at("id"), id);
    EXPECT_THAT(read_numbers(client, 3), ElementsAre(1, 2, 3));
}

TEST(Joining, ALaterClientOfATopicThatOpensBeginsWhereItJoined) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    test.engine.topics().hold_opening = true;
    TestClient first = test.connect();
    first.request("subscribe", subscription("open:1"));
    ASSERT_TRUE(eventually([&] { return test.engine.topics().waiting == 1; }));
    test.publish("open:1", 1);
    ASSERT_TRUE(eventually([&] { return test.engine.topics().delivered == 1; }));
    TestClient second = test.connect();
    const auto id = second.request("subscribe", subscription("open:1"));
    second.ask("ping");  // so that the subscription was seen
    test.publish("open:1", 2);
    ASSERT_TRUE(eventually([&] { return test.engine.topics().delivered == 2; }));
    test.engine.topics().hold_opening = false;
    EXPECT_EQ(second.answer(id).at("result").at("offset"), 1);
    EXPECT_THAT(read_numbers(second, 1), ElementsAre(2));
    EXPECT_THAT(read_numbers(first, 2), ElementsAre(1, 2));
}

TEST(Joining, EventsDuringRecoveryFollowItOnce) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    TestClient listener = test.connect();
    listener.ask("subscribe", subscription("open:1"));
    const auto first = test.publish("open:1", 1);
    test.publish("open:1", 2);
    read_numbers(listener, 2);
    test.engine.topics().hold_recovery = true;
    TestClient client = test.connect();
    const auto id = client.request(
        "subscribe", subscription("open:1", json::Object{{"epoch", first.epoch}, {"offset", 1}}));
    ASSERT_TRUE(eventually([&] { return test.engine.topics().waiting == 1; }));
    test.publish("open:1", 3);
    EXPECT_THAT(read_numbers(listener, 1), ElementsAre(3));  // this thread has carried it already
    test.engine.topics().hold_recovery = false;
    const auto answer = client.answer(id);
    EXPECT_THAT(numbers(answer.at("result").at("messages")), ElementsAre(2));
    test.publish("open:1", 4);
    EXPECT_THAT(read_numbers(client, 2), ElementsAre(3, 4));
    EXPECT_THAT(read_numbers(listener, 1), ElementsAre(4));
}

TEST(Joining, RecoveryAheadOfTheThreadDoesNotRepeat) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    TestClient listener = test.connect();
    const auto begin = listener.ask("subscribe", subscription("open:1")).at("result");
    test.publish("open:1", 1);
    EXPECT_THAT(read_numbers(listener, 1), ElementsAre(1));
    test.engine.topics().hold_delivery();
    test.publish("open:1", 2);
    test.publish("open:1", 3);
    TestClient client = test.connect();
    const auto answer = client.ask("subscribe", subscription("open:1", begin));
    EXPECT_THAT(numbers(answer.at("result").at("messages")), ElementsAre(1, 2, 3));
    EXPECT_EQ(test.gateway.subscribers("open:1"), 2);
    test.engine.topics().release_delivery();
    EXPECT_THAT(read_numbers(listener, 2), ElementsAre(2, 3));
    test.publish("open:1", 4);
    test.publish("open:1", 5);
    EXPECT_THAT(read_numbers(client, 2), ElementsAre(4, 5));
    EXPECT_THAT(read_numbers(listener, 2), ElementsAre(4, 5));
}

TEST(Joining, AClientThatLeavesMeanwhileIsForgotten) {
    TestGateway test({.threads = 1});
    test.add_open_topic();
    test.engine.topics().hold_opening = true;
    {
        TestClient client = test.connect();
        client.request("subscribe", subscription("open:1"));
        ASSERT_TRUE(eventually([&] { return test.engine.topics().waiting == 1; }));
    }
    TestClient other = test.connect();
    other.request("subscribe", subscription("open:1"));
    ASSERT_TRUE(eventually([&] { return test.engine.topics().waiting == 2; }));
    const auto unsubscribed = other.ask("unsubscribe", subscription("open:1"));
    EXPECT_TRUE(unsubscribed.as_object().contains("result"));
    test.engine.topics().hold_opening = false;
    EXPECT_EQ(other.read_json().at("error").at("type"), "/problems/unsubscribed");
    EXPECT_EQ(test.gateway.subscribers("open:1"), 0);
    EXPECT_TRUE(other.ask("subscribe", subscription("open:1")).as_object().contains("result"));
}

TEST(Joining, WhatIsHeldBackHasALimitAndThenTheClientReloads) {
    constexpr std::size_t queue = 32 * 1024;
    TestGateway test({.gateway = {.queue_bytes_max = queue}, .threads = 1});
    test.add_open_topic();
    TestClient listener = test.connect();
    listener.ask("subscribe", subscription("open:1"));
    const auto first = test.publish("open:1", 1);
    test.publish("open:1", 2);
    test.engine.topics().hold_recovery = true;
    TestClient client = test.connect();
    const auto id = client.request(
        "subscribe", subscription("open:1", json::Object{{"epoch", first.epoch}, {"offset", 1}}));
    ASSERT_TRUE(eventually([&] { return test.engine.topics().waiting == 1; }));
    // Once the listener has an event, it was held back for the other one as well.
    EXPECT_EQ(listener.read_json().at("offset"), 1);
    EXPECT_EQ(listener.read_json().at("offset"), 2);
    for (int offset = 3; offset <= 42; ++offset) {
        test.publish("open:1", long_text(1000));
        ASSERT_EQ(listener.read_json().at("offset"), offset);
    }
    test.engine.topics().hold_recovery = false;
    const auto answer = client.answer(id);
    EXPECT_EQ(answer.at("result").at("recovered"), false);
    EXPECT_EQ(answer.at("result").at("offset"), 42);
    test.publish("open:1", 43);
    EXPECT_THAT(read_numbers(client, 1), ElementsAre(43));
}

// ---- Slow clients

TEST(SlowConsumer, IsDroppedWithACodeThatLetsItRecover) {
    TestGateway test({.gateway = {.queue_bytes_max = 64 * 1024, .socket_buffer_bytes = 8 * 1024}});
    test.add_open_topic();
    TestClient slow = test.connect({.receive_buffer = 4 * 1024});
    TestClient quick = test.connect();
    const auto begin = slow.ask("subscribe", subscription("open:1")).at("result");
    quick.ask("subscribe", subscription("open:1"));
    const json::Value filler = long_text(4000);
    // The quick one is served in step; the slow one reads nothing, until its queue is full.
    int published = 0;
    while (test.gateway.subscribers("open:1") == 2 && published < 1000) {
        test.publish("open:1", filler);
        ++published;
        ASSERT_EQ(quick.read_json().at("offset"), published);
    }
    EXPECT_LT(published, 1000);
    EXPECT_EQ(test.gateway.subscribers("open:1"), 1);
    // What it gets when it reads at last: whole events in order, then the close code.
    std::int64_t last = 0;
    while (auto frame = slow.read_frame()) {
        if (frame->first_byte == 0x88) {
            EXPECT_EQ(frame->payload.substr(0, 2), "\x11\x38");  // 4408
            break;
        }
        ASSERT_EQ(frame->first_byte, 0x81);
        const auto event = boost::json::parse(frame->payload);
        ASSERT_EQ(event.at("offset"), ++last);
    }
    EXPECT_LT(last, published);
    TestClient back = test.connect();
    const auto answer = back.ask(
        "subscribe",
        subscription("open:1", json::Object{{"epoch", begin.at("epoch")}, {"offset", published - 3}}));
    EXPECT_EQ(answer.at("result").at("recovered"), true);
    EXPECT_EQ(answer.at("result").at("messages").as_array().size(), 3u);
}

TEST(SlowConsumer, OfItsOwnAnswersIsDroppedToo) {
    TestGateway test(
        {.gateway = {
             .queue_bytes_max = 64 * 1024, .socket_buffer_bytes = 8 * 1024, .requests_per_second = 100}});
    const json::Value answer = long_text(16 * 1024);
    test.gateway.add_request("long",
                             [&](Caller, json::Object) -> asio::awaitable<json::Value> { co_return answer; });
    TestClient client = test.connect({.receive_buffer = 4 * 1024});
    for (int i = 0; i < 100; ++i)
        client.request("long");
    EXPECT_EQ(client.read_close(), 4408);
}

// ---- Counts

TEST(Counts, AreReportedWhenSubscribersComeAndGo) {
    TestGateway test;
    std::mutex mutex;
    std::vector<std::pair<std::string, std::int64_t>> reports;
    std::vector<std::chrono::steady_clock::time_point> times;
    test.add_open_topic([&](std::string rest, std::int64_t count) {
        const std::lock_guard lock(mutex);
        reports.emplace_back(rest, count);
        times.push_back(std::chrono::steady_clock::now());
    });
    const auto last_report = [&]() -> std::int64_t {
        const std::lock_guard lock(mutex);
        return reports.empty() ? -1 : reports.back().second;
    };
    std::vector<TestClient> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(test.connect());
        clients.back().ask("subscribe", subscription("open:1"));
    }
    EXPECT_EQ(test.gateway.subscribers("open:1"), 5);
    EXPECT_TRUE(eventually([&] { return last_report() == 5; }));
    clients.clear();
    EXPECT_TRUE(eventually([&] { return last_report() == 0; }));
    EXPECT_EQ(test.gateway.subscribers("open:1"), 0);
    const std::lock_guard lock(mutex);
    EXPECT_THAT(reports, testing::Each(testing::Pair("1", testing::_)));
    for (std::size_t i = 1; i < times.size(); ++i) {
        EXPECT_GE(times[i] - times[i - 1], std::chrono::milliseconds(990));
    }
}

}  // namespace
}  // namespace spaktok::gateway
