// The composition root: makes every part, connects them, starts and stops them. The only place that knows all
// of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "app/settings.h"

namespace spaktok::accounts {
class Service;
}
namespace spaktok::graph {
class Service;
}
namespace spaktok::streams {
class Service;
}
namespace spaktok::chat {
class Service;
}
namespace spaktok::gifts {
class Service;
}
namespace spaktok::ledger {
class Ledger;
}
namespace spaktok {
class IoThreads;
}

namespace spaktok::app {

// Holds the data directory's lock, the engines and the services from construction to destruction. `start` and
// `stop` are called from a thread that is no I/O thread.
class Server {
  public:
    // A command works beside the nodes of its place, also where one of them has its data directory, unless an
    // engine is embedded.
    enum class Use { node, command };

    // Opens the engines and migrates. Throws Error where a setting is bad, an engine cannot be opened or
    // another process uses the data directory.
    explicit Server(Settings settings, Use use = Use::node);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Listens and serves. Throws Error{unavailable} where an address is taken.
    void start();
    // Tells clients to come back, finishes requests and writes within `stop_grace`, closes everything. Once.
    void stop();

    // Every route of the main listener: "GET /api/v1/instance get_instance"; a WebSocket's path has
    // "websocket" in place of the operation. Registers them, so instead of `start`.
    std::vector<std::string> describe_routes();

    const std::string& public_url() const;
    std::uint16_t http_port() const;
    std::uint16_t rtmp_port() const;
    // Where the first administrator is made; nullopt once there is a user. One use.
    std::optional<std::string> setup_link();

    // Runs work on an I/O thread and waits for it. For the command line and the demo.
    void run(std::function<boost::asio::awaitable<void>()> work);

    accounts::Service& accounts();
    graph::Service& graph();
    streams::Service& streams();
    chat::Service& chat();
    ledger::Ledger& ledger();
    gifts::Service& gifts();
    IoThreads& threads();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::app
