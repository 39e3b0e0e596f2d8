// The boards in the realtime engine: counted from events, and built anew from `transactions` where they are
// lost.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "engines/realtime/realtime.h"
#include "engines/relational/database.h"
#include "features/accounts/account_service.h"
#include "features/events/events.h"
#include "features/leaderboards/leaderboard.h"

namespace spaktok::leaderboards {

using Publish =
    std::function<boost::asio::awaitable<void>(std::string topic, std::string event, json::Value data)>;

// What says that the boards were built: it is in the same place as they are, and lost with them.
inline constexpr std::string_view built_board = "gifts:built";
inline constexpr std::string_view built_member = "1";

// The reading functions are thread-safe; `follow`'s consumers, `tick` and `keep` live on the dispatcher's
// executor. What it refers to outlives it.
class Service {
  public:
    struct Options {
        relational::Database& database;
        realtime::Rankings& rankings;
        accounts::Service& accounts;
        const Clock& clock;
        // Throws Error{not_found}.
        std::function<boost::asio::awaitable<bool>(StreamId)> is_live;
        // Whether this node is the one that delivers events: it alone writes to the boards.
        std::function<bool()> may_build;
        Publish publish;
    };
    explicit Service(Options options);
    ~Service();

    // Counts what is sent (`gifts.sent`) and taken back (`gifts.reversed`). Before the dispatcher starts.
    void follow(events::Dispatcher& events);
    // Tells on `stream:<id>` how the boards stand that have changed since the last call. Once a second.
    boost::asio::awaitable<void> tick();
    // Builds the boards where they are lost. Once a second.
    boost::asio::awaitable<void> keep();

    // The first `limit` at the most, 1 to places_max.
    boost::asio::awaitable<std::vector<Place>> top(Side side, Period period, std::int64_t limit);
    // Of a stream that is over by the database. Throws Error{not_found}.
    boost::asio::awaitable<std::vector<Place>> top_of_stream(StreamId stream, std::int64_t limit);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::leaderboards
