// Rows of `payouts`. The writes run in a transaction of the caller.
#pragma once

#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "features/payouts/payout.h"

namespace spaktok::payouts {

class PayoutStore {
  public:
    explicit PayoutStore(relational::Database& database) : database_(database) {}

    boost::asio::awaitable<std::optional<Payout>> find(PayoutId id);
    boost::asio::awaitable<std::optional<Payout>> find_by_transaction(TransactionId id);
    // That is requested or approved.
    boost::asio::awaitable<std::optional<Payout>> open_of(UserId user);
    static boost::asio::awaitable<bool> has_open(relational::Transaction& tx, UserId user);
    // Newest first, before that id.
    boost::asio::awaitable<std::vector<Payout>> page_of(UserId user, Uuid before, std::int64_t limit);
    // Oldest first, after that id.
    boost::asio::awaitable<std::vector<Payout>> oldest(Status status, Uuid after, std::int64_t limit);
    // Newest first, before that id.
    boost::asio::awaitable<std::vector<Payout>> newest(Status status, Uuid before, std::int64_t limit);

    struct Waiting {
        std::int64_t count = 0;
        Money amount;
    };
    boost::asio::awaitable<Waiting> waiting(Status status);

    static boost::asio::awaitable<void> insert(relational::Transaction& tx, Payout payout);
    struct Change {
        PayoutId id;
        Status from;
        Status to;
        std::optional<std::string> reason{};
        std::optional<UserId> decided_by{};  // where it is the decision
        Timestamp now{};
    };
    // False where it is not in `from`, or not there.
    static boost::asio::awaitable<bool> change(relational::Transaction& tx, Change change);

  private:
    relational::Database& database_;
};

}  // namespace spaktok::payouts
