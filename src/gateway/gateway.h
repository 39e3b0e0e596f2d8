// The WebSocket gateway at /api/v1/realtime (api/realtime.md): numbered requests, answers and topic events.
//
// Features plug in two things: request types ("chat.send") and topic kinds ("room:<id>"). A topic event is
// serialised once, by who publishes it, made a finished WebSocket frame once on each I/O thread, and shared
// by the queues of all its subscribers there (README.md says why).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "base/io_threads.h"
#include "base/json.h"
#include "engines/realtime/realtime.h"
#include "http/server.h"

namespace spaktok::gateway {

// Who sent a request or subscribes: a signed-in user, or a guest who may only listen.
struct Caller {
    std::uint64_t connection_id = 0;  // unique in this process's life
    std::optional<UserId> user_id;
    std::string session_id;
    std::string remote_address;

    UserId user() const;  // throws Error{unauthenticated}
};

// Answers one request with the `result` object; what it throws becomes the answer's `error` (same shape as
// REST problems).
using RequestHandler = std::function<boost::asio::awaitable<json::Value>(Caller, json::Object)>;

struct TopicKind {
    std::string prefix;  // "room" serves topics "room:<rest>"
    // Throws Error{not_found | forbidden | unauthenticated} where the caller may not listen. Returns what the
    // answer to the subscription carries as `state` (the viewer count as it is now).
    std::function<boost::asio::awaitable<json::Value>(Caller, std::string rest)> authorize;
    // Number of this node's subscribers of a topic changed; called on any I/O thread, at most once a second a
    // topic.
    std::function<void(std::string rest, std::int64_t subscribers)> on_count{};
};

struct GatewayOptions {
    std::size_t connections_max = 20'000;
    std::size_t connections_per_address_max = 200;
    std::size_t message_bytes_max = 16 * 1024;     // from a client; larger: close 1009
    std::size_t queue_bytes_max = 1024 * 1024;     // to a client; beyond: close 4408, reconnect and recover
    std::size_t socket_buffer_bytes = 256 * 1024;  // to a client, in the kernel, before the queue begins
    std::size_t subscriptions_max = 100;           // of a connection
    int requests_per_second = 20;  // of a connection; burst of three times that, then close 4429
    std::chrono::milliseconds ping_interval{25'000};
    std::chrono::milliseconds pong_timeout{10'000};
};

struct Core;

// Thread-safe where it does not say otherwise. Call stop() before it is destroyed, while the I/O threads
// still run.
class Gateway {
  public:
    Gateway(GatewayOptions options, realtime::Engine& realtime, IoThreads& threads, const Clock& clock);
    ~Gateway();

    // Before the server starts.
    void add_request(std::string type, RequestHandler handler);
    void add_topic(TopicKind kind);
    // Registers /api/v1/realtime.
    void attach(http::Server& server);
    // Takes over a connection whose request asks for an upgrade, on its I/O thread; what is refused is
    // answered here. `attach` registers this.
    void accept(http::Upgrade upgrade);

    // Publishes an event to a topic through the realtime engine:
    // {"type":"event","topic":…,"event":name,"data":…} with its offset and epoch where the topic has history.
    // Returns the position.
    boost::asio::awaitable<realtime::Position> publish(std::string topic, std::string event, json::Value data,
                                                       realtime::HistoryLimits history = {});
    // The same with data that is JSON text already (live reactions at a high rate: made once, published
    // often).
    boost::asio::awaitable<realtime::Position> publish_json(std::string topic, std::string_view event,
                                                            std::string_view data_json,
                                                            realtime::HistoryLimits history = {});

    // Closes every socket of the session (signed out: 4401).
    void close_session(const std::string& session_id);
    // This node's subscribers of a topic, now.
    std::int64_t subscribers(std::string_view topic) const;
    // Tells every client to come back (close 1012) over up to `spread`, returns when all are closed. Not from
    // an I/O thread.
    void stop(std::chrono::milliseconds spread);

  private:
    std::shared_ptr<Core> core_;
};

}  // namespace spaktok::gateway
