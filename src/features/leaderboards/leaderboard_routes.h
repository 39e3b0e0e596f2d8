// The leaderboards over HTTP.
#pragma once

#include "features/leaderboards/leaderboard_service.h"
#include "http/router.h"

namespace spaktok::leaderboards {

void add_routes(http::Router& router, Service& service);

}  // namespace spaktok::leaderboards
