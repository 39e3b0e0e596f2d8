// The contract's part on topics.
#include <atomic>
#include <thread>

#include "engines/realtime/limits.h"
#include "engines/realtime/realtime_contract_suite.h"

namespace spaktok::realtime::contract {

using engines::testing::error_of;
using engines::testing::eventually;
using engines::testing::run;
using std::chrono::minutes;
using std::chrono::seconds;
using Payloads = std::vector<std::string>;

namespace {

constexpr HistoryLimits kept{.messages_max = 3, .age_max = seconds(60)};

Payloads payloads_of(const std::vector<TopicMessage>& messages) {
    Payloads result;
    for (const auto& message : messages)
        result.push_back(*message.payload);
    return result;
}

}  // namespace

TEST_P(TopicsContract, OffsetsGrowByOneInOneEpochATopic) {
    const Position first = publish("room:1", "a", kept);
    const Position second = publish("room:1", "b", kept);
    const Position other = publish("room:2", "a", kept);
    EXPECT_EQ(first.offset, 1u);
    EXPECT_EQ(second.offset, 2u);
    EXPECT_EQ(other.offset, 1u);
    EXPECT_FALSE(first.epoch.empty());
    EXPECT_EQ(first.epoch, second.epoch);
}

TEST_P(TopicsContract, SubscribersOfAllThreadsHearInOrderWhatComesAfterThem) {
    ContextThread one;
    ContextThread two;
    publish("room:1", "before", kept);
    Subscriber a(engine(), one, "room:1");
    Subscriber b(engine(), one, "room:1");
    Subscriber c(engine(), two, "room:1");
    Subscriber elsewhere(engine(), two, "room:2");
    const Position first = publish("room:1", "x", kept);
    publish("room:1", "y", kept);
    for (const Subscriber* each : {&a, &b, &c}) {
        EXPECT_TRUE(eventually([&] { return each->has_received(2); }));
        EXPECT_EQ(each->payloads(), (Payloads{"x", "y"}));
        EXPECT_EQ(each->received()[0].position, first);
    }
    // One payload in memory, however many have it.
    EXPECT_EQ(a.received()[0].payload, c.received()[0].payload);
    two.settle();
    EXPECT_TRUE(elsewhere.payloads().empty());
}

TEST_P(TopicsContract, WhatIsNotKeptHasNoOffsetAndIsNotRecovered) {
    ContextThread thread;
    const Position kept_position = publish("room:1", "kept", kept);
    Subscriber subscriber(engine(), thread, "room:1", kept_position);
    EXPECT_EQ(publish("room:1", "heart").offset, 0u);
    EXPECT_EQ(publish("room:1", "next", kept).offset, 2u);
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(2); }));
    EXPECT_EQ(subscriber.payloads(), (Payloads{"heart", "next"}));
    EXPECT_EQ(subscriber.received()[0].position.offset, 0u);
    Subscriber back(engine(), thread, "room:1", kept_position);
    EXPECT_EQ(payloads_of(back.recovered().messages), Payloads{"next"});
    publish("room:nobody", "heart");
}

TEST_P(TopicsContract, RecoversExactlyWhatWasMissedOrSaysReload) {
    ContextThread thread;
    Position last;
    for (const char* payload : {"1", "2", "3", "4", "5"})
        last = publish("room:1", payload, kept);
    const std::string epoch = last.epoch;
    const struct {
        std::optional<Position> since;
        bool complete;
        Payloads messages;
    } cases[] = {
        {std::nullopt, true, {}},
        {Position{epoch, 5}, true, {}},
        {Position{epoch, 4}, true, {"5"}},
        {Position{epoch, 2}, true, {"3", "4", "5"}},
        {Position{epoch, 1}, false, {}},  // "2" is no longer kept
        {Position{epoch, 0}, false, {}},
        {Position{epoch, 6}, false, {}},  // from a future that never was
        {Position{epoch, UINT64_MAX}, false, {}},
        {Position{"another", 4}, false, {}},
        {Position{"", 0}, false, {}},
    };
    for (const auto& each : cases) {
        Subscriber subscriber(engine(), thread, "room:1", each.since);
        EXPECT_EQ(subscriber.recovered().complete, each.complete);
        EXPECT_EQ(payloads_of(subscriber.recovered().messages), each.messages);
        EXPECT_EQ(subscriber.recovered().position, last);
    }
}

TEST_P(TopicsContract, RecoveredMessagesCarryTheirPositions) {
    ContextThread thread;
    const Position first = publish("room:1", "1", kept);
    const Position second = publish("room:1", "2", kept);
    const Position third = publish("room:1", "3", kept);
    Subscriber subscriber(engine(), thread, "room:1", first);
    ASSERT_EQ(subscriber.recovered().messages.size(), 2u);
    EXPECT_EQ(subscriber.recovered().messages[0].position, second);
    EXPECT_EQ(subscriber.recovered().messages[1].position, third);
}

TEST_P(TopicsContract, ANewTopicTellsWhoComesFromElsewhereToReload) {
    ContextThread thread;
    Subscriber subscriber(engine(), thread, "room:new", Position{"unknown", 3});
    EXPECT_FALSE(subscriber.recovered().complete);
    EXPECT_EQ(subscriber.recovered().position.offset, 0u);
    const Position first = publish("room:new", "1", kept);
    EXPECT_EQ(first.epoch, subscriber.recovered().position.epoch);
    Subscriber back(engine(), thread, "room:new", subscriber.recovered().position);
    EXPECT_TRUE(back.recovered().complete);
    EXPECT_EQ(payloads_of(back.recovered().messages), Payloads{"1"});
}

TEST_P(TopicsContract, HistoryForgetsByAge) {
    ContextThread thread;
    const Position first = publish("room:1", "1", kept);
    clock_.advance(seconds(30));
    publish("room:1", "2", kept);
    clock_.advance(seconds(29));
    EXPECT_TRUE(Subscriber(engine(), thread, "room:1", Position{first.epoch, 0}).recovered().complete);
    clock_.advance(seconds(1));
    EXPECT_FALSE(Subscriber(engine(), thread, "room:1", Position{first.epoch, 0}).recovered().complete);
    Subscriber second(engine(), thread, "room:1", first);
    EXPECT_EQ(payloads_of(second.recovered().messages), Payloads{"2"});
    clock_.advance(seconds(30));
    EXPECT_FALSE(Subscriber(engine(), thread, "room:1", first).recovered().complete);
    // Nothing was missed, so nothing need be reloaded, however old it is.
    EXPECT_TRUE(Subscriber(engine(), thread, "room:1", Position{first.epoch, 2}).recovered().complete);
}

TEST_P(TopicsContract, AfterUnsubscribingNothingIsHeard) {
    ContextThread thread;
    Subscriber leaving(engine(), thread, "room:1");
    Subscriber staying(engine(), thread, "room:1");
    leaving.unsubscribe();
    publish("room:1", "x");
    EXPECT_TRUE(eventually([&] { return staying.has_received(1); }));
    EXPECT_TRUE(leaving.payloads().empty());
}

TEST_P(TopicsContract, ACallbackMayEndItsOwnAndOthersSubscriptions) {
    ContextThread thread;
    std::vector<std::unique_ptr<Subscription>> subscriptions(3);
    std::vector<std::string> heard;  // touched on the thread only
    const auto subscribe = [&](std::size_t place, OnMessage on_message) {
        auto subscribed = thread.run(topics().subscribe(
            "room:1", std::nullopt, thread.context().get_executor(), std::move(on_message)));
        thread.call([&] { subscriptions[place] = std::move(subscribed.subscription); });
    };
    subscribe(0, [&](const TopicMessage& message) {
        heard.push_back("first " + *message.payload);
        subscriptions[1].reset();
        subscriptions[0].reset();
    });
    subscribe(1, [&](const TopicMessage& message) { heard.push_back("second " + *message.payload); });
    subscribe(2, [&](const TopicMessage& message) { heard.push_back("third " + *message.payload); });
    publish("room:1", "a");
    publish("room:1", "b");
    EXPECT_TRUE(eventually([&] {
        bool done = false;
        thread.call([&] { done = std::find(heard.begin(), heard.end(), "third b") != heard.end(); });
        return done;
    }));
    thread.call([&] {
        EXPECT_EQ(std::count(heard.begin(), heard.end(), "first a"), 1);
        EXPECT_EQ(std::count(heard.begin(), heard.end(), "first b"), 0);
        EXPECT_EQ(std::count(heard.begin(), heard.end(), "second b"), 0);
        EXPECT_EQ(std::count(heard.begin(), heard.end(), "third a"), 1);
        subscriptions.clear();
    });
}

TEST_P(TopicsContract, AGracefulStopKeepsHistoriesAndTheirEpochs) {
    ContextThread thread;
    const Position first = publish("room:1", "1", kept);
    const std::string bytes("\0\xff", 2);
    const Position second = publish("room:1", bytes, kept);
    stop_and_start();
    Subscriber subscriber(engine(), thread, "room:1", first);
    EXPECT_TRUE(subscriber.recovered().complete);
    EXPECT_EQ(payloads_of(subscriber.recovered().messages), Payloads{bytes});
    EXPECT_EQ(subscriber.recovered().position, second);
    EXPECT_EQ(publish("room:1", "3", kept), (Position{first.epoch, 3}));
    stop_and_start();
    Subscriber again(engine(), thread, "room:1", second);
    EXPECT_EQ(payloads_of(again.recovered().messages), Payloads{"3"});
}

TEST_P(TopicsContract, ACrashBeginsANewEpoch) {
    ContextThread thread;
    const Position before_stop = publish("room:1", "1", kept);
    stop_and_start();
    // What was saved by the stop must not come back either: it lacks what was published since.
    const Position after_stop = publish("room:1", "2", kept);
    EXPECT_EQ(after_stop.epoch, before_stop.epoch);
    drop_and_start();
    Subscriber subscriber(engine(), thread, "room:1", before_stop);
    EXPECT_FALSE(subscriber.recovered().complete);
    EXPECT_NE(publish("room:1", "3", kept).epoch, before_stop.epoch);
}

// A message without a payload says that everything up to its position is lost.
TEST_P(TopicsContract, WhoListensThroughACrashHearsAllThatFollowsOrIsToldOfTheLoss) {
    ContextThread thread;
    Subscriber subscriber(engine(), thread, "room:1");
    publish("room:1", "before", kept);
    EXPECT_TRUE(eventually([&] { return subscriber.has_received(1); }));
    place_->crash();
    const auto hears_again = [&] {
        try {
            publish("room:1", "after", kept);
        } catch (const Error&) {
            return false;
        }
        const auto received = subscriber.received();
        return received.size() > 1 && received.back().payload != nullptr;
    };
    EXPECT_TRUE(eventually(hears_again));
    const auto received = subscriber.received();
    Position at = received.front().position;
    for (std::size_t i = 1; i < received.size(); ++i) {
        if (received[i].payload != nullptr)
            EXPECT_EQ(received[i].position, (Position{at.epoch, at.offset + 1}));
        at = received[i].position;
    }
}

TEST_P(TopicsContract, AfterStopNothingIsPublished) {
    run(engine().stop());
    EXPECT_EQ(error_of(topics().publish("room:1", "x", kept)), ErrorCode::unavailable);
    EXPECT_NO_THROW(run(engine().stop()));
}

TEST_P(TopicsContract, TakesWhatIsAtTheLimitsAndRefusesWhatIsPastThem) {
    const auto published = [&](std::size_t topic, std::size_t payload, HistoryLimits history) {
        return topics().publish(std::string(topic, 't'), std::string(payload, 'p'), history);
    };
    const HistoryLimits most{.messages_max = history_messages_max, .age_max = history_age_max};
    EXPECT_EQ(run(published(topic_bytes_max, payload_bytes_max, most)).offset, 1u);
    EXPECT_EQ(error_of(published(topic_bytes_max + 1, 1, most)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(published(0, 1, most)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(published(1, payload_bytes_max + 1, most)), ErrorCode::payload_too_large);
    EXPECT_EQ(error_of(published(1, 1, {.messages_max = history_messages_max + 1, .age_max = seconds(1)})),
              ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(published(1, 1, {.messages_max = 1, .age_max = history_age_max + seconds(1)})),
              ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(published(1, 1, {.messages_max = 1, .age_max = seconds(0)})),
              ErrorCode::invalid_argument);
}

// The law: what a subscriber recovered and then heard is, without gap or repetition, everything after where
// it was.
TEST_P(RealtimeContractConcurrent, SubscribingWhilePublishingLosesNothingAndRepeatsNothing) {
    constexpr std::uint64_t messages = 3'000;
    constexpr HistoryLimits all{.messages_max = 10'000, .age_max = seconds(60)};
    const Position start = publish("room:1", "0", all);
    std::atomic<bool> done{false};
    std::thread publisher([&] {
        for (std::uint64_t i = 1; i <= messages; ++i)
            publish("room:1", std::to_string(i), all);
        done = true;
    });
    ContextThread threads[2];
    std::atomic<int> rounds{0};
    engines::testing::in_parallel(2, [&](int index) {
        ContextThread& thread = threads[index];
        Position at = start;
        // Each round subscribes where the last one ended, hears a little, and leaves.
        for (bool last = false; !last; ++rounds) {
            last = done;
            Subscriber subscriber(engine(), thread, "room:1", at);
            ASSERT_TRUE(subscriber.recovered().complete);
            if (!last) eventually([&] { return subscriber.has_received(1) || done; });
            subscriber.unsubscribe();
            auto all_messages = subscriber.recovered().messages;
            for (const auto& message : subscriber.received())
                all_messages.push_back(message);
            for (const auto& message : all_messages) {
                ASSERT_EQ(message.position.offset, at.offset + 1);
                ASSERT_EQ(*message.payload, std::to_string(at.offset));
                at = message.position;
            }
        }
        EXPECT_EQ(at.offset, messages + 1);
    });
    publisher.join();
    EXPECT_GE(rounds, 2);
}

TEST_P(RealtimeContractConcurrent, EverySubscriberHearsEachPublishersMessagesInOrder) {
    constexpr int publishers = 3;
    constexpr int messages = 300;
    ContextThread threads[2];
    std::vector<std::unique_ptr<Subscriber>> subscribers;
    for (int i = 0; i < 10; ++i) {
        subscribers.push_back(std::make_unique<Subscriber>(engine(), threads[i % 2], "room:1"));
    }
    engines::testing::in_parallel(publishers, [&](int publisher) {
        for (int i = 0; i < messages; ++i)
            publish("room:1", std::to_string(publisher * messages + i));
    });
    for (const auto& subscriber : subscribers) {
        ASSERT_TRUE(eventually([&] { return subscriber->has_received(publishers * messages); }));
        std::vector<int> next(publishers, 0);
        for (const auto& payload : subscriber->payloads()) {
            const int number = std::stoi(payload);
            EXPECT_EQ(number % messages, next[static_cast<std::size_t>(number / messages)]++);
        }
    }
}

}  // namespace spaktok::realtime::contract
