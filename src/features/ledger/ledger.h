// Moves money between accounts, each movement once and whole.
#pragma once

#include <functional>
#include <memory>
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

    // Zero where there was never any money.
    boost::asio::awaitable<Money> balance(Account account);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::ledger
