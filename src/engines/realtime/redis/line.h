// A connection that is always there or on its way back.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/error.h"
#include "base/event.h"
#include "engines/realtime/redis/connection.h"
#include "engines/realtime/redis/line_metrics.h"

namespace spaktok::realtime::redis {

// Lives on its context's only thread, until it is closed. After a failed attempt the next one waits (50 ms,
// doubling up to 400 ms): once the server is back, so is the line within a second.
class Line : public std::enable_shared_from_this<Line> {
  public:
    struct Options {
        ConnectionOptions connection;
        std::string use;  // for metrics
        // Where set, it is asked before each attempt which server it is now. Throws Error{unavailable}.
        std::function<boost::asio::awaitable<Endpoint>()> find{};
        std::function<void(const std::shared_ptr<Connection>&)> on_open{};
        std::function<void()> on_close{};
        std::function<void()> on_trouble{};  // a connection ended, or an attempt failed
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
    boost::asio::awaitable<std::shared_ptr<Connection>> connect();
    boost::asio::awaitable<void> serve(const std::shared_ptr<Connection>& connection);
    boost::asio::awaitable<void> pause();
    void tell_waiting();

    boost::asio::io_context& context_;
    Options options_;
    LineMetrics metrics_;
    std::shared_ptr<Connection> connection_;
    std::shared_ptr<Event> changed_;
    std::optional<Error> failure_;
    boost::asio::steady_timer pause_timer_;
    std::chrono::milliseconds pause_{0};
    bool is_closed_ = false;
};

}  // namespace spaktok::realtime::redis
