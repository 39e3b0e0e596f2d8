// A stream over the gateway: topics stream:<id> (its viewers), live (the list of live streams), request
// reaction.send.
#pragma once

#include "features/streams/live_board.h"
#include "features/streams/stream_service.h"
#include "gateway/gateway.h"
#include "http/rate_limiter.h"

namespace spaktok::streams {

void add_realtime(gateway::Gateway& gateway, Service& service, LiveBoard& board, http::RateLimiter& limiter);

}  // namespace spaktok::streams
