// Events between features: written to `outbox` in the transaction of the change that they tell of, handed on
// after the commit to whoever subscribed, at least once and in order per aggregate, and deleted once every
// consumer has had them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "engines/relational/database.h"

namespace spaktok::events {

struct Event {
    Uuid id;                     // consumers remember it: delivery is at least once
    std::string aggregate_type;  // "stream", "user"
    std::string aggregate_id;
    std::string type;  // "stream.started"
    json::Object payload;
};

// Ids of version 7, each greater than all before it, also within one millisecond and when the clock goes
// back. Thread-safe.
class IdSequence {
  public:
    Uuid next(Timestamp at, Random& random) { return next(at, random, 1).front(); }
    // All of one millisecond.
    std::vector<Uuid> next(Timestamp at, Random& random, std::size_t count);

  private:
    std::mutex mutex_;
    Uuid last_;
};

// An event's id, from a sequence of the process's: events of one aggregate are delivered in the order of
// their ids.
Uuid next_id(Timestamp at, Random& random);

// Writes the event into the outbox of a running transaction. Call Dispatcher::poke() after the commit.
boost::asio::awaitable<void> append(relational::Transaction& tx, Event event);
// All in one statement.
boost::asio::awaitable<void> append(relational::Transaction& tx, std::vector<Event> events);

// Whether events of the aggregate are still to be delivered.
boost::asio::awaitable<bool> are_waiting(relational::Database& database, std::string aggregate_type,
                                         std::string aggregate_id);

// Idempotent by Event::id. What it throws is logged and the event is tried again, later ones of its aggregate
// wait.
using Consumer = std::function<boost::asio::awaitable<void>(const Event&)>;

// One a process, of which one at a time delivers; lives on one I/O thread's executor. `subscribe` before
// `start`.
class Dispatcher {
  public:
    struct Options {
        relational::Database& database;
        const Clock& clock;
        boost::asio::any_io_executor executor;
        std::chrono::milliseconds poll_interval{1000};  // finds what a crash left; a poke makes it immediate
        std::int64_t batch_events_max = 200;
        std::chrono::milliseconds retry_delay_max{30'000};
        // Whether this process is the one that delivers.
        std::function<bool()> may_deliver = [] { return true; };
        // Pokes the one that does, where it is another.
        std::function<boost::asio::awaitable<void>()> poke_other{};
    };
    explicit Dispatcher(Options options);
    ~Dispatcher();

    // Consumers of one type run in the order of subscription.
    void subscribe(std::string type, Consumer consumer);
    void start();
    // Thread-safe and cheap: something was committed.
    void poke();
    // Finishes the delivery under way; what is left is delivered at the next start.
    boost::asio::awaitable<void> stop();

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::events
