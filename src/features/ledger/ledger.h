// Moves money between accounts, each movement once and whole.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "features/ledger/movement.h"

namespace spaktok::ledger {

// Thread-safe; what it refers to outlives it.
class Ledger {
  public:
    struct Options {
        relational::Database& database;
        const Clock& clock;
        Random& random;
    };
    explicit Ledger(Options options);
    ~Ledger();

    // What else is written in the transaction, given each movement with its outcome; may run more than once.
    using Also = std::function<boost::asio::awaitable<void>(
        relational::Transaction&, const std::vector<Movement>&, const std::vector<Outcome>&)>;

    // Books the movements in one transaction, in their order: each gets an outcome of its own, those that
    // cannot be paid are left out. Durable when it returns. Asserts what check(Movement) does. Throws what
    // the database does, and then nothing is booked, but for an answer that was lost on the way: repeat with
    // the same keys.
    boost::asio::awaitable<std::vector<Outcome>> book(std::vector<Movement> movements, Also also = nullptr);

    // A header of a movement that is yet to come, as pending, under an id of `next_id`, with what else is
    // written with it.
    using With = std::function<boost::asio::awaitable<void>(relational::Transaction&)>;
    boost::asio::awaitable<void> open(TransactionId id, Header header, With with = nullptr);
    TransactionId next_id();
    // The movement will not come, unless it does: a failed header can still be completed. In the caller's
    // transaction.
    static boost::asio::awaitable<void> fail(relational::Transaction& tx, TransactionId id, Timestamp now);

    // What `settle` books: a movement without a key, with a header of its own or under one that was opened.
    struct Settlement {
        Movement movement;
        std::optional<TransactionId> completes{};
    };
    using Decide = std::function<boost::asio::awaitable<std::optional<Settlement>>(
        relational::Transaction&, const std::map<Account, Money>&)>;
    // Locks the accounts, and books what `decide` makes of what is on them in the same transaction, in which
    // it may read and write what else belongs to it; may run more than once. The movement's accounts are
    // among those locked, and no wallet falls below zero: asserted, like what check(Movement) does. Nothing
    // is returned where there was nothing to book, or the opened header is complete already.
    boost::asio::awaitable<std::optional<Booked>> settle(std::vector<Account> accounts, Decide decide);

    // Zero where there was never any money.
    boost::asio::awaitable<Money> balance(Account account);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::ledger
