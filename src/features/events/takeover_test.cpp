// The process that delivers events is killed at every step of a delivery, and another one takes over.
#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>

#include "features/events/events.h"
#include "features/testing/deadly_engines.h"
#include "features/testing/world.h"

namespace spaktok::events {

namespace asio = boost::asio;
using engines::testing::reported_before_kill;
using features_testing::Deadly;
using features_testing::DeadlyDatabase;
using features_testing::eventually;
using features_testing::Places;
using features_testing::run;
using features_testing::Step;
using features_testing::World;

namespace {

// Five events of two aggregates, in passes of two.
constexpr std::array<std::pair<const char*, int>, 5> committed{
    {{"a", 1}, {"b", 1}, {"a", 2}, {"b", 2}, {"a", 3}}};
constexpr std::int64_t batch_events = 2;

constexpr relational::Statement insert_notification{
    .name = "test_insert_notification",
    .sql =
        "INSERT INTO notifications (id, user_id, type, content, event_id) VALUES ($1, $2, 'test', '', $3) "
        "ON CONFLICT DO NOTHING",
    .mode = relational::Mode::write};
constexpr relational::Statement list_notifications{.name = "test_list_notifications",
                                                   .sql = "SELECT event_id FROM notifications",
                                                   .mode = relational::Mode::read};

// What the second consumer keeps, as a document.
struct Told {
    ObjectId _id;
    Uuid event_id;
};
BOOST_DESCRIBE_STRUCT(Told, (), (_id, event_id))
constexpr std::string_view told_event_id = "test_told_event_id";

// What consumers saw, as one number each, in the order in which they saw it: of the process that was killed,
// then of the one that took over.
constexpr std::int64_t at_the_step = -1;
constexpr std::array<const char*, 2> consumers{"first", "second"};
std::int64_t seen(std::size_t consumer, const Event& event) {
    return static_cast<std::int64_t>(consumer) * 1000 + (event.aggregate_id == "b" ? 100 : 0) +
           event.payload.at("number").as_int64();
}
using Seen = std::vector<std::int64_t>;

// Two consumers of a process: one that keeps what it is told in the relational engine and one that does in
// the document engine, each once by the event's id. `report` is called with what is seen; `reach` between the
// steps.
class Consumers {
  public:
    Consumers(World& world, document::Store& documents, UserId user, std::function<void(std::int64_t)> report,
              std::function<void(std::string_view)> reach)
        : world_(world),
          told_(documents, "test_told"),
          user_(user),
          report_(std::move(report)),
          reach_(std::move(reach)) {
        run(told_.ensure(
            {{.name = std::string(told_event_id), .fields = {{.field = "event_id"}}, .unique = true}}));
    }

    // `fails` says whether the second one throws, before it keeps anything.
    void subscribe(Dispatcher& dispatcher, std::function<bool(const Event&)> fails) {
        dispatcher.subscribe("x", [this](const Event& event) -> asio::awaitable<void> {
            reach_("before the first consumer");
            report_(seen(0, event));
            const auto id = Uuid::v7(world_.clock.now(), system_random_);
            co_await world_.database->query(insert_notification, id, user_, event.id);
            reach_("after the first consumer");
        });
        dispatcher.subscribe(
            "x", [this, fails = std::move(fails)](const Event& event) -> asio::awaitable<void> {
                reach_("before the second consumer");
                if (fails(event)) throw Error(ErrorCode::unavailable, "not now");
                report_(seen(1, event));
                bool repeated = false;
                try {
                    co_await told_.insert(
                        {._id = ObjectId::make(world_.clock.now(), system_random_), .event_id = event.id});
                } catch (const document::DuplicateKey&) {
                    repeated = true;
                }
                reach_(repeated ? "after the second consumer had it again" : "after the second consumer");
            });
    }

    std::vector<Uuid> kept_by_first() {
        std::vector<Uuid> ids;
        for (const auto row : run(world_.database->query(list_notifications)))
            ids.push_back(row.get<Uuid>("event_id"));
        std::ranges::sort(ids);
        return ids;
    }
    std::vector<Uuid> kept_by_second() {
        std::vector<Uuid> ids;
        for (const auto& told : run(told_.find({})))
            ids.push_back(told.event_id);
        std::ranges::sort(ids);
        return ids;
    }

  private:
    World& world_;
    SystemRandom system_random_;
    document::Collection<Told> told_;
    UserId user_;
    std::function<void(std::int64_t)> report_;
    std::function<void(std::string_view)> reach_;
};

struct Prepared {
    UserId user;
    std::vector<Uuid> events;
};
// Commits the events, and leaves no thread behind.
Prepared prepare(Places& places) {
    World world({.places = &places});
    Prepared prepared{.user = world.add_user("ada").id, .events = {}};
    for (const auto& [aggregate, number] : committed) {
        Event event{.id = next_id(world.clock.now(), world.random),
                    .aggregate_type = "thing",
                    .aggregate_id = aggregate,
                    .type = "x",
                    .payload = {{"number", number}}};
        prepared.events.push_back(event.id);
        run(world.database->transaction(
            [event](relational::Transaction& tx) -> asio::awaitable<void> { co_await append(tx, event); }));
    }
    return prepared;
}

// Delivers until it is killed at the step. The second consumer fails the first time with the second event of
// "a".
Seen deliver_and_die(Places& places, UserId user, const Step& step) {
    return reported_before_kill(SIZE_MAX, [&](const std::function<void(std::int64_t)>& report) {
        features_testing::begin_child();
        World world({.places = &places});
        Deadly deadly(step, [&] { report(at_the_step); });
        DeadlyDatabase database(*world.database, deadly);
        const auto documents = world.open_documents();
        Consumers both(world, *documents, user, report, [&](std::string_view name) { deadly.reach(name); });
        Dispatcher dispatcher({.database = database,
                               .clock = world.clock,
                               .executor = world.executor(),
                               .poll_interval = std::chrono::milliseconds(10),
                               .batch_events_max = batch_events});
        bool has_failed = false;
        both.subscribe(dispatcher, [&](const Event& event) {
            return seen(1, event) == 1002 && !std::exchange(has_failed, true);
        });
        dispatcher.start();
        for (;;)
            ::pause();
    });
}

// Of each aggregate, what this consumer saw.
std::map<std::string, Seen> by_aggregate(const Seen& all, std::size_t consumer) {
    std::map<std::string, Seen> result;
    for (const auto one : all) {
        if (one / 1000 != static_cast<std::int64_t>(consumer)) continue;
        result[one % 1000 >= 100 ? "b" : "a"].push_back(one % 100);
    }
    return result;
}
// Without what it had seen before.
Seen first_times(const Seen& all) {
    Seen result;
    for (const auto one : all) {
        if (std::ranges::find(result, one) == result.end()) result.push_back(one);
    }
    return result;
}

struct NamedStep {
    std::string test;
    Step step;
    friend void PrintTo(const NamedStep& named, std::ostream* out) { *out << named.step.name; }
};
class EventTakeover : public testing::TestWithParam<NamedStep> {};

TEST_P(EventTakeover, DeliversEverythingToEveryConsumerInOrderAndKeepsItOnce) {
    Places places;
    const auto [user, events] = prepare(places);
    Seen before = deliver_and_die(places, user, GetParam().step);
    ASSERT_FALSE(before.empty());
    ASSERT_EQ(before.back(), at_the_step) << "it ended elsewhere";
    before.pop_back();

    World world({.places = &places});
    const auto documents = world.open_documents();
    std::mutex mutex;
    Seen after;
    Consumers both(
        world, *documents, user,
        [&](std::int64_t one) {
            const std::scoped_lock lock(mutex);
            after.push_back(one);
        },
        [](std::string_view) {});
    both.subscribe(world.events, [](const Event&) { return false; });
    world.events.start();
    EXPECT_TRUE(eventually([&] { return world.outbox_size() == 0; }));
    run(world.events.stop());

    Seen all = before;
    all.insert(all.end(), after.begin(), after.end());
    for (std::size_t consumer = 0; consumer < consumers.size(); ++consumer) {
        SCOPED_TRACE(consumers[consumer]);
        auto seen_of = by_aggregate(all, consumer);
        EXPECT_EQ(first_times(seen_of["a"]), (Seen{1, 2, 3}));
        EXPECT_EQ(first_times(seen_of["b"]), (Seen{1, 2}));
        // Who takes over begins with what was not deleted, and repeats nothing.
        for (const auto& [aggregate, numbers] : by_aggregate(after, consumer)) {
            EXPECT_EQ(numbers, first_times(numbers)) << aggregate;
            EXPECT_TRUE(std::ranges::is_sorted(numbers)) << aggregate;
        }
    }
    auto sorted = events;
    std::ranges::sort(sorted);
    EXPECT_EQ(both.kept_by_first(), sorted);
    EXPECT_EQ(both.kept_by_second(), sorted);
}

INSTANTIATE_TEST_SUITE_P(
    Steps, EventTakeover,
    testing::Values(
        NamedStep{"BeforeTheOutboxIsRead", {"before list_outbox_events"}},
        NamedStep{"WithTheOutboxRead", {"after list_outbox_events"}},
        NamedStep{"BeforeTheFirstConsumer", {"before the first consumer"}},
        NamedStep{"AfterTheFirstConsumer", {"after the first consumer"}},
        NamedStep{"BeforeTheSecondConsumer", {"before the second consumer"}},
        NamedStep{"AfterTheSecondConsumer", {"after the second consumer"}},
        NamedStep{"BetweenTwoEventsOfABatch", {"before the first consumer", 2}},
        NamedStep{"BeforeTheDelete", {"before delete_outbox_events"}},
        NamedStep{"DuringTheDelete", {"during delete_outbox_events"}},
        NamedStep{"AfterTheDelete", {"after delete_outbox_events"}},
        NamedStep{"WithTheNextBatchRead", {"after list_outbox_events", 2}},
        NamedStep{"BeforeAFailureIsCounted", {"before count_outbox_attempt"}},
        NamedStep{"DuringTheCountOfAFailure", {"during count_outbox_attempt"}},
        NamedStep{"AfterAFailureIsCounted", {"after count_outbox_attempt"}},
        NamedStep{"BeforeOthersAreDeletedThanTheOneThatFailed", {"before delete_outbox_events", 2}},
        NamedStep{"AfterOthersAreDeletedThanTheOneThatFailed", {"after delete_outbox_events", 2}}),
    [](const auto& info) { return info.param.test; });

// A lease is no lock: for a moment two may deliver.
TEST(Outbox, IsKeptOnceByConsumersWhereTwoDeliverAtOnce) {
    Places places;
    const auto [user, events] = prepare(places);
    World world({.places = &places});
    World other({.places = &places});
    const auto documents = world.open_documents();
    const auto other_documents = other.open_documents();
    std::atomic<int> count{0};
    const auto report = [&](std::int64_t) { ++count; };
    const auto ignore = [](std::string_view) {};
    Consumers here(world, *documents, user, report, ignore);
    Consumers there(other, *other_documents, user, report, ignore);
    here.subscribe(world.events, [](const Event&) { return false; });
    there.subscribe(other.events, [](const Event&) { return false; });
    world.events.start();
    other.events.start();
    EXPECT_TRUE(eventually([&] { return world.outbox_size() == 0; }));
    run(world.events.stop());
    run(other.events.stop());
    EXPECT_GE(count, 2 * static_cast<int>(events.size()));
    auto sorted = events;
    std::ranges::sort(sorted);
    EXPECT_EQ(here.kept_by_first(), sorted);
    EXPECT_EQ(there.kept_by_second(), sorted);
}

}  // namespace
}  // namespace spaktok::events
