// One WebSocket connection.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "base/timer_wheel.h"
#include "gateway/frame_queue.h"
#include "gateway/gateway.h"
#include "gateway/local_topic.h"
#include "gateway/websocket_frame.h"

namespace spaktok::gateway {

class Shard;

// A request that one of the added handlers answers.
struct Call {
    std::int64_t id;
    const RequestHandler& handler;
    json::Object body;
};

// Lives on its shard's thread, owned by the shard and by the socket operations under way. Idle, it has no
// buffer and no coroutine: it waits to become readable and then reads into its thread's one buffer.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(Shard& shard, boost::asio::ip::tcp::socket socket, Caller caller);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Sends the handshake's answer and the welcome, takes the bytes that followed the handshake, and begins
    // to read.
    void start(std::string handshake, std::string_view welcome, std::string unread);

    const Caller& caller() const { return caller_; }
    bool is_open() const { return phase_ == Phase::open; }

    // Queues finished frames; they are written at the end of this turn of the loop. Ignored when no longer
    // open.
    void enqueue(const Frame& frame) {
        if (phase_ != Phase::open) return;
        queue_.push(frame);
        if (!is_woken_) wake();
    }
    void send_text(std::string_view json) { enqueue(Frame(encode_frame(Opcode::text, json))); }
    // Writes what is queued. Called by the shard, once for each wake.
    void flush();

    // Leaves all topics and begins the closing handshake; the socket is closed when the peer has answered, or
    // after `close_timeout`.
    void close(CloseCode code, std::string_view reason);
    // Closes the socket at once.
    void drop();

    std::vector<Membership>& memberships() { return memberships_; }
    std::size_t place = 0;  // among the shard's connections
    int requests_in_flight = 0;
    // The one that is under way and those behind it, in the order they came; null while there are none.
    std::unique_ptr<std::deque<Call>> calls;

    static constexpr std::chrono::seconds close_timeout{5};

  private:
    enum class Phase : std::uint8_t { open, closing, closed };

    void wake();
    void wait_readable();
    void on_readable();
    void feed(std::span<char> bytes);
    void on_event(const FrameEvent& event);
    void on_close_frame(const FrameEvent& event);
    void begin_closing(std::string close_frame);
    bool take_token();
    void write();
    bool write_some();
    void after_drained();
    void wait_writable();
    void on_deadline();
    void heard_from_peer();

    Shard& shard_;
    boost::asio::ip::tcp::socket socket_;
    Phase phase_ = Phase::open;
    bool is_woken_ = false;  // in the shard's list of those to flush
    bool is_waiting_writable_ = false;
    bool is_awaiting_pong_ = false;
    bool is_peer_closed_ = false;  // its close frame has come
    bool is_shut_down_ = false;    // our direction of the socket
    FrameDecoder decoder_;
    FrameQueue queue_;
    std::vector<Membership> memberships_;
    TimerWheel::Deadline deadline_;  // next ping, or pong, or end of closing
    std::chrono::steady_clock::time_point
        next_token_{};  // the token bucket, as the time by which it is full again
    Caller caller_;
};

}  // namespace spaktok::gateway
