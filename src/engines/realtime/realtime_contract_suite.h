// The contract of the realtime port: one suite, run on every adapter. An adapter is plugged in by one line in
// all_adapters().
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/random.h"
#include "engines/realtime/realtime.h"
#include "engines/testing/testing.h"

namespace spaktok::realtime::contract {

using engines::testing::Adapter;
using engines::testing::ContextThread;

std::vector<Adapter> all_adapters();

// A subscriber on a thread, with what it has received.
class Subscriber {
  public:
    // Subscribes on the thread and waits for it.
    Subscriber(Engine& engine, ContextThread& thread, std::string topic,
               std::optional<Position> since = std::nullopt);
    ~Subscriber();  // unsubscribes on the thread
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;

    const Recovered& recovered() const { return recovered_; }
    std::vector<TopicMessage> received() const;
    std::vector<std::string> payloads() const;
    bool has_received(std::size_t count) const;
    void unsubscribe();

  private:
    ContextThread& thread_;
    std::unique_ptr<Subscription> subscription_;
    Recovered recovered_;
    mutable std::mutex mutex_;
    std::vector<TopicMessage> received_;
};

class RealtimeContract : public testing::TestWithParam<Adapter> {
  protected:
    void SetUp() override;
    void start();
    void stop_and_start();
    // As a crash of everything does: nothing is told to the engine, nor to what serves it.
    void drop_and_start();
    Engine& engine() { return *engine_; }
    Topics& topics() { return engine_->topics(); }
    KeyValues& values() { return engine_->key_values(); }
    Counters& counters() { return engine_->counters(); }
    Rankings& rankings() { return engine_->rankings(); }
    Presence& presence() { return engine_->presence(); }

    Position publish(std::string topic, std::string payload, HistoryLimits history = {});
    bool put(std::string key, std::string value, KeyValues::PutOptions options = {});
    // "none" where there is no such key.
    std::string get(std::string key);

    engines::testing::LeadingClock clock_{Timestamp{std::chrono::milliseconds{1'700'000'000'000}}};
    std::unique_ptr<engines::testing::Place> place_ = GetParam().make_place();
    std::unique_ptr<Engine> engine_;
};

class TopicsContract : public RealtimeContract {};
class KeyValuesContract : public RealtimeContract {};
class CountersContract : public RealtimeContract {};
class RankingsContract : public RealtimeContract {};
class PresenceContract : public RealtimeContract {};
class RealtimeContractConcurrent : public RealtimeContract {};

}  // namespace spaktok::realtime::contract
