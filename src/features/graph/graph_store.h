// The table `followers`.
#pragma once

#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "features/events/events.h"
#include "features/graph/graph_service.h"

namespace spaktok::graph {

class Store {
  public:
    explicit Store(relational::Database& database) : database_(database) {}

    struct Edge {
        UserId follower;
        UserId following;
        Timestamp at{};
    };
    // False where the edge was there. Writes the event in the same transaction. Throws Error{not_found} where
    // one of them does not exist and {conflict "cannot_follow_yourself"}.
    boost::asio::awaitable<bool> insert(Edge edge, events::Event event);
    boost::asio::awaitable<bool> remove(UserId follower, UserId following);
    boost::asio::awaitable<FollowCounts> counts(UserId user);
    boost::asio::awaitable<std::vector<UserId>> followed_among(UserId follower, std::vector<UserId> users);

    struct ListQuery {
        UserId user;
        std::optional<paging::TimeAndId> after{};
        std::int64_t limit = 0;
    };
    boost::asio::awaitable<std::vector<Follow>> followers(ListQuery query);
    boost::asio::awaitable<std::vector<Follow>> following(ListQuery query);

  private:
    relational::Database& database_;
};

}  // namespace spaktok::graph
