// The statement as a file for spreadsheets (RFC 4180).
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "features/accounts/account.h"
#include "features/wallet/statement.h"

namespace spaktok::wallet {

// The first line names the columns. Amounts are decimals of USD ("-0.05"), of what was paid in its own
// currency. Text that a spreadsheet would run as a formula gets an apostrophe before it.
std::string csv_of(const std::vector<Entry>& entries,
                   const std::unordered_map<UserId, accounts::UserSummary>& people);

}  // namespace spaktok::wallet
