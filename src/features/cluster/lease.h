// Work that one node does for all: at any moment at most one holds the lease of that name.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "engines/realtime/realtime.h"

namespace spaktok::cluster {

// Of the jobs that one node does for all; while a place is served, some node holds it.
inline constexpr const char* jobs_lease = "jobs";
// Whether some node holds it, or held it until a moment ago.
boost::asio::awaitable<bool> is_leased(realtime::KeyValues& values, std::string name);

// Lives on its executor's thread; `held` is for any. The engine outlives it.
class Lease {
  public:
    struct Options {
        realtime::KeyValues& values;
        const Clock& clock;
        boost::asio::any_io_executor executor;
        std::string name;
        std::string node_id;
        // How long a node that is gone keeps it. It is renewed three times as often.
        std::chrono::milliseconds life{9'000};
    };
    explicit Lease(Options options);
    ~Lease();

    // Asks for it once before it returns, and from then on again and again.
    boost::asio::awaitable<void> start();
    // Whether this node has it now. False where the engine could not be asked for so long that another may
    // have it.
    bool held() const;
    // Gives it back.
    boost::asio::awaitable<void> stop();

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::cluster
