// What clients ask for: finds who answers, bounds how many are under way, and turns errors into answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "base/error.h"
#include "gateway/gateway.h"
#include "gateway/local_topic.h"
#include "gateway/protocol.h"

namespace spaktok::gateway {

class Connection;
class Shard;
struct Call;

// Requests of a connection that are not answered yet; one more is refused. Enough for a page that subscribes
// to all it shows at once, little enough that one client cannot fill an engine's queue.
inline constexpr int requests_in_flight_max = 16;
// A connection may send this many seconds' worth of requests at once.
inline constexpr int requests_burst_seconds = 3;

// Lives in its shard.
class Requests {
  public:
    explicit Requests(Shard& shard) : shard_(shard) {}

    // A text message of the connection.
    void handle(Connection& connection, std::string_view text);

  private:
    void dispatch(Connection& connection, std::int64_t id, ClientMessage message);
    void subscribe(Connection& connection, std::int64_t id, const json::Object& message);
    void unsubscribe(Connection& connection, std::int64_t id, const json::Object& message);
    void call(Connection& connection, Call call);
    boost::asio::awaitable<void> run_calls(std::shared_ptr<Connection> connection);
    struct Subscribe {
        std::int64_t id;
        std::string topic;
        std::string rest;  // of the topic's name, behind its prefix
        std::optional<realtime::Position> since;
    };
    boost::asio::awaitable<void> run_subscribe(std::shared_ptr<Connection> connection, const TopicKind& kind,
                                               Subscribe request);
    // Throws what refuses another subscription of the connection.
    void check_may_join(Connection& connection, const std::string& topic) const;
    void answer_error(Connection& connection, std::optional<std::int64_t> id, const Error& error);
    // For a handler's coroutine, from its catch block.
    void answer_exception(Connection& connection, std::int64_t id, std::exception_ptr failure);

    Shard& shard_;
};

}  // namespace spaktok::gateway
