// One's own wallet: what is in it, topping it up, its statement.
#pragma once

#include "features/accounts/account_service.h"
#include "features/ledger/ledger.h"
#include "features/payments/payment_service.h"
#include "http/router.h"

namespace spaktok::wallet {

// Of a statement as CSV; who has more asks for a shorter time.
inline constexpr std::int64_t csv_entries_max = 10'000;
inline constexpr int months_shown = 12;

struct Parts {
    ledger::Ledger& ledger;
    payments::Service& payments;
    accounts::Service& accounts;
    relational::Database& database;
    const Clock& clock;
};
void add_routes(http::Router& router, Parts parts);

}  // namespace spaktok::wallet
