// What is Redis' own: its addresses and names, several nodes, and a server that goes away in all the ways
// that servers do. The port's contract is in realtime_contract_suite.cpp.
#include "engines/realtime/redis/redis_engine.h"

#include <atomic>
#include <chrono>
#include <limits>
#include <mutex>
#include <thread>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>

#include "base/metrics.h"
#include "engines/realtime/limits.h"
#include "engines/realtime/mailbox.h"
#include "engines/realtime/realtime_contract_suite.h"
#include "engines/realtime/redis/test_server.h"

namespace spaktok::realtime::redis {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using contract::Subscriber;
using engines::testing::ContextThread;
using engines::testing::eventually;
using engines::testing::run;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

using Endpoints = std::vector<Endpoint>;

constexpr HistoryLimits kept{.messages_max = 10'000, .age_max = seconds(600)};
// The engine promises two seconds, and one for its return; a busy machine is given some more.
constexpr milliseconds answer_within{3'000};
constexpr milliseconds return_within{2'000};

Error error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    ADD_FAILURE() << "did not throw";
    return Error(ErrorCode::internal, "");
}

// ---- Addresses and names

TEST(RedisAddress, SaysWhereAndWho) {
    const auto full = parse_address("rediss://ada:s%40cret@cache.example.org:7000/3?ca=/etc/ca.pem");
    EXPECT_EQ(full.form, Address::Form::server);
    EXPECT_EQ(full.endpoints, (Endpoints{{"cache.example.org", "7000"}}));
    EXPECT_EQ(full.login.user, "ada");
    EXPECT_EQ(full.login.password, "s@cret");
    EXPECT_EQ(full.login.database, 3);
    EXPECT_TRUE(full.login.tls);
    EXPECT_EQ(full.login.ca_file, "/etc/ca.pem");
    const auto least = parse_address("redis://localhost");
    EXPECT_EQ(least.endpoints, (Endpoints{{"localhost", "6379"}}));
    EXPECT_EQ(least.login.user + least.login.password, "");
    EXPECT_EQ(least.login.database, 0);
    EXPECT_FALSE(least.login.tls);
    EXPECT_EQ(parse_address("redis://:secret@[::1]:1/16383").endpoints, (Endpoints{{"::1", "1"}}));
    EXPECT_EQ(parse_address("redis://:secret@h/").login.password, "secret");
}

TEST(RedisAddress, NamesSentinelsAndTheirMaster) {
    const auto full = parse_address("redis+sentinel://ada:s%40cret@one,two:7000,[::1]/main/2");
    EXPECT_EQ(full.form, Address::Form::sentinels);
    EXPECT_EQ(full.endpoints, (Endpoints{{"one", "26379"}, {"two", "7000"}, {"::1", "26379"}}));
    EXPECT_EQ(full.master, "main");
    EXPECT_EQ(full.login.user, "ada");
    EXPECT_EQ(full.login.password, "s@cret");
    EXPECT_EQ(full.login.database, 2);
    EXPECT_FALSE(full.login.tls);
    const auto least = parse_address("rediss+sentinel://one/main?ca=/etc/ca.pem");
    EXPECT_EQ(least.login.database, 0);
    EXPECT_TRUE(least.login.tls);
    EXPECT_EQ(least.login.ca_file, "/etc/ca.pem");
}

TEST(RedisAddress, NamesSomeOfAClustersServers) {
    const auto full = parse_address("redis+cluster://ada:secret@one,two:7000/");
    EXPECT_EQ(full.form, Address::Form::cluster);
    EXPECT_EQ(full.endpoints, (Endpoints{{"one", "6379"}, {"two", "7000"}}));
    EXPECT_EQ(full.login.password, "secret");
    EXPECT_EQ(parse_address("rediss+cluster://one/0").login.tls, true);
    std::string many = "redis+cluster://h";
    for (std::size_t i = 1; i < endpoints_max; ++i)
        many += ",h";
    EXPECT_EQ(parse_address(many).endpoints.size(), endpoints_max);
    EXPECT_EQ(error_of([&] { parse_address(many + ",h"); }).code(), ErrorCode::invalid_argument);
}

TEST(RedisAddress, IsRefusedWithoutRepeatingItsPassword) {
    for (const char* url : {"redis://",
                            "redis://:secret@",
                            "redis://:secret@h:0",
                            "redis://:secret@h:65536",
                            "redis://:secret@h:port",
                            "redis://:secret@h/16384",
                            "redis://:secret@h/-1",
                            "redis://:secret@h/one",
                            "redis://:secret@h/1/2",
                            "redis://:secret@h?ca=/x",
                            "rediss://:secret@h?sni=x",
                            "redis://:secret@h#x",
                            "http://:secret@h",
                            "redis://:secret@a,b",
                            "redis+sentinel://:secret@h",
                            "redis+sentinel://:secret@h/",
                            "redis+sentinel://:secret@h,/main",
                            "redis+sentinel://:secret@h:0/main",
                            "redis+sentinel://:secret@h/main/x",
                            "redis+sentinel://:secret@h/main/1/2",
                            "redis+cluster://:secret@",
                            "redis+cluster://:secret@a,,b",
                            "redis+cluster://:secret@h/1",
                            "redis+cluster://:secret@h?ca=/x"}) {
        const auto error = error_of([&] { parse_address(url); });
        EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << url;
        EXPECT_THAT(error.message() + error.detail(), Not(HasSubstr("secret"))) << url;
    }
}

class RedisEngineTest : public testing::Test {
  protected:
    std::unique_ptr<RedisEngine> another(std::string node) {
        return std::make_unique<RedisEngine>(server_.url(), RedisEngine::Options{.node_id = std::move(node)});
    }
    Position publish(std::string payload, HistoryLimits history = kept) {
        return run(engine_.topics().publish("room:1", std::move(payload), history));
    }
    std::optional<std::string> get(std::string key) { return run(engine_.key_values().get(std::move(key))); }
    void put(std::string key, std::string value) {
        run(engine_.key_values().put(std::move(key), std::move(value), {}));
    }
    milliseconds time_of(const std::function<void()>& work) {
        const auto begun = steady_clock::now();
        work();
        return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun);
    }
    // How long it takes until the engine answers again.
    milliseconds time_to_return() {
        return time_of([&] {
            EXPECT_TRUE(eventually([&] {
                try {
                    get("key");
                    return true;
                } catch (const Error&) {
                    return false;
                }
            }));
        });
    }
    // Publishes until a subscriber hears it: what is published before it is back may be lost to it.
    void publish_until_heard(Subscriber& subscriber) {
        const auto before = subscriber.received().size();
        EXPECT_TRUE(eventually([&] {
            try {
                publish("more");
            } catch (const Error&) {
                return false;
            }
            const auto received = subscriber.received();
            return received.size() > before && received.back().payload != nullptr;
        }));
    }

    TestServer server_;
    RedisEngine engine_{server_.url(), {.node_id = "node"}};
};

TEST_F(RedisEngineTest, KeepsThePlansNames) {
    put("session:abc", "ada");
    run(engine_.presence().report("viewers:7", 3));
    run(engine_.counters().add("rate", 2, std::nullopt));
    run(engine_.rankings().set("gifts", "ada", 5));
    publish("hello");
    EXPECT_EQ(server_.ask("GET session:abc"), "ada");
    EXPECT_EQ(server_.ask("GET viewers:{7}:node"), "3");
    EXPECT_EQ(server_.ask("GET counter:rate"), "2");
    EXPECT_EQ(server_.ask("ZSCORE ranking:{gifts} ada"), "5");
    EXPECT_EQ(server_.ask("XLEN topic:{room:1}"), "1");
}

TEST_F(RedisEngineTest, AKeyValueNamedLikeSomethingElseIsNotThat) {
    run(engine_.counters().add("rate", 2, std::nullopt));
    put("counter:rate", "text");
    put("value:counter:rate", "more text");
    EXPECT_EQ(run(engine_.counters().get("rate")), 2);
    EXPECT_EQ(get("counter:rate"), "text");
    EXPECT_EQ(get("value:counter:rate"), "more text");
}

TEST_F(RedisEngineTest, WhatIsForgottenAfterAWhileHasAnEnd) {
    publish("hello");
    run(engine_.rankings().add("gifts", "ada", 5, "event"));
    run(engine_.presence().report("viewers:7", 3));
    for (const char* key :
         {"topic:{room:1}", "topic:{room:1}:state", "ranking:{gifts}:events", "viewers:{7}"})
        EXPECT_GT(std::stoll(server_.ask(std::string("PTTL ") + key)), 0) << key;
}

TEST_F(RedisEngineTest, ScriptsAreLoadedAgainWhereTheServerForgotThem) {
    EXPECT_EQ(publish("1").offset, 1U);
    server_.ask("SCRIPT FLUSH");
    EXPECT_EQ(publish("2").offset, 2U);
    EXPECT_EQ(publish("3").offset, 3U);
}

// A line of /metrics, without its name.
double metric(const std::string& series) {
    const std::string text = '\n' + metrics::expose();
    const auto at = text.find('\n' + series + ' ');
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
}

TEST_F(RedisEngineTest, MetricsTellHowItsConnectionsAre) {
    const std::string use = "{use=\"commands\"}";
    const auto value = [&](const std::string& name) {
        return metric("spaktok_redis_connections" + name + use);
    };
    EXPECT_TRUE(eventually([&] { return value("") == 2 && value("_missing") == 0; }));
    EXPECT_TRUE(eventually([&] { return metric("spaktok_redis_connections{use=\"topics\"}") == 1; }));
    const double opened = value("_opened_total");
    const double lost = value("_lost_total");
    const double refused = value("_refused_total");
    server_.kill();
    EXPECT_TRUE(eventually([&] {
        return value("") == 0 && value("_missing") == 2 && value("_lost_total") == lost + 2 &&
               value("_refused_total") > refused;
    }));
    server_.start();
    EXPECT_TRUE(eventually([&] { return value("") == 2 && value("_missing") == 0; }));
    EXPECT_EQ(value("_opened_total"), opened + 2);
}

TEST_F(RedisEngineTest, MetricsTellHowManyCommandsWait) {
    put("key", "value");
    server_.pause();
    std::thread waiting([&] { EXPECT_EQ(error_of([&] { get("key"); }).code(), ErrorCode::unavailable); });
    EXPECT_TRUE(eventually([] { return metric("spaktok_redis_waiting") == 1; }));
    waiting.join();
    EXPECT_EQ(metric("spaktok_redis_waiting"), 0);
    server_.resume();
}

TEST_F(RedisEngineTest, CommandsAreCounted) {
    put("key", "value");
    EXPECT_THAT(metrics::expose(), HasSubstr("spaktok_redis_commands_total{command=\"put\"}"));
}

// ---- Several nodes

TEST_F(RedisEngineTest, NodesHearEachOtherAndCountTogether) {
    const auto other = another("other");
    ContextThread thread;
    Subscriber here(engine_, thread, "room:1");
    Subscriber there(*other, thread, "room:1");
    const auto position = publish("hello");
    EXPECT_EQ(run(other->topics().publish("room:1", "heart", {})).offset, 0U);
    for (const Subscriber* each : {&here, &there}) {
        EXPECT_TRUE(eventually([&] { return each->has_received(2); }));
        EXPECT_THAT(each->payloads(), testing::UnorderedElementsAre("hello", "heart"));
    }
    EXPECT_EQ(run(other->topics().publish("room:1", "2", kept)), (Position{position.epoch, 2}));
    run(engine_.presence().report("viewers:7", 3));
    run(other->presence().report("viewers:7", 4));
    EXPECT_EQ(run(engine_.presence().total("viewers:7")), 7);
    run(other->presence().report("viewers:7", 0));
    EXPECT_EQ(run(engine_.presence().total("viewers:7")), 3);
    run(engine_.counters().add("rate", 2, std::nullopt));
    EXPECT_EQ(run(other->counters().add("rate", 2, std::nullopt)), 4);
}

TEST_F(RedisEngineTest, ANodeSubscribesOnceAndUnsubscribesWithItsLast) {
    ContextThread thread;
    const auto channels = [&] { return server_.ask("PUBSUB CHANNELS db0:topic:*"); };
    const auto listeners = [&] { return server_.ask("PUBLISH db0:topic:{room:1} nothing"); };
    {
        Subscriber one(engine_, thread, "room:1");
        Subscriber two(engine_, thread, "room:1");
        EXPECT_EQ(channels(), "1 elements");
        EXPECT_EQ(listeners(), "1");
    }
    EXPECT_TRUE(eventually([&] { return channels() == "0 elements"; }));
    // A subscriber that comes while the last one goes is served.
    for (int round = 0; round < 50; ++round) {
        Subscriber subscriber(engine_, thread, "room:1");
        publish(std::to_string(round));
        ASSERT_TRUE(eventually([&] { return subscriber.has_received(1); }));
        ASSERT_EQ(subscriber.payloads().front(), std::to_string(round));
    }
}

TEST_F(RedisEngineTest, DatabasesOfOneServerDoNotHearEachOther) {
    RedisEngine elsewhere(server_.url() + "/1", {.node_id = "node"});
    ContextThread thread;
    Subscriber subscriber(elsewhere, thread, "room:1");
    publish("not for you");
    run(elsewhere.topics().publish("room:1", "for you", kept));
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(1); }));
    EXPECT_EQ(subscriber.payloads().front(), "for you");
    put("key", "value");
    EXPECT_EQ(run(elsewhere.key_values().get("key")), std::nullopt);
}

TEST_F(RedisEngineTest, ASubscriberWhoseThreadIsBehindIsToldThatItLost) {
    asio::io_context stuck(1);
    std::vector<TopicMessage> received;
    const auto subscription =
        run(engine_.topics().subscribe("room:1", std::nullopt, stuck.get_executor(),
                                       [&](const auto& message) { received.push_back(message); }))
            .subscription;
    server_.ask({"EVAL", "for i = 1, ARGV[1] do redis.call('PUBLISH', 'db0:topic:{room:1}', '\\n0\\nx') end",
                 "0", std::to_string(Mailbox::waiting_max + 1)});
    EXPECT_TRUE(eventually([&] {
        try {
            publish("refused");
            return false;
        } catch (const Error& error) {
            return error.reason() == "busy";
        }
    }));
    EXPECT_TRUE(eventually([&] {
        stuck.restart();
        stuck.poll();
        return !received.empty() && received.back().payload == nullptr;
    }));
    EXPECT_LE(received.size(), Mailbox::waiting_max + 1);
}

// ---- Servers that go away

class RedisOutage : public RedisEngineTest {};
class RedisOutageConcurrent : public RedisEngineTest {};

TEST_F(RedisOutage, IsRefusedAtOnceAndOverWithinASecondOfTheReturn) {
    put("key", "value");
    server_.kill();
    EXPECT_LT(time_of([&] {
                  const auto error = error_of([&] { get("key"); });
                  EXPECT_EQ(error.code(), ErrorCode::unavailable);
                  EXPECT_TRUE(error.retry_after().has_value());
              }),
              answer_within);
    EXPECT_EQ(error_of([&] { publish("x"); }).code(), ErrorCode::unavailable);
    EXPECT_EQ(error_of([&] {
                  run(engine_.topics().subscribe("room:2", std::nullopt, asio::system_executor(),
                                                 [](const auto&) {}));
              }).code(),
              ErrorCode::unavailable);
    EXPECT_EQ(error_of([&] { run(engine_.check()); }).code(), ErrorCode::unavailable);
    server_.start();
    EXPECT_LT(time_to_return(), return_within);
    EXPECT_EQ(get("key"), "value");
}

TEST_F(RedisOutage, OfAServerThatIsSilentIsNoticed) {
    put("key", "value");
    server_.pause();
    EXPECT_LT(time_of([&] { EXPECT_EQ(error_of([&] { get("key"); }).code(), ErrorCode::unavailable); }),
              answer_within);
    EXPECT_LT(time_of([&] { EXPECT_EQ(error_of([&] { put("key", "x"); }).code(), ErrorCode::unavailable); }),
              answer_within);
    server_.resume();
    EXPECT_LT(time_to_return(), return_within);
    EXPECT_EQ(get("key"), "value");
}

TEST_F(RedisOutageConcurrent, KeepsWhatWasAcknowledgedThroughKillsOfTheServer) {
    std::atomic<bool> is_writing = true;
    std::vector<int> acknowledged;
    std::thread writer([&] {
        for (int number = 0; is_writing; ++number) {
            try {
                put("key " + std::to_string(number), "value");
                acknowledged.push_back(number);
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::unavailable) << error.detail();
                std::this_thread::sleep_for(milliseconds(2));
            }
        }
    });
    for (int kills = 0; kills < 3; ++kills) {
        std::this_thread::sleep_for(milliseconds(100));
        server_.kill();
        server_.start();
        time_to_return();
    }
    is_writing = false;
    writer.join();
    EXPECT_GT(acknowledged.size(), 20U);
    for (const int number : acknowledged)
        ASSERT_EQ(get("key " + std::to_string(number)), "value") << number;
}

TEST_F(RedisOutage, OfAConnectionIsNoFailureOfReads) {
    put("key", "value");
    for (int round = 0; round < 10; ++round) {
        server_.ask("CLIENT KILL TYPE normal");
        EXPECT_EQ(get("key"), "value");
    }
}

TEST_F(RedisOutageConcurrent, OfTheListeningConnectionLosesNoMessageThatIsKept) {
    ContextThread thread;
    Subscriber subscriber(engine_, thread, "room:1");
    constexpr int messages = 1'000;
    for (int number = 1; number <= messages; ++number) {
        publish(std::to_string(number));
        if (number % 100 == 50) server_.ask("CLIENT KILL TYPE pubsub");
    }
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(messages); }));
    const auto received = subscriber.received();
    ASSERT_EQ(received.size(), static_cast<std::size_t>(messages));
    for (std::size_t i = 0; i < received.size(); ++i) {
        ASSERT_TRUE(received[i].payload);
        ASSERT_EQ(*received[i].payload, std::to_string(i + 1));
        ASSERT_EQ(received[i].position.offset, i + 1);
    }
}

TEST_F(RedisOutage, TellsSubscribersWhatTheHistoryNoLongerHas) {
    ContextThread thread;
    Subscriber subscriber(engine_, thread, "room:1");
    const auto before = publish("before");
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(1); }));
    // The log brings the history back, but perhaps not all that was told to subscribers.
    server_.kill();
    server_.start();
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(2); }));
    const auto lost = subscriber.received()[1];
    EXPECT_EQ(lost.payload, nullptr);
    EXPECT_NE(lost.position.epoch, before.epoch);
    publish_until_heard(subscriber);
    Subscriber back(engine_, thread, "room:1", before);
    EXPECT_FALSE(back.recovered().complete);
    EXPECT_NE(back.recovered().position.epoch, before.epoch);
}

TEST_F(RedisOutage, TellsNobodyOfALossWhereNothingIsEverKept) {
    ContextThread thread;
    Subscriber subscriber(engine_, thread, "room:1");
    server_.kill();
    server_.start();
    EXPECT_TRUE(eventually([&] {
        try {
            publish("heart", {});
        } catch (const Error&) {
        }
        return subscriber.has_received(1);
    }));
    for (const auto& message : subscriber.received())
        EXPECT_NE(message.payload, nullptr);
}

TEST_F(RedisOutage, OfAllDataBeginsANewEpoch) {
    ContextThread thread;
    Subscriber subscriber(engine_, thread, "room:1");
    const auto before = publish("before");
    server_.ask("FLUSHALL");
    const auto after = publish("after");
    EXPECT_NE(after.epoch, before.epoch);
    EXPECT_EQ(after.offset, 1U);
    // Who listened has missed nothing.
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(2); }));
    EXPECT_EQ(subscriber.payloads(), (std::vector<std::string>{"before", "after"}));
    EXPECT_EQ(subscriber.received()[1].position, after);
    Subscriber back(engine_, thread, "room:1", before);
    EXPECT_FALSE(back.recovered().complete);
    EXPECT_EQ(back.recovered().position, after);
}

TEST_F(RedisOutage, OfMemoryRefusesWhatWouldNeedMore) {
    put("key", "value");
    server_.ask("CONFIG SET maxmemory 1");
    const auto error = error_of([&] { put("key", "more"); });
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_THAT(error.detail(), HasSubstr("OOM"));
    EXPECT_EQ(error_of([&] { publish("x"); }).code(), ErrorCode::unavailable);
    EXPECT_EQ(get("key"), "value");
    server_.ask("CONFIG SET maxmemory 0");
    EXPECT_EQ(publish("x").offset, 1U);
}

TEST(RedisLogin, IsTakenWithItsPasswordOnlyAndNeverTellsIt) {
    const TestServer server({.settings = {"--requirepass", "open sesame"}});
    const std::string place = "127.0.0.1:" + std::to_string(server.port());
    RedisEngine right("redis://:open%20sesame@" + place, {});
    EXPECT_NO_THROW(run(right.check()));
    RedisEngine by_name("redis://default:open%20sesame@" + place, {});
    EXPECT_NO_THROW(run(by_name.check()));
    for (const std::string who : {"", ":hushhush@", "ada:hushhush@"}) {
        RedisEngine engine("redis://" + who + place, {});
        const auto error = error_of([&] { run(engine.check()); });
        EXPECT_EQ(error.code(), ErrorCode::unavailable) << who;
        EXPECT_THAT(error.detail(), Not(HasSubstr("hushhush")));
    }
}

TEST(RedisTls, TrustsWhomItIsToldToOnly) {
    const TestServer server({.tls = true});
    const TestServer stranger({.tls = true});
    RedisEngine engine(server.url(), {});
    run(engine.key_values().put("key", std::string(value_bytes_max, 'x'), {}));
    EXPECT_EQ(run(engine.key_values().get("key"))->size(), value_bytes_max);
    ContextThread thread;
    Subscriber subscriber(engine, thread, "room:1");
    run(engine.topics().publish("room:1", "hello", kept));
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(1); }));
    const std::string place = std::to_string(server.port());
    for (const auto& url :
         {"rediss://localhost:" + place, "rediss://localhost:" + place + "?ca=" + stranger.certificate(),
          "rediss://127.0.0.1:" + place + "?ca=" + server.certificate()}) {
        RedisEngine other(url, {});
        EXPECT_EQ(error_of([&] { run(other.check()); }).code(), ErrorCode::unavailable) << url;
    }
}

TEST(RedisUrl, ThatLeadsNowhereIsUnavailable) {
    RedisEngine engine("redis://127.0.0.1:1", {});
    EXPECT_EQ(error_of([&] { run(engine.check()); }).code(), ErrorCode::unavailable);
}

// Stands between the engine and its server and cuts connections in the middle of an answer.
class CuttingProxy {
  public:
    explicit CuttingProxy(std::uint16_t port) : server_(asio::ip::address_v4::loopback(), port) {
        asio::co_spawn(thread_.context(), accept(), asio::detached);
    }
    ~CuttingProxy() {
        thread_.call([this] {
            acceptor_.close();
            cut_all();
        });
    }
    CuttingProxy(const CuttingProxy&) = delete;
    CuttingProxy& operator=(const CuttingProxy&) = delete;
    std::string url() const {
        return "redis://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }
    // All connections end after so many more bytes of answers.
    void cut_after(std::int64_t bytes) { left_ = bytes; }

  private:
    using Socket = std::shared_ptr<tcp::socket>;

    asio::awaitable<void> accept() {
        for (;;) {
            boost::system::error_code closed;
            auto client = std::make_shared<tcp::socket>(
                co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, closed)));
            if (closed) co_return;
            auto server = std::make_shared<tcp::socket>(thread_.context());
            co_await server->async_connect(server_, asio::redirect_error(asio::use_awaitable, closed));
            sockets_.insert(sockets_.end(), {client, server});
            asio::co_spawn(thread_.context(), pump(client, server, false), asio::detached);
            asio::co_spawn(thread_.context(), pump(server, client, true), asio::detached);
        }
    }
    asio::awaitable<void> pump(Socket from, Socket to, bool is_answer) {
        std::array<char, 1'000> buffer;
        for (boost::system::error_code error; !error;) {
            const auto read = co_await from->async_read_some(
                asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
            if (error) break;
            auto bytes = static_cast<std::int64_t>(read);
            if (is_answer && bytes >= left_) bytes = left_;
            co_await asio::async_write(*to, asio::buffer(buffer.data(), static_cast<std::size_t>(bytes)),
                                       asio::redirect_error(asio::use_awaitable, error));
            if (is_answer && (left_ -= bytes) <= 0) {
                left_ = std::numeric_limits<std::int64_t>::max();
                cut_all();
            }
        }
        boost::system::error_code ignored;
        from->close(ignored);
        to->close(ignored);
    }
    void cut_all() {
        boost::system::error_code ignored;
        for (const auto& socket : std::exchange(sockets_, {}))
            socket->close(ignored);
    }

    tcp::endpoint server_;
    std::atomic<std::int64_t> left_ = std::numeric_limits<std::int64_t>::max();
    std::vector<Socket> sockets_;
    ContextThread thread_;
    tcp::acceptor acceptor_{thread_.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
};

TEST(RedisAnswer, ThatIsCutIsAskedForAgainWhereNothingWasChanged) {
    const TestServer server;
    CuttingProxy proxy(server.port());
    RedisEngine engine(proxy.url(), {});
    const std::string value(100'000, 'x');
    run(engine.key_values().put("key", value, {}));
    run(engine.counters().add("rate", 1, std::nullopt));
    for (const std::int64_t bytes : {1, 5, 50'000, 100'000}) {
        proxy.cut_after(bytes);
        EXPECT_EQ(run(engine.key_values().get("key")), value) << bytes;
    }
    proxy.cut_after(1);
    EXPECT_EQ(error_of([&] { run(engine.counters().add("rate", 1, std::nullopt)); }).code(),
              ErrorCode::unavailable);
    EXPECT_EQ(run(engine.counters().get("rate")), 2);
}

}  // namespace
}  // namespace spaktok::realtime::redis
