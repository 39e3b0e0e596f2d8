// Several servers behind the engine: a master that another takes over from, told of by Sentinels, and a
// cluster whose slots move.
#include "engines/realtime/redis/servers.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "base/metrics.h"
#include "engines/realtime/realtime_contract_suite.h"
#include "engines/realtime/redis/redis_engine.h"
#include "engines/realtime/redis/test_sets.h"
#include "engines/realtime/scan.h"

namespace spaktok::realtime::redis {
namespace {

using contract::Subscriber;
using engines::testing::ContextThread;
using engines::testing::eventually;
using engines::testing::run;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr HistoryLimits kept{.messages_max = 10'000, .age_max = seconds(600)};
// A second until the others find the master dead, about one for their agreement; a busy machine needs more.
constexpr seconds takeover_within{30};
constexpr milliseconds answer_within{3'000};

// What the call says: "ok", or its failure, which is to be a clear and early one.
std::string outcome(const std::function<void()>& call) {
    const auto begun = steady_clock::now();
    std::string said = "ok";
    try {
        call();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable) << error.detail();
        EXPECT_TRUE(error.retry_after().has_value());
        said = error.detail();
    }
    EXPECT_LT(steady_clock::now() - begun, answer_within);
    return said;
}

bool soon(const std::function<bool()>& condition) {
    const auto end = steady_clock::now() + takeover_within;
    while (!condition()) {
        if (steady_clock::now() > end) return false;
        std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
}

struct Values {
    RedisEngine& engine;
    std::string put(const std::string& key, const std::string& value) const {
        return outcome([&] { run(engine.key_values().put(key, value, {})); });
    }
    std::string get(const std::string& key) const {
        std::optional<std::string> value;
        const auto said = outcome([&] { value = run(engine.key_values().get(key)); });
        return said == "ok" ? value.value_or("none") : said;
    }
};

// Publishes until the subscriber hears it: what is published before it is back may be lost to it, and told.
void expect_heard_again(RedisEngine& engine, const Subscriber& subscriber, const std::string& topic) {
    const auto before = subscriber.received().size();
    EXPECT_TRUE(soon([&] {
        if (outcome([&] { run(engine.topics().publish(topic, "more", kept)); }) != "ok") return false;
        const auto received = subscriber.received();
        return received.size() > before && received.back().payload != nullptr;
    }));
}

bool was_told_of_a_loss(const Subscriber& subscriber) {
    return std::ranges::any_of(subscriber.received(),
                               [](const auto& each) { return each.payload == nullptr; });
}

// ---- Sentinels

TEST(RedisSentinels, LeadToTheMasterThatTookOver) {
    TestSentinels set;
    RedisEngine engine(set.url(), {.node_id = "node"});
    const Values values{engine};
    EXPECT_EQ(values.put("key", "1"), "ok");
    const auto first = set.master();
    EXPECT_EQ(set.server(first).ask("GET key"), "1");
    ContextThread thread;
    Subscriber subscriber(engine, thread, "room:1");
    const auto before = run(engine.topics().publish("room:1", "before", kept));
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(1); }));
    // By an operator: the old master lives on, as a replica.
    EXPECT_TRUE(soon([&] { return set.sentinel(0).ask("SENTINEL FAILOVER main") == "OK"; }));
    EXPECT_TRUE(soon([&] { return set.master() != first; }));
    EXPECT_TRUE(
        soon([&] { return values.put("key", "2") == "ok" && set.replica_of(first).ask("GET key") == "2"; }));
    expect_heard_again(engine, subscriber, "room:1");
    EXPECT_TRUE(was_told_of_a_loss(subscriber));
    // By its death. (The Sentinels would make the old master its replica themselves, some seconds later.)
    const auto second = set.master();
    TestServer& next = set.server(first);
    next.ask("REPLICAOF 127.0.0.1 " + std::to_string(second));
    EXPECT_EQ(values.put("key", "3"), "ok");
    EXPECT_TRUE(soon([&] { return next.ask("GET key") == "3"; }));
    set.server(second).kill();
    EXPECT_NE(values.put("other", "x"), "ok");
    EXPECT_TRUE(soon([&] { return values.get("key") == "3"; }));
    EXPECT_EQ(values.put("key", "4"), "ok");
    EXPECT_EQ(next.ask("GET key"), "4");
    expect_heard_again(engine, subscriber, "room:1");
    EXPECT_NE(run(engine.topics().publish("room:1", "after", kept)).epoch, before.epoch);
    EXPECT_EQ(outcome([&] { run(engine.check()); }), "ok");
}

TEST(RedisSentinels, ThatAreGoneStopNobodyWhoIsConnected) {
    const TestServer master;
    TestServer sentinel({.watched_port = master.port()});
    const std::string list = "redis+sentinel://127.0.0.1:1,127.0.0.1:" + std::to_string(sentinel.port());
    RedisEngine engine(list + "/main", {});
    const Values values{engine};
    EXPECT_EQ(values.put("key", "value"), "ok");
    RedisEngine lost(list + "/other", {});
    EXPECT_THAT((Values{lost}.get("key")), HasSubstr("knows no master \"other\""));
    sentinel.kill();
    EXPECT_EQ(values.get("key"), "value");
    RedisEngine late(list + "/main", {});
    EXPECT_THAT((Values{late}.get("key")), HasSubstr("Redis: "));
    sentinel.start();
    EXPECT_TRUE(soon([&] { return Values{late}.get("key") == "value"; }));
}

TEST(RedisSentinels, AReplicaIsNoMasterWhateverTheySay) {
    const TestServer master;
    const TestServer replica({.settings = {"--replicaof", "127.0.0.1", std::to_string(master.port())}});
    const TestServer sentinel({.watched_port = replica.port()});
    RedisEngine engine("redis+sentinel://127.0.0.1:" + std::to_string(sentinel.port()) + "/main", {});
    EXPECT_THAT((Values{engine}.get("key")), HasSubstr("not the master"));
}

// ---- A cluster

double redirections() {
    const std::string text = metrics::expose();
    const std::string series = "\nspaktok_redis_redirections_total ";
    const auto at = text.find(series);
    return at == std::string::npos ? 0 : std::stod(text.substr(at + series.size()));
}

class RedisClusterTest : public testing::Test {
  protected:
    // A key that the server has at the start.
    std::string key_at(std::size_t server) {
        for (int number = 0;; ++number) {
            const std::string key = "key " + std::to_string(number);
            if (cluster_.owner_of(slot_of(key)) == server) return key;
        }
    }

    TestCluster cluster_{{}};
    RedisEngine engine_{cluster_.url(), {.node_id = "node"}};
    const Values values_{engine_};
};

TEST_F(RedisClusterTest, FollowsASlotThatMoves) {
    // All in one slot, with the topic of that name.
    const std::string topic = "moving";
    const auto slot = slot_of(topic);
    const auto from = cluster_.owner_of(slot);
    const auto to = (from + 1) % 3;
    EXPECT_EQ(values_.put("{moving} old", "1"), "ok");
    ContextThread thread;
    Subscriber subscriber(engine_, thread, topic);
    run(engine_.topics().publish(topic, "before", kept));
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(1); }));
    const auto scanned = run(scanner_of(engine_.key_values()).scan(""));
    ASSERT_NE(scanned.next, "");
    cluster_.begin_move(slot, from, to);
    const double before = redirections();
    EXPECT_EQ(values_.put("{moving} new", "2"), "ok");
    EXPECT_EQ(cluster_.server(from).ask(std::vector<std::string>{"GET", "{moving} new"}).substr(0, 4),
              "ASK ");
    EXPECT_EQ(values_.get("{moving} new"), "2");
    EXPECT_EQ(values_.get("{moving} old"), "1");
    EXPECT_EQ(run(engine_.counters().add("{moving}", 3, std::nullopt)), 3);
    EXPECT_GE(redirections(), before + 3);
    cluster_.end_move(slot, from, to, {"{moving} old", "topic:{moving}", "topic:{moving}:state"});
    EXPECT_EQ(values_.get("{moving} old"), "1");
    EXPECT_EQ(values_.get("{moving} new"), "2");
    const double moved = redirections();
    EXPECT_EQ(values_.get("{moving} new"), "2");
    EXPECT_EQ(redirections(), moved);  // it has learned
    expect_heard_again(engine_, subscriber, topic);
    EXPECT_TRUE(was_told_of_a_loss(subscriber));
    EXPECT_THAT(outcome([&] {
                    auto page = scanned;
                    while (!page.next.empty())
                        page = run(scanner_of(engine_.key_values()).scan(page.next));
                }),
                HasSubstr("begin it anew"));
}

TEST_F(RedisClusterTest, NodesHearEachOtherWhereverATopicIs) {
    RedisEngine other(cluster_.url(), {.node_id = "other"});
    ContextThread thread;
    for (int number = 0; number < 12; ++number) {
        const std::string topic = "room:" + std::to_string(number);
        Subscriber here(engine_, thread, topic);
        Subscriber there(other, thread, topic);
        run(engine_.topics().publish(topic, "kept", kept));
        run(other.topics().publish(topic, "heart", {}));
        for (const Subscriber* each : {&here, &there}) {
            EXPECT_TRUE(eventually([&] { return each->has_received(2); })) << topic;
            EXPECT_THAT(each->payloads(), testing::UnorderedElementsAre("kept", "heart"));
        }
    }
    const auto channels = [&] {
        std::string all;
        for (std::size_t i = 0; i < 3; ++i)
            all += cluster_.server(i).ask("PUBSUB SHARDCHANNELS") + ", ";
        return all;
    };
    EXPECT_TRUE(eventually([&] { return channels() == "0 elements, 0 elements, 0 elements, "; }))
        << channels();
}

TEST_F(RedisClusterTest, WithAMasterGoneTheOthersServeTheirPart) {
    const std::string here = key_at(0);
    const std::string there = key_at(1);
    EXPECT_EQ(values_.put(here, "1"), "ok");
    EXPECT_EQ(values_.put(there, "2"), "ok");
    cluster_.server(0).kill();
    EXPECT_NE(values_.put(here, "x"), "ok");
    EXPECT_EQ(values_.get(there), "2");
    EXPECT_NE(outcome([&] { run(engine_.check()); }), "ok");
    cluster_.server(0).start();
    EXPECT_TRUE(soon([&] { return values_.put(here, "3") == "ok"; }));
    EXPECT_EQ(values_.get(here), "3");
}

TEST(RedisClusterConcurrent, GoesOnWithTheReplicaThatTookOver) {
    TestCluster cluster({.has_replica = true});
    RedisEngine engine(cluster.url(), {.node_id = "node"});
    const Values values{engine};
    std::string topic = "room";
    while (cluster.owner_of(slot_of(topic)) != 0)
        topic += '.';
    const std::string key = '{' + topic + "} key";
    EXPECT_EQ(values.put(key, "1"), "ok");
    ContextThread thread;
    Subscriber subscriber(engine, thread, topic);
    const auto before = run(engine.topics().publish(topic, "before", kept));
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(1); }));
    // A replica answers only where the key is, but it has it.
    EXPECT_TRUE(soon([&] { return cluster.replica().ask("DBSIZE") == cluster.server(0).ask("DBSIZE"); }));
    cluster.server(0).kill();
    EXPECT_NE(values.put(key, "x"), "ok");
    EXPECT_NE(outcome([&] {
                  run(engine.topics().subscribe(topic, std::nullopt, thread.context().get_executor(),
                                                [](const auto&) {}));
              }),
              "ok");
    EXPECT_TRUE(soon([&] { return values.get(key) == "1"; }));
    EXPECT_EQ(values.put(key, "2"), "ok");
    expect_heard_again(engine, subscriber, topic);
    EXPECT_TRUE(was_told_of_a_loss(subscriber));
    EXPECT_NE(run(engine.topics().publish(topic, "after", kept)).epoch, before.epoch);
    // The dead one comes back as a replica, of which nobody notices anything.
    cluster.server(0).start();
    EXPECT_TRUE(soon(
        [&] { return cluster.server(0).ask("INFO replication").find("role:slave") != std::string::npos; }));
    EXPECT_EQ(values.get(key), "2");
    EXPECT_EQ(outcome([&] { run(engine.check()); }), "ok");
}

TEST(RedisCluster, SpeaksTlsWithEachOfItsServers) {
    TestCluster cluster({.masters = 1, .tls = true});
    RedisEngine engine(cluster.url(), {.node_id = "node"});
    const Values values{engine};
    EXPECT_EQ(values.put("key", "value"), "ok");
    EXPECT_EQ(values.get("key"), "value");
    ContextThread thread;
    Subscriber subscriber(engine, thread, "room:1");
    run(engine.topics().publish("room:1", "hello", kept));
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(1); }));
}

TEST(RedisCluster, ThatIsNoneIsUnavailable) {
    const TestServer server;
    RedisEngine engine("redis+cluster://127.0.0.1:" + std::to_string(server.port()), {});
    EXPECT_THAT((Values{engine}.get("key")), HasSubstr("cluster support disabled"));
}

}  // namespace
}  // namespace spaktok::realtime::redis
