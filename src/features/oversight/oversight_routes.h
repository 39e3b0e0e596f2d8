// The administrators' routes of money: totals, payouts, gifts taken back, flags, the audit log.
#pragma once

#include "features/accounts/account_service.h"
#include "features/oversight/oversight_service.h"
#include "features/payouts/payout_service.h"
#include "http/router.h"

namespace spaktok::oversight {

// All outlive the router.
struct Parts {
    relational::Database& database;
    Service& oversight;
    payouts::Service& payouts;
    accounts::Service& accounts;
};
void add_routes(http::Router& router, Parts parts);

}  // namespace spaktok::oversight
