#include "features/events/events.h"

#include <atomic>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/assert.h"
#include "base/deadline.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/task_group.h"

namespace spaktok::events {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

constexpr Statement insert_events{
    .name = "insert_outbox_events",
    .sql =
        "INSERT INTO outbox (id, aggregate_type, aggregate_id, event_type, payload, created_at) "
        "SELECT value->>'id', value->>'aggregate_type', value->>'aggregate_id', value->>'type', "
        "value->'payload', $1 FROM json_each($2)",
    .postgres_sql =
        "INSERT INTO outbox (id, aggregate_type, aggregate_id, event_type, payload, created_at) "
        "SELECT id, aggregate_type, aggregate_id, type, payload, CAST($1 AS TIMESTAMP WITH TIME ZONE) "
        "FROM jsonb_to_recordset($2) AS e (id UUID, aggregate_type VARCHAR, aggregate_id VARCHAR, type "
        "VARCHAR, payload JSONB)",
    .mode = Mode::write};
constexpr Statement list_events{
    .name = "list_outbox_events",
    .sql =
        "SELECT id, aggregate_type, aggregate_id, event_type, payload, attempts FROM outbox "
        "WHERE id > $1 ORDER BY id LIMIT $2",
    .mode = Mode::read};
// Without an index of its own: the table holds what is on its way, which is little.
constexpr Statement find_waiting{
    .name = "find_outbox_events_of_aggregate",
    .sql = "SELECT id FROM outbox WHERE aggregate_type = $1 AND aggregate_id = $2 LIMIT 1"};
constexpr Statement delete_events{.name = "delete_outbox_events",
                                  .sql = "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each($1))",
                                  .postgres_sql =
                                      "DELETE FROM outbox WHERE id IN (SELECT value::uuid FROM "
                                      "jsonb_array_elements_text($1::jsonb) AS e (value))",
                                  .mode = Mode::write};
constexpr Statement count_attempt{.name = "count_outbox_attempt",
                                  .sql = "UPDATE outbox SET attempts = attempts + 1 WHERE id = $1",
                                  .mode = Mode::write};

// A consumer that hangs must not stop all others for ever.
constexpr std::chrono::seconds delivery_max{30};
constexpr std::chrono::seconds stop_max{10};

// The low 62 bits of a version 7 id plus one; the two bits of the variant stay.
Uuid successor(const Uuid& id) {
    auto bytes = id.bytes();
    for (std::size_t i = bytes.size(); i-- > 8;) {
        const bool variant_byte = i == 8;
        if (variant_byte) {
            SPAKTOK_ASSERT((bytes[i] & 0x3F) != 0x3F);
            ++bytes[i];
            break;
        }
        if (++bytes[i] != 0) break;
    }
    return Uuid(bytes);
}

}  // namespace

std::vector<Uuid> IdSequence::next(Timestamp at, Random& random, std::size_t count) {
    const Uuid fresh = Uuid::v7(at, random);
    std::vector<Uuid> ids;
    ids.reserve(count);
    const std::lock_guard lock(mutex_);
    while (ids.size() < count) {
        last_ = ids.empty() && fresh > last_ ? fresh : successor(last_);
        ids.push_back(last_);
    }
    return ids;
}

Uuid next_id(Timestamp at, Random& random) {
    static IdSequence sequence;
    return sequence.next(at, random);
}

asio::awaitable<void> append(relational::Transaction& tx, Event event) {
    std::vector<Event> one;
    one.push_back(std::move(event));
    co_await append(tx, std::move(one));
}

asio::awaitable<void> append(relational::Transaction& tx, std::vector<Event> events) {
    if (events.empty()) co_return;
    const Timestamp at = events.front().id.timestamp();
    json::Array rows;
    for (auto& event : events) {
        rows.push_back(json::Object{{"id", event.id.to_string()},
                                    {"aggregate_type", event.aggregate_type},
                                    {"aggregate_id", event.aggregate_id},
                                    {"type", event.type},
                                    {"payload", std::move(event.payload)}});
    }
    co_await tx.query(insert_events, at, json::Value(std::move(rows)));
}

asio::awaitable<bool> are_waiting(relational::Database& database, std::string aggregate_type,
                                  std::string aggregate_id) {
    const auto found = co_await database.query(find_waiting, aggregate_type, aggregate_id);
    co_return !found.empty();
}

struct Dispatcher::State : std::enable_shared_from_this<State> {
    explicit State(Options given)
        : options(std::move(given)),
          tasks(options.executor, "events"),
          wake(options.executor),
          ended(options.executor) {}

    asio::awaitable<void> run();
    asio::awaitable<void> turn(bool was_poked);
    asio::awaitable<void> pass();
    asio::awaitable<bool> deliver(Event event, std::int64_t attempts);
    asio::awaitable<bool> consume(const Event& event);
    asio::awaitable<void> stop();
    double seconds_since(Timestamp at) const {
        return std::chrono::duration<double>(options.clock.now() - at).count();
    }
    bool waits_for_retry(const std::string& aggregate) const {
        const auto found = retry_at.find(aggregate);
        return found != retry_at.end() && options.clock.steady_now() < found->second;
    }

    Options options;
    std::unordered_map<std::string, std::vector<Consumer>> consumers;
    TaskGroup tasks;
    asio::steady_timer wake;
    asio::steady_timer ended;  // cancelled when run() has ended
    std::atomic<bool> poked{false};
    bool started = false;
    bool stopping = false;
    bool running = false;
    // Aggregates whose first event failed; each leaves with its delivery.
    std::unordered_map<std::string, std::chrono::steady_clock::time_point> retry_at;
    metrics::Counter delivered =
        metrics::counter("spaktok_events_delivered_total", "Events that every consumer has had.");
    metrics::Gauge lag = metrics::gauge("spaktok_events_lag_seconds",
                                        "Age of the oldest event when the outbox was last read.");
    metrics::Counter failed =
        metrics::counter("spaktok_events_failed_total", "Deliveries that failed and are tried again.");
};

asio::awaitable<bool> Dispatcher::State::consume(const Event& event) {
    const auto found = consumers.find(event.type);
    if (found == consumers.end()) co_return true;  // nobody is interested
    std::string problem;
    try {
        for (const auto& consumer : found->second)
            co_await with_deadline(consumer(event), delivery_max);
        co_return true;
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) throw;  // the program stops
        problem = error.what();
    } catch (const Error& error) {
        problem = error.detail().empty() ? error.message() : error.message() + " " + error.detail();
    } catch (const std::exception& error) {
        problem = error.what();
    }
    log::warning("event not delivered, will be tried again", {{"event", event.type},
                                                              {"event_id", event.id.to_string()},
                                                              {"aggregate", event.aggregate_id},
                                                              {"problem", problem}});
    co_return false;
}

asio::awaitable<bool> Dispatcher::State::deliver(Event event, std::int64_t attempts) {
    const std::string aggregate = event.aggregate_type + "/" + event.aggregate_id;
    if (co_await consume(event)) {
        retry_at.erase(aggregate);
        delivered.add();
        co_return true;
    }
    failed.add();
    const auto doublings = std::min<std::int64_t>(attempts, 10);
    const auto delay =
        std::min(options.retry_delay_max, options.poll_interval * (std::int64_t{1} << doublings));
    retry_at[aggregate] = options.clock.steady_now() + delay;
    co_await options.database.query(count_attempt, event.id);
    co_return false;
}

// Everything that is in the outbox, once. Later events of an aggregate whose event fails wait for it.
asio::awaitable<void> Dispatcher::State::pass() {
    Uuid after;
    std::unordered_set<std::string> blocked;
    for (;;) {
        const auto rows = co_await options.database.query(list_events, after, options.batch_events_max);
        json::Array done;
        if (after == Uuid{}) lag.set(rows.empty() ? 0 : seconds_since(rows[0].get<Uuid>("id").timestamp()));
        for (const auto row : rows) {
            if (stopping || !options.may_deliver()) break;
            Event event{.id = row.get<Uuid>("id"),
                        .aggregate_type = row.get<std::string>("aggregate_type"),
                        .aggregate_id = row.get<std::string>("aggregate_id"),
                        .type = row.get<std::string>("event_type"),
                        .payload = row.get<boost::json::value>("payload").as_object()};
            after = event.id;
            const std::string aggregate = event.aggregate_type + "/" + event.aggregate_id;
            if (blocked.contains(aggregate)) continue;
            const auto id = event.id.to_string();
            const bool is_done = !waits_for_retry(aggregate) &&
                                 co_await deliver(std::move(event), row.get<std::int64_t>("attempts"));
            if (is_done) {
                done.emplace_back(id);
            } else {
                blocked.insert(aggregate);
            }
        }
        if (!done.empty())
            co_await options.database.query(delete_events, boost::json::value(std::move(done)));
        if (stopping || !options.may_deliver() || std::cmp_less(rows.size(), options.batch_events_max))
            co_return;
    }
}

asio::awaitable<void> Dispatcher::State::turn(bool was_poked) {
    if (options.may_deliver()) {
        co_await pass();
    } else if (was_poked && options.poke_other) {
        co_await options.poke_other();
    }
}

asio::awaitable<void> Dispatcher::State::run() {
    while (!stopping) {
        const bool was_poked = poked.exchange(false);
        std::string problem;
        try {
            co_await turn(was_poked);
        } catch (const Error& error) {
            problem = error.message() + " " + error.detail();
        }
        if (!problem.empty()) log::error("outbox not read", {{"problem", problem}});
        if (stopping || poked) continue;
        wake.expires_after(options.poll_interval);
        boost::system::error_code ignored;  // a poke or a stop cancels the wait
        co_await wake.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    running = false;
    ended.cancel();
}

asio::awaitable<void> Dispatcher::State::stop() {
    stopping = true;
    wake.cancel();
    if (running) {
        ended.expires_after(stop_max);
        boost::system::error_code ignored;
        co_await ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_await tasks.stop();
}

Dispatcher::Dispatcher(Options options) : state_(std::make_shared<State>(std::move(options))) {}
Dispatcher::~Dispatcher() = default;

void Dispatcher::subscribe(std::string type, Consumer consumer) {
    SPAKTOK_ASSERT(!state_->started);
    state_->consumers[std::move(type)].push_back(std::move(consumer));
}

void Dispatcher::start() {
    SPAKTOK_ASSERT(!state_->started);
    state_->started = true;
    asio::post(state_->options.executor, [state = state_] {
        if (state->stopping) return;
        state->running = true;
        state->tasks.spawn(state->run());
    });
}

void Dispatcher::poke() {
    if (state_->poked.exchange(true)) return;
    asio::post(state_->options.executor, [weak = std::weak_ptr(state_)] {
        if (const auto state = weak.lock()) state->wake.cancel();
    });
}

asio::awaitable<void> Dispatcher::stop() {
    auto state = state_;
    co_await asio::co_spawn(state->options.executor, state->stop(), asio::use_awaitable);
}

}  // namespace spaktok::events
