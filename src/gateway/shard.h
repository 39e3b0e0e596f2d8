// The gateway's part on one I/O thread: its connections, its topics, and what is to be written at the end of
// the turn.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <sys/uio.h>

#include "base/task_group.h"
#include "base/timer_wheel.h"
#include "gateway/connection.h"
#include "gateway/local_topic.h"
#include "gateway/requests.h"

namespace spaktok::gateway {

struct Core;

// Owned by the core; everything but the constructor happens on its thread. No lock.
class Shard {
  public:
    Shard(Core& core, std::size_t index);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    void accept(boost::asio::ip::tcp::socket socket, Caller caller, std::string handshake,
                std::string unread);
    void close_session(const std::string& session_id);
    // Closes all connections, evenly over `spread`, and returns when they are gone, the requests under way
    // have ended or were given up, and no topic is left.
    boost::asio::awaitable<void> stop(std::chrono::milliseconds spread);

    // ---- for the shard's own connections, topics and requests
    Core& core() { return core_; }
    const GatewayOptions& options() const;
    const Clock& clock() const;
    TimerWheel& wheel() { return wheel_; }
    boost::asio::io_context& context() { return context_; }
    Requests& requests() { return requests_; }
    TaskGroup& tasks() { return tasks_; }

    // One buffer each for the thread: a read is decoded, and a write is made, before the next begins.
    std::span<char> read_buffer() { return read_buffer_; }
    std::span<iovec> write_buffers() { return write_buffers_; }
    std::string& scratch() { return scratch_; }

    // Will be flushed at the end of the turn.
    void wake(std::shared_ptr<Connection> connection);
    void wake(std::shared_ptr<LocalTopic> topic);
    void remove(Connection& connection);
    bool has_topic(const std::string& name) const { return topics_.contains(name); }
    // Opens the topic where it is not.
    std::shared_ptr<Join> join(Connection& connection, const std::string& topic);
    // Forgets the topic, and with it ends its subscription.
    void remove(LocalTopic& topic);
    void leave(Connection& connection, std::size_t membership);
    void leave_all(Connection& connection);

    void count_slow_consumer();
    void count_deliveries(std::size_t deliveries) { deliveries_ += deliveries; }

  private:
    void schedule_flush();
    void flush();

    Core& core_;
    boost::asio::io_context& context_;
    TimerWheel& wheel_;
    std::vector<char> read_buffer_;
    std::array<iovec, 256> write_buffers_{};
    std::string scratch_;

    std::unordered_map<std::string, std::shared_ptr<LocalTopic>> topics_;
    std::vector<std::shared_ptr<Connection>> connections_;
    std::vector<std::shared_ptr<LocalTopic>> woken_topics_;
    std::vector<std::shared_ptr<Connection>> woken_;
    std::size_t flushed_ = 0;  // of woken_, where a flush is spread over several turns
    bool is_flush_scheduled_ = false;
    std::size_t deliveries_ = 0;  // not yet in the metrics
    TaskGroup tasks_;
    Requests requests_;
};

}  // namespace spaktok::gateway
