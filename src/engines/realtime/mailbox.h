// What waits to be delivered on one executor, whatever its topic: one posted handler hands over all of it, so
// that a message to a topic with thousands of subscribers costs one post a thread. Both adapters deliver so.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>

#include "engines/realtime/realtime.h"

namespace spaktok::realtime {

class Listeners;

struct Listener {
    OnMessage on_message;
    std::size_t place = none;  // in its Listeners
    bool ended = false;
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
};

// A message for the listeners, or a listener that joins them. As both go through the mailbox in the order in
// which the topic's lock let them in, a listener gets exactly what was published after it subscribed.
struct Delivery {
    std::shared_ptr<Listeners> listeners;
    TopicMessage message;
    std::shared_ptr<Listener> joining;  // null: `message` is delivered
};

// The subscribers of one topic on one executor. Touched on that executor only, hence without a lock.
class Listeners {
  public:
    void join(std::shared_ptr<Listener> listener);
    // Also from inside its own or another's on_message.
    void leave(const std::shared_ptr<Listener>& listener);
    // One subscriber after the other, each the whole run: what a subscriber touches stays in the cache.
    void deliver(std::span<const Delivery> run);

  private:
    void close_gaps();
    std::vector<std::shared_ptr<Listener>> listeners_;  // null where one left during a delivery
    std::vector<std::shared_ptr<Listener>>
        left_;  // during a delivery: kept until it ends, as one of them may be running
    bool delivering_ = false;
};

class Mailbox : public std::enable_shared_from_this<Mailbox> {
  public:
    // An executor that does not come round to its deliveries is stuck; publishers are refused beyond this
    // many.
    static constexpr std::size_t waiting_max = 100'000;

    explicit Mailbox(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
    const boost::asio::any_io_executor& executor() const { return executor_; }

    bool is_full() const { return waiting_count_.load(std::memory_order_relaxed) >= waiting_max; }
    // True where the caller must call `schedule` (outside its own locks: posting may wake a thread).
    bool push(Delivery delivery);
    void schedule();

  private:
    // Terminates where an on_message throws: that is a bug by contract, and unwinding would lose others'
    // messages.
    void drain() noexcept;

    const boost::asio::any_io_executor executor_;
    std::mutex mutex_;
    std::vector<Delivery> waiting_;
    bool scheduled_ = false;
    std::atomic<std::size_t> waiting_count_{0};
    std::vector<Delivery> batch_;  // of the running drain; keeps its memory for the next
};

// The mailbox of each executor in use. Thread-safe.
class Mailboxes {
  public:
    std::shared_ptr<Mailbox> of(const boost::asio::any_io_executor& executor);

  private:
    std::mutex mutex_;
    std::unordered_map<boost::asio::execution_context*, std::vector<std::weak_ptr<Mailbox>>> by_context_;
};

}  // namespace spaktok::realtime
