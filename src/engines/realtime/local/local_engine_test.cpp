// What the local adapter promises beyond the contract: one post an executor, and memory that is given back.
#include "engines/realtime/local/local_engine.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "engines/realtime/limits.h"
#include "engines/realtime/mailbox.h"
#include "engines/testing/testing.h"

namespace spaktok::realtime::local {

using engines::testing::error_of;
using engines::testing::eventually;
using engines::testing::FolderPlace;
using engines::testing::run;
using std::chrono::seconds;

namespace {
boost::asio::awaitable<void> publish_times(Topics& topics, std::size_t times) {
    for (std::size_t i = 0; i < times; ++i)
        co_await topics.publish("topic", "x", {});
}
}  // namespace

class LocalEngineTest : public testing::Test {
  protected:
    ManualClock clock_{Timestamp{std::chrono::milliseconds{1'700'000'000'000}}};
    FolderPlace place_{"", "realtime.db"};
    LocalEngine engine_{{.path = place_.path().string(), .clock = &clock_}};

    std::string bytes_on_disk() const {
        std::string bytes;
        for (const char* suffix : {"", "-wal"}) {
            std::ifstream file(place_.path().string() + suffix, std::ios::binary);
            bytes.append(std::istreambuf_iterator<char>(file), {});
        }
        return bytes;
    }
    std::unique_ptr<Subscription> subscribe(boost::asio::io_context& context, std::string topic,
                                            OnMessage on_message) {
        return run(engine_.topics().subscribe(std::move(topic), std::nullopt, context.get_executor(),
                                              std::move(on_message)))
            .subscription;
    }
};

TEST_F(LocalEngineTest, ATurnDeliversEverythingInOneHandlerAnExecutor) {
    boost::asio::io_context one(1);
    boost::asio::io_context two(1);
    std::size_t heard = 0;
    std::vector<std::unique_ptr<Subscription>> subscriptions;
    for (int i = 0; i < 1'000; ++i) {
        subscriptions.push_back(subscribe(i % 2 == 0 ? one : two, "topic " + std::to_string(i % 4),
                                          [&](const TopicMessage&) { ++heard; }));
    }
    for (int i = 0; i < 16; ++i) {
        for (int topic = 0; topic < 4; ++topic)
            run(engine_.topics().publish("topic " + std::to_string(topic), "x", {}));
    }
    EXPECT_EQ(one.run() + two.run(), 2u);  // handlers
    EXPECT_EQ(heard, 1'000u / 4 * 16 * 4);
}

TEST_F(LocalEngineTest, AStuckExecutorRefusesPublishersInsteadOfFillingMemory) {
    boost::asio::io_context never_run(1);
    const auto subscription = subscribe(never_run, "topic", [](const TopicMessage&) {});
    // One place is taken by the subscription itself.
    run(publish_times(engine_.topics(), Mailbox::waiting_max - 1));
    EXPECT_EQ(error_of(engine_.topics().publish("topic", "x", {})), ErrorCode::unavailable);
    never_run.run();
    EXPECT_NO_THROW(run(engine_.topics().publish("topic", "x", {})));
}

TEST_F(LocalEngineTest, TheSweepFreesWhatHasExpired) {
    for (const bool durable : {true, false}) {
        run(engine_.key_values().put(durable ? "durable" : "cached", "value",
                                     {.expires_after = seconds(5), .durable = durable}));
    }
    run(engine_.key_values().put("kept", "value", {}));
    run(engine_.counters().add("counter", 1, seconds(5)));
    run(engine_.topics().publish("topic", "x", {.messages_max = 1, .age_max = seconds(5)}));
    EXPECT_EQ(engine_.sizes().key_values, 3u);
    EXPECT_EQ(engine_.sizes().counters, 1u);
    EXPECT_EQ(engine_.sizes().topics, 1u);
    clock_.advance(LocalTopics::idle_max);
    EXPECT_TRUE(eventually([&] {
        const auto sizes = engine_.sizes();
        return sizes.key_values == 1 && sizes.counters == 0 && sizes.topics == 0;
    }));
}

TEST_F(LocalEngineTest, TheSweepDeletesFromTheDiskToo) {
    run(engine_.key_values().put("secret", "what nobody may read again", {.expires_after = seconds(5)}));
    clock_.advance(seconds(10));
    EXPECT_TRUE(eventually([&] { return engine_.sizes().key_values == 0; }));
    spaktok::sqlite::Connection connection({.path = place_.path().string()});
    auto rows = connection.query("SELECT count(*) FROM realtime_values");
    rows.next();
    EXPECT_EQ(rows.integer(0), 0);
}

TEST_F(LocalEngineTest, TheSweepLeavesNothingInTheWriteAheadLog) {
    const std::string secret = "what nobody may read again";
    run(engine_.key_values().put("secret", secret, {.expires_after = seconds(5)}));
    EXPECT_NE(bytes_on_disk().find(secret), std::string::npos);
    clock_.advance(seconds(10));
    EXPECT_TRUE(eventually([&] { return bytes_on_disk().find(secret) == std::string::npos; }));
}

TEST_F(LocalEngineTest, ATouchReachesTheDiskWithinAMinuteWithoutAStop) {
    run(engine_.key_values().put("session", "value", {.expires_after = seconds(100)}));
    run(engine_.key_values().touch("session", seconds(1'000)));
    const auto stored = to_unix_milliseconds(clock_.now() + seconds(1'000));
    clock_.advance(seconds(60));
    spaktok::sqlite::Connection connection({.path = place_.path().string()});
    EXPECT_TRUE(eventually([&] {
        auto rows = connection.query("SELECT expires_at FROM realtime_values WHERE key = 'session'");
        return rows.next() && rows.integer(0) == stored;
    }));
}

TEST_F(LocalEngineTest, EpochsFitIntoAStringWithoutMemoryOfItsOwn) {
    const auto position =
        run(engine_.topics().publish("topic", "x", {.messages_max = 1, .age_max = seconds(5)}));
    EXPECT_LE(position.epoch.size(), std::string().capacity());
}

TEST(LocalEngine, WithoutAFileNothingSurvives) {
    {
        const auto engine = open("local:", {});
        run(engine->key_values().put("key", "value", {}));
        EXPECT_EQ(run(engine->key_values().get("key")), "value");
        run(engine->stop());
    }
    EXPECT_EQ(run(open("local:", {})->key_values().get("key")), std::nullopt);
    EXPECT_THROW(open("memcached://localhost", {}), Error);
}

}  // namespace spaktok::realtime::local
