#include "features/payouts/payout_service.h"

#include "base/assert.h"
#include "base/text.h"
#include "features/audit_log/audit_log.h"
#include "features/paging/id_pages.h"
#include "features/payouts/payout_store.h"

namespace spaktok::payouts {

namespace asio = boost::asio;
using ledger::Movement;
using ledger::Outcome;
using ledger::Verdict;
using relational::Transaction;

namespace {

constexpr ledger::Account payout_clearing{.kind = ledger::AccountKind::payout_clearing};
constexpr std::chrono::days months_shown{365};
constexpr std::string_view own_list = "own_payouts";

struct Step {
    Status from;
    Status to;
    const char* action;  // in the audit log
    bool is_decision;    // names who decided
};
constexpr Step approval{Status::requested, Status::approved, "payout.approve", true};
constexpr Step refusal{Status::requested, Status::refused, "payout.refuse", true};
constexpr Step payment{Status::approved, Status::paid, "payout.paid", false};
constexpr Step failure{Status::approved, Status::failed, "payout.failed", false};

Movement withdrawal(const Service::Request& request) {
    return {
        .header = {.type = ledger::TransactionType::payout, .sender = request.user, .amount = request.amount},
        .postings = {{ledger::earnings_of(request.user), -request.amount}, {payout_clearing, request.amount}},
        .key = request.key};
}

// The whole amount, back to the earnings.
Movement return_of(const Payout& payout) {
    return {.header = {.type = ledger::TransactionType::refund,
                       .receiver = payout.user_id,
                       .reverses = payout.transaction_id,
                       .amount = payout.amount},
            .postings = {{ledger::earnings_of(payout.user_id), payout.amount},
                         {payout_clearing, -payout.amount}}};
}

Error decided() {
    return Error(ErrorCode::conflict, "This payout is not in that state any more: look at it again.",
                 {.reason = "payout_decided"});
}

std::string list_name(Status status) {
    return std::string("payouts_") + boost::describe::enum_to_string(status, "");
}

bool waits(Status status) {
    return status == Status::requested || status == Status::approved;
}

std::vector<Movement> one(Movement movement) {
    std::vector<Movement> movements;
    movements.push_back(std::move(movement));
    return movements;
}

}  // namespace

struct Service::State {
    explicit State(Options given) : options(given), store(given.database) {}

    // In the transaction in which the earnings are locked: what is on hold cannot change any more.
    asio::awaitable<void> record(Transaction& tx, Payout payout, Outcome outcome) {
        if (outcome.verdict == Verdict::repeated || outcome.verdict == Verdict::key_reused) co_return;
        const bool is_booked = outcome.verdict == Verdict::booked;
        auto earned = co_await ledger::earned(tx, payout.user_id, held_since());
        if (is_booked) earned.balance += payout.amount;  // as it was before
        const bool has_open = co_await PayoutStore::has_open(tx, payout.user_id);
        check_request({.amount = payout.amount, .has_open = has_open}, earnings_of(earned, options.rules));
        SPAKTOK_ASSERT(is_booked);  // what is available is on the account
        payout.transaction_id = outcome.booked.transaction_id;
        payout.created_at = payout.updated_at = outcome.booked.created_at;
        co_await PayoutStore::insert(tx, std::move(payout));
    }

    asio::awaitable<void> step(Transaction& tx, const Step& step, Decision decision, Timestamp now) {
        PayoutStore::Change change{.id = decision.payout, .from = step.from, .to = step.to, .now = now};
        json::Object details;
        if (!decision.reason.empty()) {
            change.reason = decision.reason;
            details["reason"] = decision.reason;
        }
        if (step.is_decision) change.decided_by = decision.actor;
        if (!co_await PayoutStore::change(tx, std::move(change))) throw decided();
        co_await audit_log::append(tx,
                                   {.actor = decision.actor,
                                    .action = step.action,
                                    .subject_type = "payout",
                                    .subject_id = decision.payout.to_string(),
                                    .details = std::move(details)},
                                   now, options.random);
    }

    // Nothing moves.
    asio::awaitable<Payout> decide(const Step& chosen, Decision decision, bool asks_for_earnings) {
        const auto payout = co_await existing(decision.payout);
        co_await options.database.transaction([this, &chosen, decision, user = payout.user_id,
                                               asks_for_earnings](Transaction& tx) -> asio::awaitable<void> {
            const auto now = options.clock.now();
            co_await step(tx, chosen, decision, now);
            if (!asks_for_earnings) co_return;
            const auto earned = co_await ledger::earned(tx, user, now);
            if (earned.balance >= Money{}) co_return;
            throw Error(ErrorCode::conflict,
                        "The streamer's earnings are below zero since: refuse this payout.",
                        {.reason = "earnings_below_zero"});
        });
        co_return co_await existing(decision.payout);
    }

    asio::awaitable<Payout> give_back(const Step& chosen, Decision decision) {
        decision.reason =
            text::checked(decision.reason, "reason", {.length_min = 1, .length_max = reason_length_max});
        const auto payout = co_await existing(decision.payout);
        if (payout.status != chosen.from) throw decided();
        bool is_reversed = false;
        try {
            co_await options.ledger.book(
                one(return_of(payout)),
                [this, &chosen, decision](Transaction& tx, const std::vector<Movement>&,
                                          const std::vector<Outcome>& outcomes) {
                    return step(tx, chosen, decision, outcomes.front().booked.created_at);
                });
        } catch (const relational::ConstraintViolation& violation) {
            if (violation.constraint() != "idx_transactions_reverses_id") throw;
            is_reversed = true;
        }
        if (is_reversed) throw decided();
        co_return co_await existing(decision.payout);
    }

    asio::awaitable<Payout> existing(PayoutId id) {
        auto payout = co_await store.find(id);
        if (!payout) throw Error(ErrorCode::not_found, "There is no such payout.");
        co_return std::move(*payout);
    }
    Timestamp held_since() const { return on_hold_since(options.rules, options.clock.now()); }

    Options options;
    PayoutStore store;
};

Service::Service(Options options) : state_(std::make_unique<State>(options)) {}
Service::~Service() = default;

const Rules& Service::rules() const {
    return state_->options.rules;
}

asio::awaitable<Earnings> Service::earnings(UserId user) {
    const auto earned = co_await ledger::earned(state_->options.database, user, state_->held_since());
    co_return earnings_of(earned, state_->options.rules);
}

asio::awaitable<std::optional<Payout>> Service::open_of(UserId user) {
    return state_->store.open_of(user);
}

asio::awaitable<std::vector<ledger::MonthOfGifts>> Service::months(UserId user) {
    return ledger::months_of_gifts(state_->options.database, user,
                                   state_->options.clock.now() - months_shown);
}

asio::awaitable<Payout> Service::request(Request request) {
    auto& state = *state_;
    check_amount(request.amount, state.options.rules);
    const Payout payout{.id = PayoutId::make(state.options.clock.now(), state.options.random),
                        .user_id = request.user,
                        .amount = request.amount};
    const auto outcomes = co_await state.options.ledger.book(
        one(withdrawal(request)),
        [&state, payout](Transaction& tx, const std::vector<Movement>&, const std::vector<Outcome>& booked) {
            return state.record(tx, payout, booked.front());
        });
    if (outcomes.front().verdict == Verdict::key_reused) throw idempotency::key_reused();
    auto stored = co_await state.store.find_by_transaction(outcomes.front().booked.transaction_id);
    if (!stored) throw idempotency::key_reused();  // of another kind of request with the same words
    co_return std::move(*stored);
}

asio::awaitable<paging::Page<Payout>> Service::list_of(UserId user, PageRequest page) {
    const auto before = paging::id_of_cursor(own_list, page.cursor).value_or(paging::last_id);
    auto payouts = co_await state_->store.page_of(user, before, page.limit + 1);
    co_return paging::page_by_id(std::move(payouts), page.limit, own_list);
}

asio::awaitable<paging::Page<Payout>> Service::list(Status status, PageRequest page) {
    const auto name = list_name(status);
    const auto cursor = paging::id_of_cursor(name, page.cursor);
    auto payouts =
        waits(status)
            ? co_await state_->store.oldest(status, cursor.value_or(paging::first_id), page.limit + 1)
            : co_await state_->store.newest(status, cursor.value_or(paging::last_id), page.limit + 1);
    co_return paging::page_by_id(std::move(payouts), page.limit, name);
}

asio::awaitable<Service::Waiting> Service::waiting(Status status) {
    const auto found = co_await state_->store.waiting(status);
    co_return Waiting{.count = found.count, .amount = found.amount};
}

asio::awaitable<Payout> Service::approve(Decision decision) {
    decision.reason.clear();
    return state_->decide(approval, std::move(decision), true);
}
asio::awaitable<Payout> Service::mark_paid(Decision decision) {
    decision.reason.clear();
    return state_->decide(payment, std::move(decision), false);
}
asio::awaitable<Payout> Service::refuse(Decision decision) {
    return state_->give_back(refusal, std::move(decision));
}
asio::awaitable<Payout> Service::mark_failed(Decision decision) {
    return state_->give_back(failure, std::move(decision));
}

}  // namespace spaktok::payouts
