// Reads what the ledger wrote, for one person. Writes nothing.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "features/wallet/statement.h"

namespace spaktok::wallet {

class StatementStore {
  public:
    explicit StatementStore(relational::Database& database) : database_(database) {}

    // Newest first: those before `before` (not included), so many at most, with what they did to the wallet.
    boost::asio::awaitable<std::vector<Entry>> entries(Filter filter, std::optional<TransactionId> before,
                                                       std::int64_t limit);
    // Those in which something was, newest first.
    boost::asio::awaitable<std::vector<Month>> months(UserId user, Timestamp since);

  private:
    boost::asio::awaitable<void> add_wallet(UserId user, std::vector<Entry>& entries);

    relational::Database& database_;
};

}  // namespace spaktok::wallet
