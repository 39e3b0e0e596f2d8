// HTTP and JSON of profiles, follows and their lists.
#pragma once

#include <functional>
#include <optional>
#include <unordered_set>
#include <vector>

#include "features/accounts/account_service.h"
#include "features/graph/graph_service.h"
#include "http/router.h"

namespace spaktok::graph {

// What the streams feature knows; given by the composition, because features do not depend in a circle.
struct LiveLookup {
    // The user's live Stream as the API answers it, or null; the viewer decides what it shows.
    std::function<boost::asio::awaitable<json::Value>(UserId user, std::optional<UserId> viewer)> live_stream;
    // Those of the users who are live.
    std::function<boost::asio::awaitable<std::unordered_set<UserId>>(std::vector<UserId> users)> live_among;
};

void add_routes(http::Router& router, Service& service, accounts::Service& accounts, LiveLookup live);

}  // namespace spaktok::graph
