#include "gateway/requests.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/connection.h"
#include "gateway/core.h"
#include "gateway/shard.h"

namespace spaktok::gateway {

namespace asio = boost::asio;

namespace {

// Counts a request among the connection's for as long as it is under way.
class InFlight {
  public:
    explicit InFlight(Connection& connection) : connection_(connection) { ++connection_.requests_in_flight; }
    ~InFlight() { --connection_.requests_in_flight; }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;

  private:
    Connection& connection_;
};

Error ended_before_it_began() {
    return Error(ErrorCode::conflict, "The subscription was ended before it began.",
                 {.reason = "unsubscribed"});
}

auto find_membership(Connection& connection, std::string_view topic) {
    return std::ranges::find_if(connection.memberships(), [&](const Membership& membership) {
        return membership.topic->name() == topic;
    });
}

}  // namespace

void Requests::handle(Connection& connection, std::string_view text) {
    ClientMessage message;
    try {
        message = parse_client_message(text);
    } catch (const Error&) {
        return connection.close(CloseCode::invalid_payload, "not a JSON object");
    }
    const auto id = message.id;
    if (!id) {
        return answer_error(
            connection, std::nullopt,
            Error(ErrorCode::invalid_argument, "A request needs an id: a whole number from 0 on.",
                  {.field = "id", .reason = "invalid_field"}));
    }
    try {
        dispatch(connection, *id, std::move(message));
    } catch (const Error& error) {
        answer_error(connection, id, error);
    }
}

void Requests::dispatch(Connection& connection, std::int64_t id, ClientMessage message) {
    if (message.type == "ping") {
        const json::Object result{{"server_time", to_rfc3339(shard_.clock().now())}};
        return connection.send_text(encode_answer(id, result));
    }
    if (message.type == "unsubscribe") return unsubscribe(connection, id, message.body);
    if (connection.requests_in_flight >= requests_in_flight_max) {
        throw Error(ErrorCode::rate_limited, "Too many requests are waiting for their answers.",
                    {.reason = "too_many_in_flight", .retry_after = std::chrono::seconds(1)});
    }
    if (message.type == "subscribe") return subscribe(connection, id, message.body);
    const auto handler = shard_.core().handlers.find(message.type);
    if (handler == shard_.core().handlers.end()) {
        throw Error(ErrorCode::invalid_argument, "There is no request of this type.",
                    {.field = "type", .reason = "unknown_type"});
    }
    call(connection, {.id = id, .handler = handler->second, .body = std::move(message.body)});
}

void Requests::call(Connection& connection, Call call) {
    ++connection.requests_in_flight;
    const bool is_first = connection.calls == nullptr;
    if (is_first) connection.calls = std::make_unique<std::deque<Call>>();
    connection.calls->push_back(std::move(call));
    if (is_first) shard_.tasks().spawn(run_calls(connection.shared_from_this()));
}

// One after another: what a person sends in one order is stored in that order.
asio::awaitable<void> Requests::run_calls(std::shared_ptr<Connection> connection) {
    for (auto& calls = *connection->calls; !calls.empty(); calls.pop_front()) {
        Call& call = calls.front();
        std::exception_ptr failure;
        try {
            const json::Value result = co_await call.handler(connection->caller(), std::move(call.body));
            connection->send_text(encode_answer(call.id, result));
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) answer_exception(*connection, call.id, failure);
        --connection->requests_in_flight;
    }
    connection->calls.reset();
}

// ---- Topics

void Requests::subscribe(Connection& connection, std::int64_t id, const json::Object& message) {
    Subscribe request{.id = id, .topic = {}, .rest = {}, .since = parse_recover(message)};
    TopicName name = parse_topic(message, request.topic);
    request.rest = std::move(name.rest);
    const auto& kinds = shard_.core().kinds;
    const auto kind = kinds.find(name.prefix);
    if (kind == kinds.end()) {
        throw Error(ErrorCode::not_found, "There is no such topic.",
                    {.field = "topic", .reason = "unknown_topic"});
    }
    shard_.tasks().spawn(run_subscribe(connection.shared_from_this(), kind->second, std::move(request)));
}

asio::awaitable<void> Requests::run_subscribe(std::shared_ptr<Connection> connection, const TopicKind& kind,
                                              Subscribe request) {
    const InFlight counted(*connection);
    const std::int64_t id = request.id;
    std::shared_ptr<Join> join;
    std::exception_ptr failure;
    try {
        check_may_join(*connection, request.topic);
        // The engine remembers every name that was ever subscribed to for a while: nobody may fill it with
        // names that they may not listen to. Where the topic is open here anyway, one question is enough.
        if (!shard_.has_topic(request.topic)) co_await kind.authorize(connection->caller(), request.rest);
        check_may_join(*connection, request.topic);
        join = shard_.join(*connection, request.topic);
        co_await join->topic->opened();
        // Asked after joining, so that the state in the answer is no older than the events that follow it.
        // Who may not listen is taken out again and has heard nothing.
        json::Value state = co_await kind.authorize(connection->caller(), std::move(request.rest));
        SubscribeResult result = co_await join->topic->recover(join, std::move(request.since));
        if (join->connection == nullptr) throw ended_before_it_began();
        result.state = std::move(state);
        join->topic->complete(*join, id, result);
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) co_return;
    if (join && join->connection != nullptr) {
        const auto membership = find_membership(*connection, join->topic->name());
        shard_.leave(*connection, static_cast<std::size_t>(membership - connection->memberships().begin()));
    }
    answer_exception(*connection, id, failure);
}

void Requests::check_may_join(Connection& connection, const std::string& topic) const {
    if (!connection.is_open()) throw ended_before_it_began();
    if (find_membership(connection, topic) != connection.memberships().end()) {
        throw Error(ErrorCode::conflict, "This topic is subscribed to already.",
                    {.field = "topic", .reason = "already_subscribed"});
    }
    if (connection.memberships().size() >= shard_.options().subscriptions_max) {
        throw Error(ErrorCode::conflict, "There are too many subscriptions on this connection.",
                    {.field = "topic", .reason = "too_many_subscriptions"});
    }
}

void Requests::unsubscribe(Connection& connection, std::int64_t id, const json::Object& message) {
    std::string topic;
    parse_topic(message, topic);
    const auto membership = find_membership(connection, topic);
    if (membership == connection.memberships().end()) {
        throw Error(ErrorCode::not_found, "This topic is not subscribed to.",
                    {.field = "topic", .reason = "not_subscribed"});
    }
    shard_.leave(connection, static_cast<std::size_t>(membership - connection.memberships().begin()));
    connection.send_text(encode_answer(id, json::Object()));
}

// ---- Errors

void Requests::answer_exception(Connection& connection, std::int64_t id, std::exception_ptr failure) {
    try {
        std::rethrow_exception(std::move(failure));
    } catch (const Error& error) {
        answer_error(connection, id, error);
    } catch (const std::exception& error) {
        answer_error(
            connection, id,
            Error(ErrorCode::internal, "Something went wrong on our side.", {.detail = error.what()}));
    }
}

void Requests::answer_error(Connection& connection, std::optional<std::int64_t> id, const Error& error) {
    const std::string reference =
        "ws-" + std::to_string(connection.caller().connection_id) + "-" + (id ? std::to_string(*id) : "none");
    if (error.code() == ErrorCode::internal) {
        log::error("request failed",
                   {{"request_id", reference}, {"error", error.message()}, {"detail", error.detail()}});
    }
    connection.send_text(encode_error(id, error, reference));
}

}  // namespace spaktok::gateway
