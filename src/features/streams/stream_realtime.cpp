#include "features/streams/stream_realtime.h"

#include <boost/describe.hpp>

namespace spaktok::streams {

namespace asio = boost::asio;

namespace {

// Hearts that fly: shown to everyone who watches, not stored.
enum class Reaction { heart, fire, clap, laugh, wow };
BOOST_DESCRIBE_ENUM(Reaction, heart, fire, clap, laugh, wow)

struct ReactionRequest {
    StreamId stream_id;
    Reaction kind = Reaction::heart;
};
BOOST_DESCRIBE_STRUCT(ReactionRequest, (), (stream_id, kind))

// A thumb taps about eight times a second.
constexpr http::RateLimit reaction_limit{.name = "reaction", .per_minute = 300, .burst = 20, .shared = true};

StreamId stream_of(const std::string& rest) {
    const auto id = StreamId::parse(rest);
    if (!id) throw Error(ErrorCode::not_found, "There is no such stream.");
    return *id;
}

asio::awaitable<json::Value> authorize_stream(Service& service, gateway::Caller caller, std::string rest) {
    const auto stream = co_await service.recent(stream_of(rest));
    co_return json::Object{{"stream", json::to_value(co_await service.answer(stream, caller.user_id))}};
}

asio::awaitable<json::Value> authorize_everyone() {
    co_return json::Object{};
}

asio::awaitable<json::Value> react(gateway::Gateway& gateway, Service& service, http::RateLimiter& limiter,
                                   gateway::Caller caller, json::Object body) {
    const auto given = json::from_value<ReactionRequest>(body);
    if (const auto wait = limiter.take(reaction_limit, caller.user().to_string())) {
        throw Error(ErrorCode::rate_limited, "You are reacting too fast.",
                    {.reason = "flood", .retry_after = *wait});
    }
    const auto stream = co_await service.recent(given.stream_id);
    if (stream.status != Status::live) {
        throw Error(ErrorCode::conflict, "This stream is not live.", {.reason = "stream_not_live"});
    }
    co_await gateway.publish(
        "stream:" + given.stream_id.to_string(), "reaction",
        json::Object{{"kind", json::to_value(given.kind)}, {"user_id", caller.user().to_string()}});
    co_return json::Object{};
}

}  // namespace

void add_realtime(gateway::Gateway& gateway, Service& service, LiveBoard& board, http::RateLimiter& limiter) {
    gateway.add_topic({.prefix = "stream",
                       .authorize =
                           [&service](gateway::Caller caller, std::string rest) {
                               return authorize_stream(service, std::move(caller), std::move(rest));
                           },
                       .on_count =
                           [&board](std::string rest, std::int64_t subscribers) {
                               board.set_subscribers(stream_of(rest), subscribers);
                           }});
    gateway.add_topic(
        {.prefix = "live", .authorize = [](gateway::Caller, std::string) { return authorize_everyone(); }});
    gateway.add_request("reaction.send",
                        [&gateway, &service, &limiter](gateway::Caller caller, json::Object body) {
                            return react(gateway, service, limiter, std::move(caller), std::move(body));
                        });
}

}  // namespace spaktok::streams
