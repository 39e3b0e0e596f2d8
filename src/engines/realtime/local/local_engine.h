// The realtime port in the process: everything in memory, and what must survive a restart in SQLite.
//
// Callable from any thread. A thread of its own sweeps what has expired and writes new expiries. `stop()`
// saves the topics' histories with their epochs; a start takes them out of the file before anyone can use
// them, so that a crash after it finds none and begins new epochs: clients reload instead of trusting a
// history that lost its end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "engines/realtime/local/local_counters.h"
#include "engines/realtime/local/local_key_values.h"
#include "engines/realtime/local/local_topics.h"
#include "engines/realtime/realtime.h"
#include "engines/sqlite/group_writer.h"

namespace spaktok::realtime::local {

class LocalEngine final : public Engine {
  public:
    struct Options {
        std::string path;  // empty: nothing survives
        const Clock* clock = nullptr;
        Random* random = nullptr;
    };
    // Throws Error{unavailable} where the file cannot be opened.
    explicit LocalEngine(Options options);
    ~LocalEngine() override;

    Topics& topics() override { return topics_; }
    KeyValues& key_values() override { return key_values_; }
    Counters& counters() override { return counters_; }
    Rankings& rankings() override { return rankings_; }
    Presence& presence() override { return presence_; }
    boost::asio::awaitable<void> check() override;
    boost::asio::awaitable<void> stop() override;

    // What is in memory, expired or not: for metrics, and for tests of the sweep.
    struct Sizes {
        std::size_t key_values;
        std::size_t counters;
        std::size_t topics;
    };
    Sizes sizes() const;

  private:
    void keep_up(std::chrono::steady_clock::time_point started_at);
    void sweep();
    void flush_touched();

    SystemClock system_clock_;
    SystemRandom system_random_;
    const Clock& clock_;
    spaktok::sqlite::GroupWriter writer_;
    LocalTopics topics_;
    LocalKeyValues key_values_;
    LocalCounters counters_;
    LocalRankings rankings_;
    LocalPresence presence_;

    std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    bool stopped_ = false;
    std::thread sweeper_;
};

}  // namespace spaktok::realtime::local
