// Whether the books agree: balances with entries, transactions with their entries, payouts with theirs.
#pragma once

#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"

namespace spaktok::ledger {

struct AuditDifference {
    std::string what;  // "balance of account", as audit_rules() names it
    std::string id;    // of the account, transaction or payout; empty for the whole
    std::int64_t stored = 0;
    std::int64_t expected = 0;
};

struct AuditResult {
    std::int64_t compared = 0;  // accounts and transactions
    std::vector<AuditDifference> differences;
};
inline constexpr std::int64_t audit_differences_max = 1'000;

// One snapshot, beside whoever writes; nothing is written. The whole ledger is read: on PostgreSQL without a
// limit of time, on SQLite within a statement's. At most audit_differences_max differences.
boost::asio::awaitable<AuditResult> audit(relational::Database& database);

}  // namespace spaktok::ledger
