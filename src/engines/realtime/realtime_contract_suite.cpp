// What all parts of the contract share, and the parts without a file of their own: counters, rankings,
// presence.
#include "engines/realtime/realtime_contract_suite.h"

#include <atomic>
#include <cmath>
#include <limits>

#include "engines/realtime/limits.h"
#include "engines/realtime/redis/test_sets.h"

namespace spaktok::realtime::contract {

using engines::testing::error_of;
using engines::testing::FolderPlace;
using engines::testing::run;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<Adapter> all_adapters() {
    return {
        {"local", [] { return std::make_unique<FolderPlace>("local:", "realtime.db"); }},
        {"redis", [] { return std::make_unique<redis::RedisPlace>(); }},
        {"redis_sentinel", [] { return std::make_unique<redis::SentinelPlace>(); }},
        {"redis_cluster", [] { return std::make_unique<redis::ClusterPlace>(); }},
    };
}

#define SPAKTOK_ON_ALL_ADAPTERS(suite)                                           \
    INSTANTIATE_TEST_SUITE_P(Adapters, suite, testing::ValuesIn(all_adapters()), \
                             engines::testing::adapter_name)
SPAKTOK_ON_ALL_ADAPTERS(TopicsContract);
SPAKTOK_ON_ALL_ADAPTERS(KeyValuesContract);
SPAKTOK_ON_ALL_ADAPTERS(CountersContract);
SPAKTOK_ON_ALL_ADAPTERS(RankingsContract);
SPAKTOK_ON_ALL_ADAPTERS(PresenceContract);
SPAKTOK_ON_ALL_ADAPTERS(RealtimeContractConcurrent);

Subscriber::Subscriber(Engine& engine, ContextThread& thread, std::string topic,
                       std::optional<Position> since)
    : thread_(thread) {
    auto subscribed = thread.run(engine.topics().subscribe(
        std::move(topic), std::move(since), thread.context().get_executor(), [this](const auto& message) {
            const std::scoped_lock lock(mutex_);
            received_.push_back(message);
        }));
    subscription_ = std::move(subscribed.subscription);
    recovered_ = std::move(subscribed.recovered);
}

Subscriber::~Subscriber() {
    unsubscribe();
}

void Subscriber::unsubscribe() {
    thread_.call([this] { subscription_.reset(); });
}

std::vector<TopicMessage> Subscriber::received() const {
    const std::scoped_lock lock(mutex_);
    return received_;
}

std::vector<std::string> Subscriber::payloads() const {
    std::vector<std::string> result;
    for (const auto& message : received())
        result.push_back(*message.payload);
    return result;
}

bool Subscriber::has_received(std::size_t count) const {
    const std::scoped_lock lock(mutex_);
    return received_.size() >= count;
}

void RealtimeContract::SetUp() {
    place_->follow(clock_);
    start();
}

void RealtimeContract::start() {
    engine_ = open(place_->url(), {.node_id = "node", .clock = &clock_});
}

void RealtimeContract::stop_and_start() {
    run(engine().stop());
    engine_.reset();
    start();
}

void RealtimeContract::drop_and_start() {
    engine_.reset();
    place_->crash();
    start();
}

Position RealtimeContract::publish(std::string topic, std::string payload, HistoryLimits history) {
    return run(topics().publish(std::move(topic), std::move(payload), history));
}

bool RealtimeContract::put(std::string key, std::string value, KeyValues::PutOptions options) {
    return run(values().put(std::move(key), std::move(value), options));
}

std::string RealtimeContract::get(std::string key) {
    return run(values().get(std::move(key))).value_or("none");
}

// ---- counters ----------------------------------------------------------------------------------
TEST_P(CountersContract, AddsAndTakes) {
    EXPECT_EQ(run(counters().get("views")), 0);
    EXPECT_EQ(run(counters().add("views", 2, std::nullopt)), 2);
    EXPECT_EQ(run(counters().add("views", -5, std::nullopt)), -3);
    EXPECT_EQ(run(counters().get("views")), -3);
    EXPECT_EQ(run(counters().take("views")), -3);
    EXPECT_EQ(run(counters().take("views")), 0);
    EXPECT_EQ(run(counters().get("views")), 0);
}

TEST_P(CountersContract, TheFirstAdditionStartsTheLife) {
    run(counters().add("rate", 1, seconds(10)));
    clock_.advance(seconds(9));
    EXPECT_EQ(run(counters().add("rate", 1, seconds(10))), 2);
    clock_.advance(milliseconds(999));
    EXPECT_EQ(run(counters().get("rate")), 2);
    clock_.advance(milliseconds(1));
    EXPECT_EQ(run(counters().get("rate")), 0);
    EXPECT_EQ(run(counters().take("rate")), 0);
    EXPECT_EQ(run(counters().add("rate", 1, seconds(10))), 1);
}

TEST_P(CountersContract, StaysWithin64Bits) {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    run(counters().add("views", most, std::nullopt));
    EXPECT_EQ(run(counters().add("views", 1, std::nullopt)), most);
}

TEST_P(CountersContract, TakesKeysUpToTheLimitAndRefusesOthers) {
    EXPECT_EQ(run(counters().add(std::string(key_bytes_max, 'k'), 1, std::nullopt)), 1);
    EXPECT_EQ(error_of(counters().add(std::string(key_bytes_max + 1, 'k'), 1, std::nullopt)),
              ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(counters().add("", 1, std::nullopt)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(counters().add("k", 1, seconds(0))), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(counters().add("k", 1, expiry_max + seconds(1))), ErrorCode::invalid_argument);
}

TEST_P(RealtimeContractConcurrent, NoAdditionIsLostAndNoneTakenTwice) {
    std::atomic<std::int64_t> taken{0};
    engines::testing::in_parallel(4, [&](int thread) {
        for (int i = 0; i < 500; ++i) {
            run(counters().add("views", 1, std::nullopt));
            if (thread == 0 && i % 10 == 0) taken += run(counters().take("views"));
        }
    });
    EXPECT_EQ(taken + run(counters().get("views")), 2'000);
}

// ---- rankings ----------------------------------------------------------------------------------
using Board = std::vector<Ranked>;

TEST_P(RankingsContract, RanksByScoreThenByMemberBothDescending) {
    run(rankings().set("gifts", "ada", 5));
    run(rankings().set("gifts", "bob", 7.5));
    run(rankings().set("gifts", "cyd", 5));
    run(rankings().set("gifts", "dan", -1));
    EXPECT_EQ(run(rankings().top("gifts", 0, 10)),
              (Board{{"bob", 7.5}, {"cyd", 5}, {"ada", 5}, {"dan", -1}}));
    EXPECT_EQ(run(rankings().top("gifts", 1, 2)), (Board{{"cyd", 5}, {"ada", 5}}));
    EXPECT_EQ(run(rankings().top("gifts", 3, 2)), (Board{{"dan", -1}}));
    EXPECT_EQ(run(rankings().top("gifts", 4, 2)), Board{});
    EXPECT_EQ(run(rankings().top("other", 0, 2)), Board{});
}

TEST_P(RankingsContract, SetMovesAMemberAndRemoveTakesItOut) {
    run(rankings().set("gifts", "ada", 5));
    run(rankings().set("gifts", "bob", 6));
    run(rankings().set("gifts", "ada", 7));
    EXPECT_EQ(run(rankings().top("gifts", 0, 10)), (Board{{"ada", 7}, {"bob", 6}}));
    EXPECT_EQ(run(rankings().size("gifts")), 2u);
    run(rankings().remove("gifts", "ada"));
    run(rankings().remove("gifts", "nobody"));
    EXPECT_EQ(run(rankings().top("gifts", 0, 10)), (Board{{"bob", 6}}));
    EXPECT_EQ(run(rankings().score("gifts", "ada")), std::nullopt);
    EXPECT_EQ(run(rankings().score("gifts", "bob")), 6);
    EXPECT_EQ(run(rankings().size("gifts")), 1u);
    EXPECT_EQ(run(rankings().size("other")), 0u);
}

TEST_P(RankingsContract, AnEventCountsOnceOnABoard) {
    EXPECT_EQ(run(rankings().add("gifts", "ada", 5, "event 1")), 5);
    EXPECT_EQ(run(rankings().add("gifts", "ada", 5, "event 1")), 5);
    EXPECT_EQ(run(rankings().add("gifts", "ada", 2, "event 2")), 7);
    EXPECT_EQ(run(rankings().add("gifts", "ada", 5, "event 1")), 7);
    EXPECT_EQ(run(rankings().add("week", "ada", 5, "event 1")), 5);
    EXPECT_EQ(run(rankings().top("gifts", 0, 10)), (Board{{"ada", 7}}));
}

TEST_P(RankingsContract, KeepsAnyFiniteScoreAndNoOther) {
    constexpr double most = std::numeric_limits<double>::max();
    for (const double score : {0.1, 1.0 / 3, 1e-300, -1e22, 9007199254740993.0, most}) {
        run(rankings().set("gifts", "ada", score));
        EXPECT_EQ(run(rankings().score("gifts", "ada")), score);
        EXPECT_EQ(run(rankings().top("gifts", 0, 1)), (Board{{"ada", score}}));
    }
    EXPECT_EQ(error_of(rankings().add("gifts", "ada", most, "event")), ErrorCode::invalid_argument);
    EXPECT_EQ(run(rankings().score("gifts", "ada")), most);
    EXPECT_EQ(run(rankings().add("gifts", "bob", 0.1, "event")), 0.1);
    EXPECT_EQ(run(rankings().add("gifts", "bob", 0.2, "event 2")), 0.1 + 0.2);
    EXPECT_EQ(run(rankings().top("gifts", SIZE_MAX, 1)), Board{});
}

TEST_P(RankingsContract, ABoardRemembersItsLastEvents) {
    for (std::size_t i = 0; i < ranking_events_kept; ++i)
        run(rankings().add("gifts", "ada", 1, "event " + std::to_string(i)));
    EXPECT_EQ(run(rankings().add("gifts", "ada", 1, "event 0")), ranking_events_kept);
    EXPECT_EQ(run(rankings().add("gifts", "ada", 1, "one more")), ranking_events_kept + 1);
    EXPECT_EQ(run(rankings().add("gifts", "ada", 1, "event 0")), ranking_events_kept + 2);
    EXPECT_EQ(run(rankings().add("gifts", "ada", 1, "one more")), ranking_events_kept + 2);
}

TEST_P(RankingsContract, ABoardGoesWhenItIsOverWithWhatItRemembers) {
    run(rankings().expire("day", seconds(10)));  // there is none
    run(rankings().add("day", "ada", 5, "event 1"));
    run(rankings().expire("day", seconds(10)));
    run(rankings().add("day", "ada", 2, "event 2"));
    run(rankings().set("other", "ada", 1));
    clock_.advance(seconds(10) - milliseconds(1));
    EXPECT_EQ(run(rankings().score("day", "ada")), 7);
    clock_.advance(milliseconds(1));
    EXPECT_EQ(run(rankings().score("day", "ada")), std::nullopt);
    EXPECT_EQ(run(rankings().top("day", 0, 10)), Board{});
    EXPECT_EQ(run(rankings().size("day")), 0u);
    EXPECT_EQ(run(rankings().add("day", "ada", 2, "event 2")), 2);
    clock_.advance(seconds(20));
    EXPECT_EQ(run(rankings().score("day", "ada")), 2) << "a new board has no end";
    EXPECT_EQ(run(rankings().score("other", "ada")), 1);
}

TEST_P(RankingsContract, ALaterCallMovesTheEndOfABoard) {
    run(rankings().set("day", "ada", 5));
    run(rankings().expire("day", seconds(10)));
    run(rankings().expire("day", seconds(20)));
    clock_.advance(seconds(19));
    EXPECT_EQ(run(rankings().score("day", "ada")), 5);
    run(rankings().expire("day", milliseconds(500)));
    clock_.advance(milliseconds(500));
    EXPECT_EQ(run(rankings().score("day", "ada")), std::nullopt);
    EXPECT_EQ(error_of(rankings().expire("day", seconds(0))), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(rankings().expire("day", expiry_max + seconds(1))), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(rankings().expire("", seconds(1))), ErrorCode::invalid_argument);
}

TEST_P(RankingsContract, AClearedBoardBeginsAnew) {
    run(rankings().add("gifts", "ada", 5, "event"));
    run(rankings().add("other", "ada", 5, "event"));
    run(rankings().clear("gifts"));
    run(rankings().clear("nothing"));
    EXPECT_EQ(run(rankings().top("gifts", 0, 10)), Board{});
    EXPECT_EQ(run(rankings().add("gifts", "ada", 2, "event")), 2);
    EXPECT_EQ(run(rankings().score("other", "ada")), 5);
    EXPECT_EQ(error_of(rankings().clear("")), ErrorCode::invalid_argument);
}

TEST_P(RankingsContract, TakesPagesAndScoresWithinTheLimitsAndRefusesOthers) {
    run(rankings().set("gifts", "ada", 1));
    EXPECT_EQ(run(rankings().top("gifts", 0, ranking_page_max)).size(), 1u);
    EXPECT_EQ(error_of(rankings().top("gifts", 0, ranking_page_max + 1)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(rankings().top("gifts", 0, 0)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(rankings().set("gifts", "ada", std::nan(""))), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(rankings().add("gifts", "ada", INFINITY, "event")), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(rankings().set("", "ada", 1)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(rankings().set("gifts", std::string(key_bytes_max + 1, 'm'), 1)),
              ErrorCode::invalid_argument);
}

TEST_P(RealtimeContractConcurrent, EqualEventsFromManyThreadsCountOnce) {
    engines::testing::in_parallel(4, [&](int) {
        for (int i = 0; i < 200; ++i)
            run(rankings().add("gifts", "ada", 1, "event " + std::to_string(i)));
    });
    EXPECT_EQ(run(rankings().score("gifts", "ada")), 200);
}

// ---- presence ----------------------------------------------------------------------------------
TEST_P(PresenceContract, TellsTheLastReportUntilItIsOver) {
    EXPECT_EQ(run(presence().total("viewers:1")), 0);
    run(presence().report("viewers:1", 3));
    run(presence().report("viewers:1", 4));
    run(presence().report("viewers:2", 1));
    EXPECT_EQ(run(presence().total("viewers:1")), 4);
    clock_.advance(presence_lifetime - milliseconds(1));
    run(presence().report("viewers:2", 1));
    EXPECT_EQ(run(presence().total("viewers:1")), 4);
    clock_.advance(milliseconds(1));
    EXPECT_EQ(run(presence().total("viewers:1")), 0);
    EXPECT_EQ(run(presence().total("viewers:2")), 1);
}

TEST_P(PresenceContract, NoughtRemovesAndLessIsRefused) {
    run(presence().report("viewers:1", 3));
    run(presence().report("viewers:1", 0));
    EXPECT_EQ(run(presence().total("viewers:1")), 0);
    EXPECT_EQ(error_of(presence().report("viewers:1", -1)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(presence().report("", 1)), ErrorCode::invalid_argument);
}

TEST_P(PresenceContract, OneNameMayStandForEachOfThePortsThings) {
    put("viewers:1", "value");
    run(values().set_add("viewers:1", "member"));
    run(counters().add("viewers:1", 2, std::nullopt));
    run(rankings().add("viewers:1", "ada", 3, "event"));
    run(presence().report("viewers:1", 4));
    publish("viewers:1", "hello", {.messages_max = 1, .age_max = seconds(60)});
    EXPECT_EQ(get("viewers:1"), "value");
    EXPECT_EQ(run(values().set_members("viewers:1")), std::vector<std::string>{"member"});
    EXPECT_EQ(run(counters().get("viewers:1")), 2);
    EXPECT_EQ(run(rankings().score("viewers:1", "ada")), 3);
    EXPECT_EQ(run(presence().total("viewers:1")), 4);
}

TEST_P(PresenceContract, ANameMayHoldWhateverItLikes) {
    for (const auto& name :
         std::vector<std::string>{"viewers:", "}", "{}", "a}b{c", ":", "viewers:}:", {'\0', ' ', '\n'}}) {
        put(name, "value");
        run(values().set_add(name, "member"));
        run(counters().add(name, 2, std::nullopt));
        EXPECT_EQ(run(rankings().add(name, "ada", 3, "event")), 3) << name;
        run(presence().report(name, 4));
        EXPECT_EQ(run(presence().total(name)), 4) << name;
        ContextThread thread;
        Subscriber subscriber(engine(), thread, name);
        EXPECT_EQ(publish(name, "hello", {.messages_max = 1, .age_max = seconds(60)}).offset, 1u) << name;
        EXPECT_TRUE(engines::testing::eventually([&] { return subscriber.has_received(1); })) << name;
    }
}

TEST_P(PresenceContract, TheEngineAnswersItsCheck) {
    EXPECT_NO_THROW(run(engine().check()));
}

}  // namespace spaktok::realtime::contract
