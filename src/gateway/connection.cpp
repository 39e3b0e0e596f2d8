#include "gateway/connection.h"

#include <cerrno>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/requests.h"
#include "gateway/shard.h"

namespace spaktok::gateway {

namespace asio = boost::asio;
using boost::system::error_code;

Connection::Connection(Shard& shard, asio::ip::tcp::socket socket, Caller caller)
    : shard_(shard),
      socket_(std::move(socket)),
      decoder_(shard.options().message_bytes_max),
      deadline_(shard.wheel(), [this] { on_deadline(); }),
      caller_(std::move(caller)) {}

void Connection::start(std::string handshake, std::string_view welcome, std::string unread) {
    error_code ignored;
    // What is worth sending is sent at once: gathering happens here, not in the kernel.
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    // What waits in the kernel is beyond recall; a bound on it makes queue_bytes_max mean something.
    socket_.set_option(
        asio::socket_base::send_buffer_size(static_cast<int>(shard_.options().socket_buffer_bytes)), ignored);
    enqueue(Frame(std::move(handshake)));
    send_text(welcome);
    deadline_.set(shard_.options().ping_interval);
    feed(unread);
    if (phase_ != Phase::closed) wait_readable();
}

void Connection::wake() {
    is_woken_ = true;
    shard_.wake(shared_from_this());
}

// ---- Reading

void Connection::wait_readable() {
    socket_.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](const error_code& error) {
        if (self->phase_ == Phase::closed) return;
        if (error) return self->drop();
        self->on_readable();
    });
}

void Connection::on_readable() {
    const auto buffer = shard_.read_buffer();
    const ssize_t count = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count == 0) return drop();
    if (count > 0) {
        heard_from_peer();
        feed(buffer.first(static_cast<std::size_t>(count)));
    } else if (errno != EAGAIN && errno != EINTR) {
        return drop();
    }
    if (phase_ != Phase::closed) wait_readable();
}

void Connection::feed(std::span<char> bytes) {
    while (phase_ != Phase::closed) {
        const auto event = decoder_.next(bytes);
        if (!event) return;
        on_event(*event);
    }
}

void Connection::on_event(const FrameEvent& event) {
    if (event.kind == FrameEvent::Kind::close) return on_close_frame(event);
    if (phase_ != Phase::open) return;  // section 5.5.1: after a close frame nothing else matters
    switch (event.kind) {
        case FrameEvent::Kind::text:
        case FrameEvent::Kind::ping:
            if (!take_token()) return close(CloseCode::too_many_requests, "too many requests");
            if (event.kind == FrameEvent::Kind::ping)
                return enqueue(Frame(encode_frame(Opcode::pong, event.payload)));
            return shard_.requests().handle(*this, event.payload);
        case FrameEvent::Kind::failure:
            return close(static_cast<CloseCode>(*event.code), event.payload);
        case FrameEvent::Kind::pong:
        case FrameEvent::Kind::close:
            return;
    }
}

void Connection::on_close_frame(const FrameEvent& event) {
    is_peer_closed_ = true;
    if (phase_ == Phase::open) {
        begin_closing(event.code ? encode_close(*event.code, {}) : encode_frame(Opcode::close, {}));
    } else if (queue_.empty()) {
        drop();
    }
}

// The bucket holds three seconds' worth of requests (gateway.h).
bool Connection::take_token() {
    const auto per_request =
        std::chrono::steady_clock::duration(std::chrono::seconds(1)) / shard_.options().requests_per_second;
    const auto now = shard_.clock().steady_now();
    next_token_ = std::max(next_token_, now);
    const int burst = requests_burst_seconds * shard_.options().requests_per_second;
    if (next_token_ + per_request > now + per_request * burst) return false;
    next_token_ += per_request;
    return true;
}

// ---- Writing

void Connection::flush() {
    is_woken_ = false;
    if (phase_ == Phase::closed) return;
    if (!is_waiting_writable_) write();
    if (phase_ == Phase::open && queue_.bytes() > shard_.options().queue_bytes_max) {
        shard_.count_slow_consumer();
        log::debug("client was too slow",
                   {{"connection", caller_.connection_id}, {"queued_bytes", queue_.bytes()}});
        queue_.drop_unwritten();
        close(CloseCode::too_slow, "too slow: reconnect and recover");
    }
}

void Connection::write() {
    while (!queue_.empty()) {
        if (!write_some()) return;
    }
    after_drained();
}

// False where nothing more can be written now: it waits, or the connection is gone.
bool Connection::write_some() {
    const auto buffers = shard_.write_buffers();
    const std::size_t count = queue_.gather(buffers);
    constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    ssize_t written = 0;
    if (count == 1) {  // the common case of a fan-out, which the kernel does faster so
        written = ::send(socket_.native_handle(), buffers[0].iov_base, buffers[0].iov_len, flags);
    } else {
        msghdr message{};
        message.msg_iov = buffers.data();
        message.msg_iovlen = count;
        written = ::sendmsg(socket_.native_handle(), &message, flags);
    }
    if (written >= 0) {
        queue_.consume(static_cast<std::size_t>(written));
        return true;
    }
    if (errno == EINTR) return true;
    if (errno == EAGAIN) {
        wait_writable();
    } else {
        drop();
    }
    return false;
}

void Connection::wait_writable() {
    is_waiting_writable_ = true;
    socket_.async_wait(asio::socket_base::wait_write, [self = shared_from_this()](const error_code& error) {
        self->is_waiting_writable_ = false;
        if (self->phase_ == Phase::closed) return;
        if (error) return self->drop();
        // The kernel made room, so the peer takes what it gets: slowly, but it lives.
        self->heard_from_peer();
        self->write();
    });
}

void Connection::after_drained() {
    if (phase_ != Phase::closing || is_shut_down_) return;
    if (is_peer_closed_) return drop();
    // Our direction ends; the socket stays until the peer's close frame or end, so that unread bytes of the
    // peer do not turn into a reset that would take our close frame with it.
    is_shut_down_ = true;
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

// ---- Life and end

void Connection::heard_from_peer() {
    if (!is_awaiting_pong_ || phase_ != Phase::open) return;
    is_awaiting_pong_ = false;
    deadline_.set(shard_.options().ping_interval);
}

void Connection::on_deadline() {
    const auto self = shared_from_this();
    if (phase_ == Phase::closing || is_awaiting_pong_) return drop();
    static const std::string ping = encode_frame(Opcode::ping, {});
    is_awaiting_pong_ = true;
    deadline_.set(shard_.options().pong_timeout);
    enqueue(Frame(ping));
}

void Connection::close(CloseCode code, std::string_view reason) {
    if (phase_ == Phase::open) begin_closing(encode_close(code, reason));
}

void Connection::begin_closing(std::string close_frame) {
    shard_.leave_all(*this);
    phase_ = Phase::closing;
    queue_.push(Frame(std::move(close_frame)));
    deadline_.set(close_timeout);
    if (!is_woken_) wake();
}

void Connection::drop() {
    if (phase_ == Phase::closed) return;
    shard_.leave_all(*this);
    phase_ = Phase::closed;
    deadline_.clear();
    queue_.clear();
    error_code ignored;
    socket_.close(ignored);
    shard_.remove(*this);  // may destroy this where no operation is under way: last
}

}  // namespace spaktok::gateway
