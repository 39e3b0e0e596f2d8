#include "gateway/core.h"

#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <sys/socket.h>

#include "base/error.h"
#include "gateway/shard.h"
#include "gateway/websocket_handshake.h"

namespace spaktok::gateway {

namespace {

// Says which version is spoken here (RFC 6455, 4.4) and ends the connection. The answer is small and the
// first on its socket: the kernel takes it whole, or the peer is gone.
void refuse_version(boost::asio::ip::tcp::socket socket) {
    const std::string answer = unsupported_version_answer();
    [[maybe_unused]] const ssize_t written =
        ::send(socket.native_handle(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    boost::system::error_code ignored;
    socket.shutdown(boost::asio::socket_base::shutdown_both, ignored);
}

}  // namespace

Core::Core(GatewayOptions gateway_options, realtime::Engine& engine, IoThreads& io_threads,
           const Clock& gateway_clock)
    : options(gateway_options),
      realtime(engine),
      threads(io_threads),
      clock(gateway_clock),
      admission(gateway_clock, {.connections_max = options.connections_max,
                                .connections_per_address_max = options.connections_per_address_max}),
      counts(std::make_shared<TopicCounts>(threads.context(0), [this](const std::string& topic,
                                                                      std::int64_t count) {
          const auto colon = topic.find(':');
          const auto kind = kinds.find(std::string_view(topic).substr(0, colon));
          if (kind == kinds.end() || !kind->second.on_count) return;
          kind->second.on_count(colon == std::string::npos ? std::string() : topic.substr(colon + 1), count);
      })) {}

Core::~Core() = default;

void Core::begin() {
    for (std::size_t i = 0; i < threads.size(); ++i)
        shards.push_back(std::make_unique<Shard>(*this, i));
}

void Core::accept(http::Upgrade upgrade) {
    const auto& headers = upgrade.request.headers;
    const auto key = headers.get("Sec-WebSocket-Key");
    const auto result = check_handshake({.upgrade = headers.get("Upgrade"),
                                         .connection = headers.get("Connection"),
                                         .version = headers.get("Sec-WebSocket-Version"),
                                         .key = key});
    if (result == HandshakeResult::unsupported_version) return refuse_version(std::move(upgrade.socket));
    if (result != HandshakeResult::accepted) {
        throw Error(ErrorCode::invalid_argument, "This is no WebSocket handshake.",
                    {.reason = "bad_handshake"});
    }
    Caller caller{.connection_id = next_connection_id++, .remote_address = upgrade.request.remote_address};
    if (const auto& session = upgrade.request.session) {
        caller.user_id = session->user_id;
        caller.session_id = session->id;
    }
    admission.admit(caller.remote_address, caller.session_id);
    shards[IoThreads::current()]->accept(std::move(upgrade.socket), std::move(caller), handshake_answer(*key),
                                         std::move(upgrade.unread));
}

}  // namespace spaktok::gateway
