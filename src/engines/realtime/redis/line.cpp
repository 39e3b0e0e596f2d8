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
      metrics_(options_.use),
      changed_(std::make_shared<Event>(context)),
      pause_timer_(context) {}

void Line::start() {
    metrics_.missing.add(1);
    asio::co_spawn(context_, run(), asio::detached);
}

asio::awaitable<std::shared_ptr<Connection>> Line::connection() {
    const auto self = shared_from_this();
    while (!current()) {
        if (is_closed_) throw unavailable("the connection is closed");
        if (failure_) throw Error(*failure_);
        const auto changed = changed_;
        co_await changed->wait();
    }
    co_return connection_;
}

void Line::close() {
    if (std::exchange(is_closed_, true)) return;
    pause_timer_.cancel();
    if (connection_) connection_->close();
    tell_waiting();
}

asio::awaitable<void> Line::run() {
    const auto self = shared_from_this();
    while (!is_closed_) {
        co_await attempt();
        if (is_closed_) break;
        if (options_.on_trouble) options_.on_trouble();
        tell_waiting();
        if (pause_ > milliseconds(0)) co_await pause();
    }
    metrics_.missing.add(-1);
}

asio::awaitable<void> Line::attempt() {
    try {
        co_await serve(co_await connect());
    } catch (const Error& error) {
        metrics_.refused.add();
        // Once, not with each attempt.
        if (!failure_)
            log::warning("no connection with Redis", {{"use", options_.use}, {"detail", error.detail()}});
        failure_ = error;
        pause_ = std::clamp(2 * pause_, pause_first, pause_max);
    }
}

asio::awaitable<std::shared_ptr<Connection>> Line::connect() {
    if (options_.find) options_.connection.server = co_await options_.find();
    co_return co_await Connection::connect(context_, options_.connection);
}

asio::awaitable<void> Line::serve(const std::shared_ptr<Connection>& connection) {
    const auto opened_at = steady_clock::now();
    if (is_closed_) {
        connection->close();
        co_return;
    }
    if (failure_) log::info("connected with Redis again", {{"use", options_.use}});
    failure_.reset();
    connection_ = connection;
    metrics_.opened.add();
    metrics_.open.add(1);
    metrics_.missing.add(-1);
    tell_waiting();
    if (options_.on_open) options_.on_open(connection);
    co_await connection->closed();
    connection_.reset();
    metrics_.open.add(-1);
    metrics_.missing.add(1);
    if (options_.on_close) options_.on_close();
    if (is_closed_) co_return;
    metrics_.lost.add();
    log::warning("a connection with Redis ended",
                 {{"use", options_.use}, {"detail", connection->end_reason()}});
    const bool was_short = steady_clock::now() - opened_at < life_min;
    pause_ = was_short ? std::clamp(2 * pause_, pause_first, pause_max) : milliseconds(0);
    // One that only ended is opened again before anyone is refused.
    if (connection->is_silent()) failure_ = unavailable(connection->end_reason());
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
