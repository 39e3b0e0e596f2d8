#include "features/streams/origins.h"

#include <utility>

#include "base/json.h"

namespace spaktok::streams {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds remembered_for{1};

std::string key_of(StreamId stream) {
    return "origin:" + stream.to_string();
}

}  // namespace

Origins::Origins(Options options)
    : options_(std::move(options)),
      self_{.node = options_.node_id, .url = {}},
      recent_(options_.clock, {.life = remembered_for}) {}

asio::awaitable<void> Origins::claim(StreamId stream) {
    co_await options_.values.put(key_of(stream), json::serialize(self_),
                                 {.expires_after = life, .durable = false});
    recent_.drop(stream);
}

asio::awaitable<void> Origins::release(StreamId stream) {
    if (co_await find(stream) == self_) co_await options_.values.remove(key_of(stream));
    recent_.drop(stream);
}

asio::awaitable<std::optional<Origin>> Origins::find(StreamId stream) {
    const auto stored = co_await options_.values.get(key_of(stream));
    if (!stored) co_return std::nullopt;
    co_return json::from_value<Origin>(json::parse(*stored));
}

asio::awaitable<std::optional<Origin>> Origins::elsewhere(StreamId stream) {
    auto origin = co_await find(stream);
    if (origin && origin->node == self_.node) origin.reset();
    co_return origin;
}

asio::awaitable<std::optional<Origin>> Origins::recently_elsewhere(StreamId stream) {
    if (auto hit = recent_.get(stream)) co_return std::move(*hit);
    const auto ticket = recent_.ticket(stream);
    auto origin = co_await elsewhere(stream);
    recent_.put(stream, origin, ticket);
    co_return origin;
}

}  // namespace spaktok::streams
