#include "features/events/events.h"

#include <mutex>

#include "features/testing/world.h"

namespace spaktok::events {

namespace asio = boost::asio;
using features_testing::eventually;
using features_testing::run;
using features_testing::World;

namespace {

// What consumers were given, by any thread.
class Received {
  public:
    void add(std::string what) {
        const std::lock_guard lock(mutex_);
        what_.push_back(std::move(what));
    }
    std::vector<std::string> all() const {
        const std::lock_guard lock(mutex_);
        return what_;
    }
    std::size_t size() const { return all().size(); }

  private:
    mutable std::mutex mutex_;
    std::vector<std::string> what_;
};

void commit(World& world, std::string aggregate, std::string type, int number) {
    Event event{.id = next_id(world.clock.now(), world.random),
                .aggregate_type = "thing",
                .aggregate_id = std::move(aggregate),
                .type = std::move(type),
                .payload = {{"number", number}}};
    run(world.database->transaction(
        [event](relational::Transaction& tx) -> asio::awaitable<void> { co_await append(tx, event); }));
}

std::string text_of(const Event& event) {
    return event.aggregate_id + " " + event.type + " " +
           std::to_string(event.payload.at("number").as_int64());
}
Consumer recorder(Received& received) {
    return [&received](const Event& event) -> asio::awaitable<void> {
        received.add(text_of(event));
        co_return;
    };
}

TEST(EventIds, GrowWithinOneMillisecondAndWhenTheClockGoesBack) {
    SeededRandom random(7);
    const auto start = *parse_rfc3339("2099-01-31T08:00:00Z");
    Uuid last;
    for (int i = 0; i < 2000; ++i) {
        const auto id = next_id(start - std::chrono::milliseconds{i % 3}, random);
        EXPECT_GT(id, last);
        EXPECT_EQ(id.to_string()[14], '7');
        EXPECT_THAT(id.to_string().substr(19, 1), testing::MatchesRegex("[89ab]"));
        last = id;
    }
    EXPECT_EQ(last.timestamp(), start);
}

TEST(Outbox, LosesTheEventWithItsTransaction) {
    World world;
    const auto doomed = [&] {
        Event event{.id = next_id(world.clock.now(), world.random),
                    .aggregate_type = "thing",
                    .aggregate_id = "a",
                    .type = "x",
                    .payload = {}};
        run(world.database->transaction([event](relational::Transaction& tx) -> asio::awaitable<void> {
            co_await append(tx, event);
            throw Error(ErrorCode::conflict, "no");
        }));
    };
    EXPECT_EQ(features_testing::failure_of(doomed), "conflict");
    EXPECT_EQ(world.outbox_size(), 0);
    commit(world, "a", "x", 1);
    EXPECT_EQ(world.outbox_size(), 1);
}

TEST(Outbox, IsDeliveredInOrderToEveryConsumerAndThenEmpty) {
    World world;
    Received first;
    Received second;
    world.events.subscribe("x", recorder(first));
    world.events.subscribe("x", recorder(second));
    world.events.subscribe("y", recorder(first));
    std::vector<std::string> expected;
    for (int i = 0; i < 450; ++i) {  // more than two batches, all in one millisecond
        commit(world, "a", i % 2 == 0 ? "x" : "y", i);
        expected.push_back("a " + std::string(i % 2 == 0 ? "x " : "y ") + std::to_string(i));
    }
    commit(world, "a", "nobody listens", 0);
    world.events.start();
    EXPECT_TRUE(eventually([&] { return world.outbox_size() == 0; }));
    EXPECT_EQ(first.all(), expected);
    EXPECT_EQ(second.size(), 225u);
}

TEST(Outbox, IsDeliveredByTheOneThatMayAndOthersPokeIt) {
    World world;
    Received received;
    std::atomic<bool> is_other_asleep{true};
    std::atomic<int> pokes{0};
    Dispatcher other({.database = *world.database,
                      .clock = world.clock,
                      .executor = world.executor(),
                      .poll_interval = std::chrono::milliseconds(20),
                      .may_deliver = [&] { return !is_other_asleep; },
                      .poke_other = [&]() -> asio::awaitable<void> {
                          ++pokes;
                          co_return;
                      }});
    other.subscribe("x", recorder(received));
    other.start();
    commit(world, "a", "x", 1);
    other.poke();
    EXPECT_TRUE(eventually([&] { return pokes == 1; }));
    commit(world, "a", "x", 2);  // whoever does not deliver finds nothing to say by itself
    EXPECT_EQ(received.size(), 0U);
    is_other_asleep = false;
    EXPECT_TRUE(eventually([&] { return world.outbox_size() == 0; }));
    EXPECT_EQ(received.size(), 2U);
    EXPECT_EQ(pokes, 1);
    run(other.stop());
}

TEST(Outbox, IsReadAtOnceAfterAPoke) {
    World world;
    Received received;
    world.events.subscribe("x", recorder(received));
    world.events.start();
    for (int i = 0; i < 20; ++i) {
        const auto before = std::chrono::steady_clock::now();
        commit(world, "a", "x", i);
        world.events.poke();
        ASSERT_TRUE(eventually([&] { return received.size() == static_cast<std::size_t>(i + 1); }));
        EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{20});
    }
}

TEST(Outbox, HoldsBackOnlyTheAggregateWhoseEventFails) {
    World world;
    Received received;
    std::atomic<int> failures{0};
    std::atomic<bool> is_broken{true};
    world.events.subscribe("x", [&](const Event& event) -> asio::awaitable<void> {
        if (is_broken && event.aggregate_id == "bad" && event.payload.at("number").as_int64() == 2) {
            ++failures;
            throw Error(ErrorCode::unavailable, "not now");
        }
        received.add(text_of(event));
        co_return;
    });
    for (int i = 1; i <= 3; ++i) {
        commit(world, "bad", "x", i);
        commit(world, "good", "x", i);
    }
    world.events.start();
    EXPECT_TRUE(eventually([&] { return world.outbox_size() == 2; }));
    EXPECT_EQ(received.all(), (std::vector<std::string>{"bad x 1", "good x 1", "good x 2", "good x 3"}));
    world.events.poke();
    commit(world, "good", "x", 4);
    world.events.poke();
    EXPECT_TRUE(eventually([&] { return received.size() == 5; }));
    EXPECT_EQ(failures, 1);  // the clock stands still: it is not its time yet
    is_broken = false;
    world.clock.advance(std::chrono::seconds{31});
    world.events.poke();
    EXPECT_TRUE(eventually([&] { return world.outbox_size() == 0; }));
    const auto all = received.all();
    EXPECT_EQ(std::vector<std::string>(all.end() - 2, all.end()),
              (std::vector<std::string>{"bad x 2", "bad x 3"}));
}

TEST(Outbox, SurvivesAStopAndIsDeliveredByTheNext) {
    World world;
    Received received;
    {
        Dispatcher stopped({.database = *world.database, .clock = world.clock, .executor = world.executor()});
        stopped.subscribe("x", recorder(received));
        run(stopped.stop());
        stopped.start();
        commit(world, "a", "x", 1);
        stopped.poke();
    }
    EXPECT_EQ(world.outbox_size(), 1);
    world.events.subscribe("x", recorder(received));
    world.events.start();
    EXPECT_TRUE(eventually([&] { return world.outbox_size() == 0; }));
    EXPECT_EQ(received.all(), (std::vector<std::string>{"a x 1"}));
}

TEST(Outbox, FinishesTheDeliveryUnderWayWhenStopped) {
    World world;
    Received received;
    std::atomic<bool> entered{false};
    std::atomic<bool> may_go_on{false};
    world.events.subscribe("x", [&](const Event& event) -> asio::awaitable<void> {
        entered = true;
        while (!may_go_on)
            co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        received.add(text_of(event));
    });
    commit(world, "a", "x", 1);
    commit(world, "a", "x", 2);
    world.events.start();
    ASSERT_TRUE(eventually([&] { return entered.load(); }));
    asio::io_context context(1);
    bool stopped = false;
    asio::co_spawn(context, world.events.stop(), [&](std::exception_ptr error) { stopped = !error; });
    context.run_for(std::chrono::milliseconds{1});
    EXPECT_FALSE(stopped);
    may_go_on = true;
    context.run();
    EXPECT_TRUE(stopped);
    EXPECT_EQ(received.all(), (std::vector<std::string>{"a x 1"}));
    EXPECT_EQ(world.outbox_size(), 1);
}

}  // namespace
}  // namespace spaktok::events
