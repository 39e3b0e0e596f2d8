#include "features/oversight/oversight_service.h"

#include <map>

#include <fmt/format.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "features/audit_log/audit_log.h"
#include "features/ledger/audit.h"
#include "features/paging/id_pages.h"

namespace spaktok::oversight {

namespace asio = boost::asio;
using ledger::Movement;
using ledger::Outcome;
using ledger::Recorded;
using ledger::Verdict;
using relational::Transaction;

namespace {

constexpr std::string_view transactions_list = "money_transactions";
// What is kept of a run, in words.
constexpr std::size_t differences_kept_max = 20;
constexpr std::chrono::hours circle_window{24};

std::string flags_list(FlagStatus status) {
    return std::string("money_flags_") + boost::describe::enum_to_string(status, "");
}

Movement reversal_of(const Recorded& gift, idempotency::Key key) {
    const auto& given = gift.header;
    Movement movement{.header = {.type = ledger::TransactionType::refund,
                                 .sender = given.receiver,
                                 .receiver = given.sender,
                                 .gift = given.gift,
                                 .stream = given.stream,
                                 .reverses = gift.id,
                                 .amount = given.amount,
                                 .platform_fee = given.platform_fee,
                                 .streamer_payout = given.streamer_payout},
                      .postings = {{ledger::wallet_of(*given.sender), given.amount}},
                      .key = std::move(key),
                      .may_overdraw_earnings = true};
    if (given.streamer_payout != Money{})
        movement.postings.push_back({ledger::earnings_of(*given.receiver), -given.streamer_payout});
    if (given.platform_fee != Money{})
        movement.postings.push_back({{.kind = ledger::AccountKind::platform_revenue}, -given.platform_fee});
    return movement;
}

// In the order of what was sent to the stream.
events::Event event_of(const Recorded& gift, const ledger::Booked& booked, Random& random) {
    const auto& given = gift.header;
    return {
        .id = events::next_id(booked.created_at, random),
        .aggregate_type = "stream_gifts",
        .aggregate_id = given.stream ? given.stream->to_string() : gift.id.to_string(),
        .type = "gifts.reversed",
        .payload = {{"transaction_id", gift.id.to_string()},
                    {"reversal_id", booked.transaction_id.to_string()},
                    {"stream_id", given.stream ? json::Value(boost::json::string(given.stream->to_string()))
                                               : json::Value(nullptr)},
                    {"gift_id", given.gift->to_string()},
                    {"sender_id", given.sender->to_string()},
                    {"receiver_id", given.receiver->to_string()},
                    {"amount", given.amount.minor()},
                    {"created_at", to_rfc3339(gift.created_at)}}};
}

Timestamp day_of(Timestamp at) {
    return std::chrono::floor<std::chrono::days>(at);
}

std::string words_of(const ledger::AuditDifference& difference) {
    return fmt::format("{}{}{}: is {}, expected {}", difference.what, difference.id.empty() ? "" : " ",
                       difference.id, difference.stored, difference.expected);
}

}  // namespace

bool is_audit_due(std::optional<Timestamp> last, Timestamp now) {
    if (!last) return true;
    Timestamp due = day_of(now) + audit_hour;
    if (due > now) due -= std::chrono::days(1);
    return *last < due;
}

struct Service::State {
    explicit State(Options given) : options(given), store(given.database) {}

    asio::awaitable<void> record(Transaction& tx, Recorded gift, Reversing reversing, Outcome outcome) {
        if (outcome.verdict != Verdict::booked) co_return;
        co_await audit_log::append(tx,
                                   {.actor = reversing.actor,
                                    .action = "gift.reverse",
                                    .subject_type = "transaction",
                                    .subject_id = gift.id.to_string(),
                                    .details = {{"reason", reversing.reason},
                                                {"reversal_id", outcome.booked.transaction_id.to_string()},
                                                {"amount", gift.header.amount.minor()}}},
                                   outcome.booked.created_at, options.random);
        co_await events::append(tx, event_of(gift, outcome.booked, options.random));
    }

    Flag new_flag(FlagKind kind) {
        const auto now = options.clock.now();
        Flag flag{.id = FlagId::make(now, options.random), .kind = kind};
        flag.created_at = now;
        return flag;
    }

    Options options;
    OversightStore store;
    std::optional<Timestamp> flags_found_at;
    metrics::Gauge differences =
        metrics::gauge("spaktok_ledger_differences", "What the last audit of the ledger found wrong.");
    metrics::Gauge audited_at = metrics::gauge("spaktok_ledger_audit_timestamp_seconds",
                                               "When the ledger was audited last; 0: never.");
};

Service::Service(Options options) : state_(std::make_unique<State>(options)) {}
Service::~Service() = default;

asio::awaitable<Service::Reversed> Service::reverse(Reversing reversing) {
    auto& state = *state_;
    reversing.reason =
        text::checked(reversing.reason, "reason", {.length_min = 1, .length_max = reason_length_max});
    const auto found = co_await ledger::find_transaction(state.options.database, reversing.transaction);
    if (!found) throw Error(ErrorCode::not_found, "There is no such transaction.");
    const Recorded& gift = *found;
    if (gift.header.type != ledger::TransactionType::gift_sent ||
        gift.status != ledger::TransactionStatus::completed) {
        throw Error(ErrorCode::conflict, "Only gifts can be taken back here.", {.reason = "not_reversible"});
    }
    std::vector<Movement> movements;
    movements.push_back(reversal_of(gift, reversing.key));
    std::optional<Outcome> outcome;
    try {
        const auto outcomes = co_await state.options.ledger.book(
            std::move(movements), [&state, gift, reversing](Transaction& tx, const std::vector<Movement>&,
                                                            const std::vector<Outcome>& booked) {
                return state.record(tx, gift, reversing, booked.front());
            });
        outcome = outcomes.front();
    } catch (const relational::ConstraintViolation& violation) {
        if (violation.constraint() != "idx_transactions_reverses_id") throw;
    }
    if (!outcome) {
        throw Error(ErrorCode::conflict, "This gift was taken back already.", {.reason = "already_reversed"});
    }
    if (outcome->verdict == Verdict::key_reused) throw idempotency::key_reused();
    state.options.events.poke();
    co_return Reversed{.transaction_id = outcome->booked.transaction_id,
                       .amount = gift.header.amount,
                       .created_at = outcome->booked.created_at};
}

asio::awaitable<ledger::Totals> Service::totals() {
    return ledger::totals(state_->options.database);
}

asio::awaitable<std::vector<ledger::DayOfRevenue>> Service::revenue(std::int64_t days) {
    const auto first = day_of(state_->options.clock.now()) - std::chrono::days(days - 1);
    std::map<std::string, Money> known;
    for (const auto& day : co_await ledger::revenue_by_day(state_->options.database, first))
        known[day.day] = day.revenue;
    std::vector<ledger::DayOfRevenue> all;
    for (std::int64_t i = 0; i < days; ++i) {
        auto day = to_rfc3339(first + std::chrono::days(i)).substr(0, 10);
        const auto found = known.find(day);
        all.push_back({.day = std::move(day), .revenue = found == known.end() ? Money{} : found->second});
    }
    co_return all;
}

asio::awaitable<paging::Page<Recorded>> Service::transactions(PageRequest page) {
    const auto before = paging::id_of_cursor(transactions_list, page.cursor).value_or(paging::last_id);
    auto rows = co_await ledger::newest_transactions(state_->options.database, before, page.limit + 1);
    co_return paging::page_by_id(std::move(rows), page.limit, transactions_list);
}

asio::awaitable<paging::Page<Flag>> Service::flags(FlagStatus status, PageRequest page) {
    const auto name = flags_list(status);
    const auto before = paging::id_of_cursor(name, page.cursor).value_or(paging::last_id);
    auto rows = co_await state_->store.flags(status, before, page.limit + 1);
    co_return paging::page_by_id(std::move(rows), page.limit, name);
}

asio::awaitable<std::int64_t> Service::open_flags() {
    return state_->store.count_open();
}

asio::awaitable<Flag> Service::dismiss(UserId actor, FlagId id) {
    auto& state = *state_;
    if (!co_await state.store.find(id)) throw Error(ErrorCode::not_found, "There is no such flag.");
    co_await state.options.database.transaction(
        [&state, actor, id](Transaction& tx) -> asio::awaitable<void> {
            const auto now = state.options.clock.now();
            if (!co_await OversightStore::dismiss(tx, id, actor, now)) {
                throw Error(ErrorCode::conflict, "This flag was dismissed already.",
                            {.reason = "flag_dismissed"});
            }
            co_await audit_log::append(tx,
                                       {.actor = actor,
                                        .action = "flag.dismiss",
                                        .subject_type = "money_flag",
                                        .subject_id = id.to_string()},
                                       now, state.options.random);
        });
    const auto flag = co_await state.store.find(id);
    if (!flag) throw Error(ErrorCode::not_found, "There is no such flag.");
    co_return *flag;
}

asio::awaitable<std::optional<AuditRun>> Service::last_audit() {
    return state_->store.last_audit();
}

asio::awaitable<void> Service::find_flags() {
    auto& state = *state_;
    const auto now = state.options.clock.now();
    const auto day_ago = now - circle_window;
    // What was committed late has an older id; a window that began before is looked at whole.
    const auto since = std::max(day_ago, state.flags_found_at.value_or(day_ago) - 2 * ledger::burst_window);
    std::vector<Flag> flags;
    const auto& rules = state.options.flags;
    for (const auto& burst :
         co_await ledger::find_bursts(state.options.database, since,
                                      {.gifts_max = rules.burst_gifts, .amount_max = rules.burst_amount})) {
        auto flag = state.new_flag(FlagKind::burst);
        flag.user_id = burst.sender;
        flag.window_starts_at = burst.window_starts_at;
        flag.gifts_count = burst.gifts_count;
        flag.amount = burst.amount;
        flags.push_back(flag);
    }
    for (const auto& circle : co_await ledger::find_circles(
             state.options.database,
             {.active_since = since, .since = day_ago, .amount_min = rules.circle_amount})) {
        auto flag = state.new_flag(FlagKind::circle);
        flag.user_id = circle.user;
        flag.other_user_id = circle.other;
        flag.window_starts_at = day_of(now);
        flag.gifts_count = circle.gifts_count;
        flag.amount = circle.amount;
        flags.push_back(flag);
    }
    co_await state.store.insert(std::move(flags));
    state.flags_found_at = now;
}

asio::awaitable<AuditRun> Service::run_audit() {
    auto& state = *state_;
    const auto result = co_await ledger::audit(state.options.database);
    const auto now = state.options.clock.now();
    AuditRun run{.id = Uuid::v7(now, state.options.random),
                 .values_count = result.compared,
                 .differences_count = static_cast<std::int64_t>(result.differences.size()),
                 .differences = {},
                 .created_at = now};
    for (const auto& difference : result.differences) {
        log::error("the ledger does not agree", {{"difference", words_of(difference)}});
        if (run.differences.size() < differences_kept_max) run.differences.push_back(words_of(difference));
    }
    co_await state.store.insert(run);
    co_return run;
}

asio::awaitable<void> Service::audit_nightly() {
    const auto last = co_await state_->store.last_audit();
    const auto at = last ? std::optional(last->created_at) : std::nullopt;
    if (is_audit_due(at, state_->options.clock.now())) co_await run_audit();
}

asio::awaitable<void> Service::report_audit() {
    const auto last = co_await state_->store.last_audit();
    if (!last) co_return;
    state_->differences.set(static_cast<double>(last->differences_count));
    state_->audited_at.set(static_cast<double>(to_unix_milliseconds(last->created_at)) / 1000);
}

}  // namespace spaktok::oversight
