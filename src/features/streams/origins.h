// Which node has a stream's broadcast: `origin:<stream>` in the realtime engine, with a life of 15 seconds
// that the node renews while the publisher is connected.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>

#include "base/clock.h"
#include "base/uuid.h"
#include "engines/realtime/realtime.h"
#include "features/cache/expiring_cache.h"

namespace spaktok::streams {

struct Origin {
    std::string node;
    std::string url;  // "http://host:port" by which other nodes reach it
    bool operator==(const Origin&) const = default;
};
BOOST_DESCRIBE_STRUCT(Origin, (), (node, url))

// Thread-safe.
class Origins {
  public:
    struct Options {
        realtime::KeyValues& values;
        const Clock& clock;
        std::string node_id;
    };
    explicit Origins(Options options);

    // Where other nodes reach this one. Before anything is claimed.
    void serve_at(std::string url) { self_.url = std::move(url); }

    boost::asio::awaitable<void> claim(StreamId stream);
    // Only what this node has.
    boost::asio::awaitable<void> release(StreamId stream);
    boost::asio::awaitable<std::optional<Origin>> find(StreamId stream);
    // Another node than this; nullopt where it is this one or none.
    boost::asio::awaitable<std::optional<Origin>> elsewhere(StreamId stream);
    // The same from memory, at most a second old: every fetch of every viewer asks.
    boost::asio::awaitable<std::optional<Origin>> recently_elsewhere(StreamId stream);

    static constexpr std::chrono::seconds life{15};

  private:
    Options options_;
    Origin self_;
    cache::ExpiringCache<StreamId, std::optional<Origin>> recent_;
};

}  // namespace spaktok::streams
