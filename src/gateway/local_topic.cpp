#include "gateway/local_topic.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "gateway/connection.h"
#include "gateway/core.h"
#include "gateway/shard.h"

namespace spaktok::gateway {

namespace asio = boost::asio;

namespace {
// A run of frames is handed over when it is this long: a slow reader keeps what it has not read whole, and
// the front of a long run would otherwise stay until its end is written.
constexpr std::size_t turn_bytes_max = 64 * 1024;
}  // namespace

LocalTopic::LocalTopic(Shard& shard, std::string name)
    : shard_(shard), name_(std::move(name)), name_json_(to_json_text(name_)), opened_(shard.context()) {}

// ---- Opening

asio::awaitable<void> LocalTopic::open(std::shared_ptr<LocalTopic> self) {
    try {
        auto subscribed = co_await self->shard_.core().realtime.topics().subscribe(
            self->name_, std::nullopt, self->shard_.context().get_executor(),
            [topic = self.get()](const realtime::TopicMessage& message) { topic->on_message(message); });
        self->subscription_ = std::move(subscribed.subscription);
        self->begin_at(std::move(subscribed.recovered.position));
    } catch (...) {
        self->failure_ = std::current_exception();
    }
    self->opened_.set();
    if (self->is_idle()) self->shard_.remove(*self);
}

// The engine's answer: the subscription carries what comes after `position`. Some of that may have come
// already.
void LocalTopic::begin_at(realtime::Position position) {
    for (const auto& join : joins_) {
        if (!join->start) join->start = position;
        if (position_ && position_->epoch != position.epoch) join->must_restart = true;
    }
    if (!position_) position_ = std::move(position);
}

asio::awaitable<void> LocalTopic::opened() {
    co_await opened_.wait();
    if (failure_) std::rethrow_exception(failure_);
}

// ---- Joining and leaving

std::shared_ptr<Join> LocalTopic::join(Connection& connection) {
    auto join = std::make_shared<Join>();
    join->topic = shared_from_this();
    join->connection = &connection;
    join->place = joins_.size();
    join->start = position_;
    joins_.push_back(join);
    connection.memberships().push_back({.topic = shared_from_this(), .join = join});
    return join;
}

asio::awaitable<SubscribeResult> LocalTopic::recover(std::shared_ptr<Join> join,
                                                     std::optional<realtime::Position> since) {
    SubscribeResult result{.topic = name_, .position = *join->start, .messages = {}, .state = {}};
    if (!since) co_return result;
    if (*since == *join->start) {
        result.recovered = true;
        co_return result;
    }
    // A subscription of its own only to read what was missed: this thread's carries everything from `start`
    // on already.
    auto subscribed = co_await shard_.core().realtime.topics().subscribe(
        name_, std::move(since), shard_.context().get_executor(), [](const realtime::TopicMessage&) {});
    subscribed.subscription.reset();
    auto& recovered = subscribed.recovered;
    std::size_t bytes = 0;
    for (const auto& message : recovered.messages)
        bytes += event_bytes_max(name_json_, message);
    // More than half of the queue: loading the page anew is cheaper for both sides, and the answer fits in
    // any case.
    const bool fits = bytes <= shard_.options().queue_bytes_max / 2;
    if (!recovered.complete || !fits || recovered.position.epoch != join->start->epoch) co_return result;
    result.recovered = true;
    result.position = std::move(recovered.position);
    result.messages = std::move(recovered.messages);
    co_return result;
}

void LocalTopic::complete(Join& join, std::int64_t id, const SubscribeResult& found) {
    SPAKTOK_ASSERT(join.connection != nullptr && !join.is_answered);
    SubscribeResult result = found;
    if (join.must_restart)
        result = {.topic = name_, .position = *position_, .messages = {}, .state = found.state};
    join.connection->send_text(encode_subscribed(id, result));
    const std::uint64_t told = result.position.offset;
    for (const auto& held : join.held) {
        if (held.offset == 0 || held.offset > told) join.connection->enqueue(held.frame);
    }
    join.held = {};
    join.is_answered = true;
    join.skip_until = told;
    shard_.core().counts->change(name_, 1);
    // Where the answer was ahead of this thread's subscription, what that still carries of it is skipped.
    if (join.must_restart || position_->offset >= told) admit(join);
}

// From a joining connection to a member. What this turn has collected so far went to it already.
void LocalTopic::admit(Join& join) {
    hand_over();
    Connection& connection = *join.connection;
    auto& memberships = connection.memberships();
    const auto membership = std::ranges::find_if(
        memberships, [&](const Membership& candidate) { return candidate.join.get() == &join; });
    SPAKTOK_ASSERT(membership != memberships.end());
    const auto keep = std::move(membership->join);
    membership->place = members_.size();
    members_.push_back({&connection, static_cast<std::size_t>(membership - memberships.begin())});
    remove_join(join);
}

void LocalTopic::remove_join(Join& join) {
    const std::size_t place = join.place;
    join.connection = nullptr;
    if (place + 1 != joins_.size()) {
        joins_[place] = std::move(joins_.back());
        joins_[place]->place = place;
    }
    joins_.pop_back();
}

void LocalTopic::leave(const Membership& membership) {
    if (membership.join) {
        if (membership.join->is_answered) shard_.core().counts->change(name_, -1);
        remove_join(*membership.join);
        return;
    }
    shard_.core().counts->change(name_, -1);
    const std::size_t place = membership.place;
    if (place + 1 != members_.size()) {
        members_[place] = members_.back();
        members_[place].connection->memberships()[members_[place].membership].place = place;
    }
    members_.pop_back();
}

void LocalTopic::moved(const Membership& membership, std::size_t place) {
    if (!membership.join) members_[membership.place].membership = place;
}

// ---- Events

void LocalTopic::on_message(const realtime::TopicMessage& message) {
    if (message.payload == nullptr) return on_lost(message.position);
    if (message.position.offset != 0) {
        if (position_ && message.position.epoch != position_->epoch) {
            for (const auto& join : joins_)
                restart(*join);
        }
        position_ = message.position;
    }
    std::string& event = shard_.scratch();
    event.clear();
    append_event(event, name_json_, message);
    if (!joins_.empty()) hold_back(message);
    if (!members_.empty()) append_to_turn();
}

// Everyone must load anew, and every client knows one way of being told: its connection ends, and when it
// comes back its recovery says so.
void LocalTopic::on_lost(const realtime::Position& position) {
    const auto self = shared_from_this();  // may be left by its last member
    position_ = position;
    std::vector<Connection*> served;
    served.reserve(members_.size() + joins_.size());
    for (const auto& member : members_)
        served.push_back(member.connection);
    for (const auto& join : joins_) {
        if (join->is_answered) {
            served.push_back(join->connection);
        } else {
            restart(*join);
        }
    }
    for (Connection* connection : served)
        connection->close(CloseCode::restart, "events were lost: reconnect and recover");
}

// The event, in the scratch text, for those who are joining.
void LocalTopic::hold_back(const realtime::TopicMessage& message) {
    const Frame frame(encode_frame(Opcode::text, shard_.scratch()));
    const std::uint64_t offset = message.position.offset;
    for (std::size_t i = 0; i < joins_.size();) {
        Join& join = *joins_[i];
        if (!join.is_answered) {
            if (!join.must_restart) join.held.push_back({offset, frame});
            // An engine that does not answer must not collect events without end: the answer then says
            // "reload".
            if (!join.must_restart && (join.held_bytes += frame.size()) > shard_.options().queue_bytes_max)
                restart(join);
        } else if (offset == 0) {
            join.connection->enqueue(frame);
        } else if (join.must_restart || offset > join.skip_until) {
            admit(join);  // and gets this event with the members; another join takes its place
            continue;
        }
        ++i;
    }
}

void LocalTopic::restart(Join& join) {
    join.must_restart = true;
    join.held = {};
}

void LocalTopic::append_to_turn() {
    const std::string& event = shard_.scratch();
    if (turn_.empty()) shard_.wake(shared_from_this());
    append_frame_header(turn_, Opcode::text, event.size());
    turn_.append(event);
    ++turn_events_;
    if (turn_.size() >= turn_bytes_max) hand_over();
}

void LocalTopic::hand_over() {
    if (turn_.empty()) return;
    const Frame frame(std::exchange(turn_, {}));
    for (const auto& member : members_)
        member.connection->enqueue(frame);
    shard_.count_deliveries(std::exchange(turn_events_, 0) * members_.size());
}

}  // namespace spaktok::gateway
