// Asking for payouts, and deciding on them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "features/idempotency/idempotency.h"
#include "features/ledger/ledger.h"
#include "features/paging/page.h"
#include "features/payouts/payout.h"

namespace spaktok::payouts {

// Thread-safe; what it refers to outlives it.
class Service {
  public:
    struct Options {
        relational::Database& database;
        ledger::Ledger& ledger;
        const Clock& clock;
        Random& random;
        Rules rules{};
    };
    explicit Service(Options options);
    ~Service();

    const Rules& rules() const;
    boost::asio::awaitable<Earnings> earnings(UserId user);
    // That is requested or approved.
    boost::asio::awaitable<std::optional<Payout>> open_of(UserId user);
    // Of the last twelve months, newest first.
    boost::asio::awaitable<std::vector<ledger::MonthOfGifts>> months(UserId user);

    struct Request {
        UserId user;
        Money amount;
        idempotency::Key key;
    };
    // The money has left the earnings when it returns. A repetition gets the same payout, in its present
    // state. Throws what check_amount does, then {unprocessable "idempotency_key_reused"}, then what
    // check_request does.
    boost::asio::awaitable<Payout> request(Request request);

    struct PageRequest {
        std::int64_t limit = paging::limit_default;
        std::optional<std::string> cursor{};
    };
    // Newest first.
    boost::asio::awaitable<paging::Page<Payout>> list_of(UserId user, PageRequest page);
    // Those that wait for somebody oldest first, the others newest first.
    boost::asio::awaitable<paging::Page<Payout>> list(Status status, PageRequest page);
    struct Waiting {
        std::int64_t count = 0;
        Money amount;
    };
    boost::asio::awaitable<Waiting> waiting(Status status);

    // ---- decisions of an administrator, each made once whoever else decides at the same time, and written
    // into the audit log. Throw {not_found}, then {conflict "payout_decided"} where it is not in the state
    // that the decision asks for.
    struct Decision {
        UserId actor;
        PayoutId payout;
        std::string reason{};  // of a refusal and a failure: told to the streamer
    };
    // Throws {conflict "earnings_below_zero"} at the end as well.
    boost::asio::awaitable<Payout> approve(Decision decision);
    boost::asio::awaitable<Payout> mark_paid(Decision decision);
    // Both give the money back, and throw the reason's field error first.
    boost::asio::awaitable<Payout> refuse(Decision decision);
    boost::asio::awaitable<Payout> mark_failed(Decision decision);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::payouts
