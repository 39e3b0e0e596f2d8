#include "gateway/shard.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/assert.h"
#include "gateway/core.h"

namespace spaktok::gateway {

namespace asio = boost::asio;

namespace {
constexpr std::size_t read_buffer_bytes = 64 * 1024;
// A send costs some 8 µs: after this many the loop's other work (reads, other protocols' sockets) has its
// turn, and what is published meanwhile is gathered with what these connections have yet to get.
constexpr std::size_t flushes_a_turn_max = 32;
constexpr std::chrono::milliseconds stop_step{20};
// For requests under way and for clients that do not answer a close frame.
constexpr std::chrono::seconds stop_patience{6};
}  // namespace

Shard::Shard(Core& core, std::size_t index)
    : core_(core),
      context_(core.threads.context(index)),
      wheel_(core.threads.wheel(index)),
      read_buffer_(read_buffer_bytes),
      tasks_(context_.get_executor(), "gateway"),
      requests_(*this) {}

Shard::~Shard() {
    SPAKTOK_ASSERT(connections_.empty());  // the gateway was stopped
}

const GatewayOptions& Shard::options() const {
    return core_.options;
}
const Clock& Shard::clock() const {
    return core_.clock;
}

void Shard::accept(asio::ip::tcp::socket socket, Caller caller, std::string handshake, std::string unread) {
    const Welcome welcome{
        .connection_id = caller.connection_id,
        .user_id = caller.user_id ? std::optional(caller.user_id->to_string()) : std::nullopt,
        .ping_interval_seconds = std::chrono::ceil<std::chrono::seconds>(options().ping_interval).count(),
        .message_bytes_max = static_cast<std::int64_t>(options().message_bytes_max),
        .subscriptions_max = static_cast<std::int64_t>(options().subscriptions_max),
        .requests_per_second = options().requests_per_second,
        .requests_in_flight_max = requests_in_flight_max,
    };
    const auto connection = std::make_shared<Connection>(*this, std::move(socket), std::move(caller));
    connection->place = connections_.size();
    connections_.push_back(connection);
    core_.metrics.connections.add(1);
    connection->start(std::move(handshake), encode_welcome(welcome), std::move(unread));
}

void Shard::remove(Connection& connection) {
    core_.metrics.connections.add(-1);
    core_.admission.release(connection.caller().remote_address);
    const std::size_t place = connection.place;
    SPAKTOK_ASSERT(connections_[place].get() == &connection);
    std::swap(connections_[place], connections_.back());
    connections_[place]->place = place;
    connections_.pop_back();
}

void Shard::close_session(const std::string& session_id) {
    // Rare, so that an index by session would cost more memory than this costs time.
    for (const auto& connection : connections_) {
        if (connection->caller().session_id == session_id)
            connection->close(CloseCode::session_ended, "session ended");
    }
}

// ---- Topics

std::shared_ptr<Join> Shard::join(Connection& connection, const std::string& name) {
    std::shared_ptr<LocalTopic>& known = topics_[name];
    const bool is_new = !known;
    if (is_new) known = std::make_shared<LocalTopic>(*this, name);
    const std::shared_ptr<LocalTopic> topic = known;
    auto join = topic->join(connection);
    // After it has someone to open for: opening may end at once, and removes a topic that nobody wants.
    if (is_new) tasks_.spawn(LocalTopic::open(topic));
    return join;
}

void Shard::remove(LocalTopic& topic) {
    const auto found = topics_.find(topic.name());
    if (found != topics_.end() && found->second.get() == &topic) topics_.erase(found);
}

void Shard::leave(Connection& connection, std::size_t membership) {
    auto& all = connection.memberships();
    const Membership left = std::move(all[membership]);
    if (membership + 1 != all.size()) {
        all[membership] = std::move(all.back());
        all[membership].topic->moved(all[membership], membership);
    }
    all.pop_back();
    left.topic->leave(left);
    if (left.topic->is_idle()) remove(*left.topic);
}

void Shard::leave_all(Connection& connection) {
    while (!connection.memberships().empty())
        leave(connection, connection.memberships().size() - 1);
}

// ---- The end of a turn

void Shard::wake(std::shared_ptr<Connection> connection) {
    woken_.push_back(std::move(connection));
    schedule_flush();
}

void Shard::wake(std::shared_ptr<LocalTopic> topic) {
    woken_topics_.push_back(std::move(topic));
    schedule_flush();
}

void Shard::schedule_flush() {
    if (is_flush_scheduled_) return;
    is_flush_scheduled_ = true;
    // Behind everything that is ready now: what that queues goes out in the same writes.
    asio::post(context_, [this, core = core_.shared_from_this()] { flush(); });
}

void Shard::flush() {
    is_flush_scheduled_ = false;
    for (const auto& topic : std::exchange(woken_topics_, {}))
        topic->hand_over();
    const std::size_t end = std::min(woken_.size(), flushed_ + flushes_a_turn_max);
    while (flushed_ < end) {
        const auto connection = std::move(woken_[flushed_++]);
        connection->flush();  // may wake it again, to write its close frame
    }
    if (flushed_ == woken_.size()) {
        woken_.clear();
        flushed_ = 0;
    } else {
        schedule_flush();
    }
    if (deliveries_ > 0) core_.metrics.deliveries.add(static_cast<double>(std::exchange(deliveries_, 0)));
}

void Shard::count_slow_consumer() {
    core_.metrics.slow_consumers.add(1);
}

// ---- The end

asio::awaitable<void> Shard::stop(std::chrono::milliseconds spread) {
    const auto core = core_.shared_from_this();
    asio::steady_timer timer(context_);
    const auto step = [&]() -> asio::awaitable<void> {
        timer.expires_after(stop_step);
        co_await timer.async_wait(asio::use_awaitable);
    };
    const auto begin = std::chrono::steady_clock::now();
    const auto everyone = connections_;
    std::size_t told = 0;
    while (told < everyone.size()) {
        const auto elapsed = std::chrono::steady_clock::now() - begin;
        const double share =
            spread.count() > 0 ? std::min(1.0, elapsed / std::chrono::duration<double>(spread)) : 1.0;
        // Beginning with one: with a single client there is nothing to spread.
        const auto due =
            std::max<std::size_t>(1, static_cast<std::size_t>(share * static_cast<double>(everyone.size())));
        for (; told < due; ++told)
            everyone[told]->close(CloseCode::restart, "restarting: reconnect");
        if (told < everyone.size()) co_await step();
    }
    const auto patience_ends = std::chrono::steady_clock::now() + stop_patience;
    while (!(connections_.empty() && tasks_.running() == 0) &&
           std::chrono::steady_clock::now() < patience_ends) {
        co_await step();
    }
    for (const auto& connection : std::vector(connections_))
        connection->drop();
    co_await tasks_.stop();
    topics_.clear();
}

}  // namespace spaktok::gateway
