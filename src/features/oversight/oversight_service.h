// What administrators see of the money and do about it: totals, taking gifts back, flags, the audit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "features/events/events.h"
#include "features/idempotency/idempotency.h"
#include "features/ledger/ledger.h"
#include "features/ledger/reports.h"
#include "features/oversight/flag.h"
#include "features/oversight/oversight_store.h"
#include "features/paging/page.h"

namespace spaktok::oversight {

inline constexpr std::size_t reason_length_max = 500;  // code points
inline constexpr std::int64_t revenue_days_max = 90;
// When the audit of the night is due, UTC.
inline constexpr std::chrono::hours audit_hour{3};

// Whether no audit was run since the last night's hour.
bool is_audit_due(std::optional<Timestamp> last, Timestamp now);

// Thread-safe, but for the jobs; what it refers to outlives it.
class Service {
  public:
    struct Options {
        relational::Database& database;
        ledger::Ledger& ledger;
        events::Dispatcher& events;
        const Clock& clock;
        Random& random;
        FlagRules flags{};
    };
    explicit Service(Options options);
    ~Service();

    struct Reversing {
        UserId actor;
        TransactionId transaction;
        std::string reason;
        idempotency::Key key;
    };
    struct Reversed {
        TransactionId transaction_id;  // the one that takes it back
        Money amount;
        Timestamp created_at{};
    };
    // Takes a gift back: all of it to the sender, from the streamer's earnings (which may fall below zero)
    // and the platform's revenue. A repetition is answered as the first time. Throws, in this order: the
    // reason's field error, {not_found}, {conflict "not_reversible"}, {unprocessable
    // "idempotency_key_reused"}, {conflict "already_reversed"}.
    boost::asio::awaitable<Reversed> reverse(Reversing reversing);

    boost::asio::awaitable<ledger::Totals> totals();
    // Of the last days with today, one for each, oldest first. `days` up to revenue_days_max.
    boost::asio::awaitable<std::vector<ledger::DayOfRevenue>> revenue(std::int64_t days);

    struct PageRequest {
        std::int64_t limit = paging::limit_default;
        std::optional<std::string> cursor{};
    };
    // Newest first.
    boost::asio::awaitable<paging::Page<ledger::Recorded>> transactions(PageRequest page);
    boost::asio::awaitable<paging::Page<Flag>> flags(FlagStatus status, PageRequest page);
    boost::asio::awaitable<std::int64_t> open_flags();
    // Throws {not_found}, {conflict "flag_dismissed"}.
    boost::asio::awaitable<Flag> dismiss(UserId actor, FlagId flag);
    boost::asio::awaitable<std::optional<AuditRun>> last_audit();

    // ---- jobs, of one node at a time
    // Looks for what should be flagged among the gifts since the last call, the first time of a day.
    boost::asio::awaitable<void> find_flags();
    boost::asio::awaitable<AuditRun> run_audit();
    // Runs it where it is due.
    boost::asio::awaitable<void> audit_nightly();
    // ---- a job of every node
    // Sets the gauges spaktok_ledger_differences and spaktok_ledger_audit_timestamp_seconds by the last run.
    boost::asio::awaitable<void> report_audit();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::oversight
