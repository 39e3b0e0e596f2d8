#include "engines/realtime/redis/line.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "engines/realtime/redis/failure.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds pause_first{50};
constexpr milliseconds pause_max{400};
// A connection that ends sooner than this does not count as a success.
constexpr milliseconds life_min{1'000};
}  // namespace

Line::Line(asio::io_context& context, Options options)
    : context_(context),
      options_(std::move(options)),
      changed_(std::make_shared<Event>(context)),
      pause_timer_(context) {}

void Line::start() {
    asio::co_spawn(context_, run(), asio::detached);
}

asio::awaitable<std::shared_ptr<Connection>> Line::connection() {
    while (!current()) {
        if (failure_) throw Error(*failure_);
        if (is_closed_) throw unavailable("the engine is closed");
        const auto changed = changed_;
        co_await changed->wait();
    }
    co_return connection_;
}

void Line::close() {
    is_closed_ = true;
    pause_timer_.cancel();
    if (connection_) connection_->close();
}

asio::awaitable<void> Line::run() {
    while (!is_closed_) {
        co_await attempt();
        if (!is_closed_ && pause_ > milliseconds(0)) co_await pause();
    }
    tell_waiting();
}

asio::awaitable<void> Line::attempt() {
    try {
        const auto connection = co_await Connection::connect(context_, options_.connection);
        const auto opened_at = steady_clock::now();
        if (is_closed_) {
            connection->close();
            co_return;
        }
        if (failure_) log::info("connected with Redis again");
        failure_.reset();
        connection_ = connection;
        tell_waiting();
        if (options_.on_open) options_.on_open(connection);
        co_await connection->closed();
        connection_.reset();
        if (options_.on_close) options_.on_close();
        if (is_closed_) co_return;
        log::warning("a connection with Redis ended", {{"detail", connection->end_reason()}});
        const bool was_short = steady_clock::now() - opened_at < life_min;
        pause_ = was_short ? std::clamp(2 * pause_, pause_first, pause_max) : milliseconds(0);
        // One that only ended is opened again before anyone is refused.
        if (!connection->is_silent()) co_return;
        failure_ = unavailable(connection->end_reason());
    } catch (const Error& error) {
        // Once, not with each attempt.
        if (!failure_) log::warning("no connection with Redis", {{"detail", error.detail()}});
        failure_ = error;
        pause_ = std::clamp(2 * pause_, pause_first, pause_max);
    }
    tell_waiting();
}

asio::awaitable<void> Line::pause() {
    pause_timer_.expires_after(pause_);
    boost::system::error_code cancelled;
    co_await pause_timer_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

void Line::tell_waiting() {
    const auto changed = std::exchange(changed_, std::make_shared<Event>(context_));
    changed->set();
}

}  // namespace spaktok::realtime::redis
