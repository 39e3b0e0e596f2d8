// Rows of the ledger. Everything but `find_accounts` and the reads runs in a transaction of the caller.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/random.h"
#include "engines/relational/database.h"
#include "features/ledger/movement.h"

namespace spaktok::ledger {

using AccountIds = std::map<Account, Uuid>;

// A movement as it is booked.
struct Numbered {
    Uuid id;
    const Movement* movement = nullptr;
};

class LedgerStore {
  public:
    explicit LedgerStore(relational::Database& database) : database_(database) {}

    // Of each account, made where it does not exist yet. From memory as a rule: accounts are for ever.
    boost::asio::awaitable<AccountIds> find_accounts(std::vector<Account> accounts, Timestamp now,
                                                     Random& random);
    // Zero where the account does not exist.
    boost::asio::awaitable<Money> balance(Account account);

    // Locks the accounts until the transaction's end, in the order of their ids, so that two nodes never wait
    // for each other, and reads what is on them.
    static boost::asio::awaitable<std::unordered_map<Uuid, Money>> lock(relational::Transaction& tx,
                                                                        const AccountIds& accounts);
    // `day`: "2026-01-31". Those who have spent nothing are missing.
    static boost::asio::awaitable<std::map<UserId, Money>> spent(relational::Transaction& tx,
                                                                 std::vector<UserId> users, std::string day);
    static boost::asio::awaitable<void> add_spent(relational::Transaction& tx, std::map<UserId, Money> spent,
                                                  std::string day, Timestamp now);

    static boost::asio::awaitable<void> insert(relational::Transaction& tx, std::vector<Numbered> movements,
                                               const AccountIds& accounts, Timestamp now, Random& random);
    // A header without entries, as pending.
    static boost::asio::awaitable<void> open(relational::Transaction& tx, Numbered movement, Timestamp now);
    // Entries for an opened header, which is completed now; false where it was before.
    static boost::asio::awaitable<bool> complete(relational::Transaction& tx, Numbered movement,
                                                 const AccountIds& accounts, Timestamp now, Random& random);
    static boost::asio::awaitable<void> fail(relational::Transaction& tx, TransactionId id, Timestamp now);
    // Each account's net change.
    static boost::asio::awaitable<void> add(relational::Transaction& tx, std::map<Uuid, Money> changes,
                                            Timestamp now);

  private:
    std::optional<Uuid> known(const Account& account);
    boost::asio::awaitable<void> load(std::vector<Account> accounts);

    relational::Database& database_;
    std::mutex mutex_;
    AccountIds known_;
};

}  // namespace spaktok::ledger
