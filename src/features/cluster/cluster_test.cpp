#include <atomic>
#include <mutex>

#include "features/cluster/lease.h"
#include "features/cluster/node_bus.h"
#include "features/testing/world.h"

namespace spaktok::cluster {

namespace asio = boost::asio;
using features_testing::eventually;
using features_testing::run;
using features_testing::World;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds life{300};

class Nodes : public World {
  public:
    Lease lease(const std::string& node) {
        return Lease({.values = realtime->key_values(),
                      .clock = steady,
                      .executor = executor(),
                      .name = "work",
                      .node_id = node,
                      .life = life});
    }
    NodeBus bus(const std::string& node) {
        return NodeBus({.topics = realtime->topics(), .executor = executor(), .node_id = node});
    }
    SystemClock steady;
};

TEST(Lease, IsHeldByOneNodeUntilItGivesItBack) {
    Nodes nodes;
    auto first = nodes.lease("a");
    auto second = nodes.lease("b");
    EXPECT_FALSE(first.held());
    run(first.start());
    ASSERT_TRUE(first.held());
    run(second.start());
    // Through several renewals.
    const auto until = nodes.steady.steady_now() + 4 * life;
    while (nodes.steady.steady_now() < until) {
        EXPECT_FALSE(second.held());
        std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_TRUE(first.held());
    run(first.stop());
    EXPECT_FALSE(first.held());
    EXPECT_TRUE(eventually([&] { return second.held(); }));
    run(second.stop());
}

TEST(Lease, OfANodeThatIsGoneGoesToAnother) {
    Nodes nodes;
    // As a node that was killed leaves it.
    run(nodes.realtime->key_values().put("lease:work", "gone",
                                         {.expires_after = life, .durable = false, .only_if_absent = true}));
    auto lease = nodes.lease("a");
    run(lease.start());
    EXPECT_FALSE(lease.held());
    nodes.clock.advance(life + milliseconds(1));  // the engine's clock
    EXPECT_TRUE(eventually([&] { return lease.held(); }));
    run(lease.stop());
}

TEST(Lease, IsNotHeldOnceTheEngineMayHaveGivenItAway) {
    Nodes nodes;
    auto lease = nodes.lease("a");
    run(lease.start());
    ASSERT_TRUE(lease.held());
    run(nodes.realtime->key_values().put("lease:work", "thief",
                                         {.expires_after = milliseconds(60'000), .durable = false}));
    EXPECT_TRUE(eventually([&] { return !lease.held(); }));
    EXPECT_EQ(run(nodes.realtime->key_values().get("lease:work")), "thief");
    run(lease.stop());
    EXPECT_EQ(run(nodes.realtime->key_values().get("lease:work")), "thief");
}

// An engine that lost what it had, and says what else it is told to.
class ForgetfulTopics final : public realtime::Topics {
  public:
    asio::awaitable<realtime::Position> publish(std::string, std::string, realtime::HistoryLimits) override {
        co_return realtime::Position{};
    }
    asio::awaitable<Subscribed> subscribe(std::string, std::optional<realtime::Position>,
                                          asio::any_io_executor, realtime::OnMessage on_message) override {
        say = std::move(on_message);
        co_return Subscribed{};
    }
    realtime::OnMessage say;
};

TEST(NodeBus, GoesOnAfterALossAndPastWhatItDoesNotUnderstand) {
    Nodes nodes;
    ForgetfulTopics topics;
    NodeBus bus({.topics = topics, .executor = nodes.executor(), .node_id = "a"});
    std::atomic<int> heard{0};
    bus.on("known", [&](json::Object) -> asio::awaitable<void> {
        ++heard;
        co_return;
    });
    run(bus.start());
    const auto say = [&](std::shared_ptr<const std::string> payload) {
        asio::post(nodes.executor(),
                   [&topics, payload] { topics.say({.position = {"epoch", 1}, .payload = payload}); });
    };
    say(nullptr);
    for (const auto* text : {"", "[]", R"({"node":1})", R"({"node":"b","type":"known"})",
                             R"({"node":"b","type":"known","body":7})"})
        say(std::make_shared<const std::string>(text));
    say(std::make_shared<const std::string>(R"({"node":"b","type":"known","body":{}})"));
    EXPECT_TRUE(eventually([&] { return heard == 1; }));
    run(bus.stop());
}

TEST(NodeBus, TellsTheOtherNodesInOrder) {
    Nodes nodes;
    auto sender = nodes.bus("a");
    auto listener = nodes.bus("b");
    std::mutex mutex;
    std::vector<std::int64_t> heard;
    std::atomic<int> own{0};
    sender.on("number", [&](json::Object) -> asio::awaitable<void> {
        ++own;
        co_return;
    });
    listener.on("number", [&](json::Object body) -> asio::awaitable<void> {
        const std::lock_guard lock(mutex);
        heard.push_back(body.at("number").as_int64());
        if (heard.back() == 1) throw Error(ErrorCode::internal, "one that fails stops no other");
        co_return;
    });
    run(sender.start());
    run(listener.start());
    for (int number = 0; number < 5; ++number) {
        run(sender.tell("unknown", {}));
        run(sender.tell("number", {{"number", number}}));
    }
    EXPECT_TRUE(eventually([&] {
        const std::lock_guard lock(mutex);
        return heard == std::vector<std::int64_t>{0, 1, 2, 3, 4};
    }));
    EXPECT_EQ(own, 0);
    run(sender.stop());
    run(listener.stop());
}

}  // namespace
}  // namespace spaktok::cluster
