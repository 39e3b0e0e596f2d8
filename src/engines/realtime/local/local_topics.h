// Topics in the process: a lock for each shard of topics, histories bounded by count and age, delivery
// through one mailbox an executor.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engines/realtime/local/sharded.h"
#include "engines/realtime/mailbox.h"
#include "engines/realtime/realtime.h"

namespace spaktok::realtime::local {

struct KeptMessage {
    std::uint64_t offset = 0;
    Timestamp at{};
    std::shared_ptr<const std::string> payload;
};

// A topic as it is saved by a graceful stop.
struct SavedTopic {
    std::string name;
    std::string epoch;
    std::uint64_t offset = 0;
    HistoryLimits limits;
    std::vector<KeptMessage> messages;
};

class LocalTopics final : public Topics {
  public:
    static constexpr std::size_t topics_max = 200'000;
    // A topic without subscribers and messages is remembered this long, so that who comes back is not told to
    // reload.
    static constexpr std::chrono::minutes idle_max{15};

    // `run_id` is random, new at every start: it makes the epochs of this run differ from all earlier ones.
    LocalTopics(const Clock& clock, std::string run_id);

    boost::asio::awaitable<Position> publish(std::string topic, std::string payload,
                                             HistoryLimits history) override;
    boost::asio::awaitable<Subscribed> subscribe(std::string topic, std::optional<Position> since,
                                                 boost::asio::any_io_executor executor,
                                                 OnMessage on_message) override;

    // Forgets messages that are too old and topics that are idle.
    void sweep();
    // Before the first use.
    void restore(std::vector<SavedTopic> topics);
    // Refuses publishing from now on and returns what has a history.
    std::vector<SavedTopic> close();
    std::size_t size() const;

  private:
    struct State;  // shared with the subscriptions, which may end after the engine
    class LocalSubscription;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::realtime::local
