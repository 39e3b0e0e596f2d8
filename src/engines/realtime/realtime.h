// The realtime port: sessions, topics with history, counters, leaderboards, presence. Adapters: local/ (in
// the process, what must survive a restart kept in SQLite), redis/ (shared by all nodes).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"

namespace spaktok::realtime {

// ---- Topics
// The place of a message in a topic. Offsets grow by one from 1; a new epoch says that offsets began anew.
struct Position {
    std::string epoch;
    std::uint64_t offset = 0;
    bool operator==(const Position&) const = default;
};

struct TopicMessage {
    Position position;  // offset 0: not kept in history (ephemeral); its epoch means nothing then
    // Shared by every subscriber of every thread. Null: there is no message; what came up to `position` is
    // lost to this subscriber, who must load anew.
    std::shared_ptr<const std::string> payload;
};

struct HistoryLimits {
    std::size_t messages_max = 0;  // 0: no history, the message is only for who listens now
    std::chrono::seconds age_max{0};
};

struct Recovered {
    bool complete = false;               // false: what was missed is no longer in the history; reload
    Position position;                   // where the topic stands now
    std::vector<TopicMessage> messages;  // what came after the given position, in order
};

// Called on the subscriber's executor, in the topic's order. Must not throw and must not block.
using OnMessage = std::function<void(const TopicMessage&)>;

// Ends the subscription when destroyed: after that `OnMessage` is not called again (destroy it on the
// executor it was made with).
class Subscription {
  public:
    virtual ~Subscription() = default;
};

class Topics {
  public:
    virtual ~Topics() = default;
    // Appends to the history (where it has limits) and hands to every subscriber on every node. Returns its
    // position. Thread-safe. Messages of one publisher to one topic keep their order.
    virtual boost::asio::awaitable<Position> publish(std::string topic, std::string payload,
                                                     HistoryLimits history) = 0;
    struct Subscribed {
        std::unique_ptr<Subscription> subscription;
        Recovered recovered;
    };
    // Atomic with respect to publishing: what is not in `recovered` reaches `on_message`, and nothing does
    // twice. `since`: where the client was; nullopt for a new client (complete, no messages).
    virtual boost::asio::awaitable<Subscribed> subscribe(std::string topic, std::optional<Position> since,
                                                         boost::asio::any_io_executor executor,
                                                         OnMessage on_message) = 0;
};

// ---- KeyValues
class KeyValues {
  public:
    virtual ~KeyValues() = default;
    // Durable when it returns if `durable` (sessions, one-time links); otherwise it may be lost by a restart
    // (caches).
    struct PutOptions {
        std::optional<std::chrono::milliseconds> expires_after{};
        bool durable = true;
        bool only_if_absent = false;
    };
    // False only when only_if_absent was asked and the key was there.
    virtual boost::asio::awaitable<bool> put(std::string key, std::string value, PutOptions options) = 0;
    virtual boost::asio::awaitable<std::optional<std::string>> get(std::string key) = 0;
    // Pushes the expiry further; false when there is no such key. The new expiry is durable within a minute.
    virtual boost::asio::awaitable<bool> touch(std::string key, std::chrono::milliseconds expires_after) = 0;
    // False when there was none.
    virtual boost::asio::awaitable<bool> remove(std::string key) = 0;
    // Removes and returns, atomically: of several callers one gets it (one-time links).
    virtual boost::asio::awaitable<std::optional<std::string>> take(std::string key) = 0;

    // A durable set of short strings a key (the sessions of a user). Members do not expire by themselves.
    virtual boost::asio::awaitable<void> set_add(std::string key, std::string member) = 0;
    virtual boost::asio::awaitable<void> set_remove(std::string key, std::string member) = 0;
    virtual boost::asio::awaitable<std::vector<std::string>> set_members(std::string key) = 0;
};

// ---- Counters
// Not durable: rate limits, views on their way to storage.
class Counters {
  public:
    virtual ~Counters() = default;
    // Adds and returns the new value. The first addition starts the life `expires_after`.
    virtual boost::asio::awaitable<std::int64_t> add(
        std::string key, std::int64_t by, std::optional<std::chrono::milliseconds> expires_after) = 0;
    virtual boost::asio::awaitable<std::int64_t> get(std::string key) = 0;
    // Reads and sets to zero, atomically.
    virtual boost::asio::awaitable<std::int64_t> take(std::string key) = 0;
};

// ---- Rankings
// Sorted sets: highest score first, equal scores by member, descending. Not durable: rebuilt from the
// relational engine.
struct Ranked {
    std::string member;
    double score = 0;
    bool operator==(const Ranked&) const = default;
};
class Rankings {
  public:
    virtual ~Rankings() = default;
    virtual boost::asio::awaitable<void> set(std::string board, std::string member, double score) = 0;
    // Once an event: a repeated event_id changes nothing and returns the score as it is.
    virtual boost::asio::awaitable<double> add(std::string board, std::string member, double by,
                                               std::string event_id) = 0;
    virtual boost::asio::awaitable<void> remove(std::string board, std::string member) = 0;
    virtual boost::asio::awaitable<std::vector<Ranked>> top(std::string board, std::size_t offset,
                                                            std::size_t limit) = 0;
    virtual boost::asio::awaitable<std::optional<double>> score(std::string board, std::string member) = 0;
    virtual boost::asio::awaitable<std::size_t> size(std::string board) = 0;
    // The board goes after so long, with what it remembers of events; a later call moves the end. Nothing
    // happens where there is no board.
    virtual boost::asio::awaitable<void> expire(std::string board, std::chrono::milliseconds after) = 0;
    // The board goes now.
    virtual boost::asio::awaitable<void> clear(std::string board) = 0;
};

// ---- Presence
// Who is where, on which node; a node that stops refreshing is forgotten after 15 s.
class Presence {
  public:
    virtual ~Presence() = default;
    // This node's number of viewers at `place` ("viewers:<stream>"); 0 removes it. Refresh at least every 5
    // s.
    virtual boost::asio::awaitable<void> report(std::string place, std::int64_t count) = 0;
    // The sum over all nodes that are alive.
    virtual boost::asio::awaitable<std::int64_t> total(std::string place) = 0;
};

class Engine {
  public:
    virtual ~Engine() = default;
    virtual Topics& topics() = 0;
    virtual KeyValues& key_values() = 0;
    virtual Counters& counters() = 0;
    virtual Rankings& rankings() = 0;
    virtual Presence& presence() = 0;
    virtual boost::asio::awaitable<void> check() = 0;
    // Writes what is not yet durable.
    virtual boost::asio::awaitable<void> stop() = 0;
};

struct OpenOptions {
    std::string node_id;  // names this node in Presence
    const Clock* clock = nullptr;
    Random* random = nullptr;
};
// `url`: local:FILE (SQLite), or one of redis/address.h: redis://…, redis+sentinel://…, redis+cluster://….
std::unique_ptr<Engine> open(const std::string& url, OpenOptions options);

}  // namespace spaktok::realtime
