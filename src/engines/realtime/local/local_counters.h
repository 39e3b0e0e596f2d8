// Counters, rankings and presence in the process: maps behind locks, bounded, expired by the clock.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "engines/realtime/local/sharded.h"
#include "engines/realtime/realtime.h"

namespace spaktok::realtime::local {

class LocalCounters final : public Counters {
  public:
    // Keys may be made of strangers' addresses: their number must have an end. Beyond it: Error{unavailable}.
    static constexpr std::size_t counters_max = 1'000'000;

    explicit LocalCounters(const Clock& clock) : clock_(clock) {}
    // The sum stays within 64 bits: it sticks at the end it reaches.
    boost::asio::awaitable<std::int64_t> add(std::string key, std::int64_t by,
                                             std::optional<std::chrono::milliseconds> expires_after) override;
    boost::asio::awaitable<std::int64_t> get(std::string key) override;
    boost::asio::awaitable<std::int64_t> take(std::string key) override;
    // Frees what has expired.
    void sweep();
    std::size_t size() const { return count_.load(); }

  private:
    struct Counter {
        std::int64_t value = 0;
        std::optional<std::chrono::steady_clock::time_point> expires_at;
    };
    struct Shard {
        std::mutex mutex;
        StringMap<Counter> counters;
    };
    bool is_expired(const Counter& counter) const;

    const Clock& clock_;
    Sharded<Shard> shards_;
    std::atomic<std::size_t> count_{0};
};

class LocalRankings final : public Rankings {
  public:
    static constexpr std::size_t members_max =
        2'000'000;  // of all boards together; beyond it: Error{unavailable}

    explicit LocalRankings(const Clock& clock) : clock_(clock) {}
    boost::asio::awaitable<void> set(std::string board, std::string member, double score) override;
    boost::asio::awaitable<double> add(std::string board, std::string member, double by,
                                       std::string event_id) override;
    boost::asio::awaitable<void> remove(std::string board, std::string member) override;
    boost::asio::awaitable<std::vector<Ranked>> top(std::string board, std::size_t offset,
                                                    std::size_t limit) override;
    boost::asio::awaitable<std::optional<double>> score(std::string board, std::string member) override;
    boost::asio::awaitable<std::size_t> size(std::string board) override;
    boost::asio::awaitable<void> expire(std::string board, std::chrono::milliseconds after) override;
    boost::asio::awaitable<void> clear(std::string board) override;
    // Frees the boards that have expired.
    void sweep();

  private:
    struct BestFirst {
        bool operator()(const Ranked& one, const Ranked& other) const {
            return one.score != other.score ? one.score > other.score : one.member > other.member;
        }
    };
    struct Board {
        StringMap<double> scores;
        std::set<Ranked, BestFirst> order;
        std::unordered_set<std::string> events;
        std::deque<std::string> events_by_age;
        std::optional<std::chrono::steady_clock::time_point> expires_at;

        void put(const std::string& member, double score);
        // False where the event was applied before.
        bool is_new(const std::string& event_id);
    };
    struct Shard {
        std::mutex mutex;
        StringMap<Board> boards;
    };
    bool is_expired(const Board& board) const;
    // nullptr where there is none. An expired one goes.
    Board* find(Shard& shard, const std::string& board);
    Board& find_or_make(Shard& shard, const std::string& board);
    void put(Board& board, const std::string& member, double score);

    const Clock& clock_;
    Sharded<Shard> shards_;
    std::atomic<std::size_t> members_{0};
};

// One process is one node: its own reports are the total.
class LocalPresence final : public Presence {
  public:
    static constexpr std::size_t places_max = 200'000;

    explicit LocalPresence(const Clock& clock) : clock_(clock) {}
    boost::asio::awaitable<void> report(std::string place, std::int64_t count) override;
    boost::asio::awaitable<std::int64_t> total(std::string place) override;
    void sweep();

  private:
    struct Report {
        std::int64_t count = 0;
        std::chrono::steady_clock::time_point at;
    };
    bool is_over(const Report& report) const;

    const Clock& clock_;
    std::mutex mutex_;
    StringMap<Report> reports_;
};

}  // namespace spaktok::realtime::local
