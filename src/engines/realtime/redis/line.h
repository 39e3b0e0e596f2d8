// A connection that is always there or on its way back.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/error.h"
#include "base/event.h"
#include "engines/realtime/redis/connection.h"

namespace spaktok::realtime::redis {

// Lives on its context's only thread. After a failed attempt the next one waits (50 ms, doubling up to
// 400 ms): once the server is back, so is the line within a second.
class Line {
  public:
    struct Options {
        ConnectionOptions connection;
        std::function<void(const std::shared_ptr<Connection>&)> on_open{};
        std::function<void()> on_close{};
    };
    Line(boost::asio::io_context& context, Options options);

    // Connects now and again after each end, until `close`.
    void start();
    // Throws Error{unavailable}: at once where the last attempt failed; where one is under way for the first
    // time, after it.
    boost::asio::awaitable<std::shared_ptr<Connection>> connection();
    // nullptr where there is none.
    std::shared_ptr<Connection> current() const {
        return connection_ && !connection_->is_broken() ? connection_ : nullptr;
    }
    void close();

  private:
    boost::asio::awaitable<void> run();
    boost::asio::awaitable<void> attempt();
    boost::asio::awaitable<void> pause();
    void tell_waiting();

    boost::asio::io_context& context_;
    const Options options_;
    std::shared_ptr<Connection> connection_;
    std::shared_ptr<Event> changed_;
    std::optional<Error> failure_;
    boost::asio::steady_timer pause_timer_;
    std::chrono::milliseconds pause_{0};
    bool is_closed_ = false;
};

}  // namespace spaktok::realtime::redis
