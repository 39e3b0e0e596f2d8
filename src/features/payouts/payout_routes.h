// The streamer's routes: earnings and payouts. The administrators' are in features/oversight.
#pragma once

#include "features/payouts/payout_service.h"
#include "http/router.h"

namespace spaktok::payouts {

void add_routes(http::Router& router, Service& service);

}  // namespace spaktok::payouts
