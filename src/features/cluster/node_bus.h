// What one node tells all others.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/json.h"
#include "engines/realtime/realtime.h"

namespace spaktok::cluster {

// Lives on its executor's thread; `tell` is for any. The engine outlives it.
class NodeBus {
  public:
    struct Options {
        realtime::Topics& topics;
        boost::asio::any_io_executor executor;
        std::string node_id;
    };
    // Runs on the executor. What it throws is logged. A message may come twice.
    using Handler = std::function<boost::asio::awaitable<void>(json::Object body)>;

    explicit NodeBus(Options options);
    ~NodeBus();

    // What is done with the other nodes' messages of this type: this node's own are not handed to it. Before
    // `start`.
    void on(std::string type, Handler handler);
    // Returns once it listens. Throws Error{unavailable}.
    boost::asio::awaitable<void> start();
    boost::asio::awaitable<void> stop();
    // Returns once the engine has the message. Throws Error{unavailable}.
    boost::asio::awaitable<void> tell(std::string type, json::Object body);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::cluster
