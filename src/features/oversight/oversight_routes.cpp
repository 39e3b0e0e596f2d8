#include "features/oversight/oversight_routes.h"

#include <set>

#include <boost/describe/enum_from_string.hpp>

#include "features/accounts/administrator.h"
#include "features/audit_log/audit_log.h"

namespace spaktok::oversight {

namespace asio = boost::asio;
using accounts::UserSummary;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

struct WaitingAnswer {
    std::int64_t count = 0;
    Money amount;
};
BOOST_DESCRIBE_STRUCT(WaitingAnswer, (), (count, amount))

struct AuditAnswer {
    std::int64_t values_count = 0;
    std::int64_t differences_count = 0;
    std::vector<std::string> differences;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(AuditAnswer, (), (values_count, differences_count, differences, created_at))

struct MoneyAnswer {
    Money revenue;
    Money wallets;
    Money earnings;
    Money earnings_below_zero;
    Money payment_clearing;
    Money payout_clearing;
    WaitingAnswer payouts_requested;
    WaitingAnswer payouts_approved;
    std::int64_t flags_open = 0;
    std::optional<AuditAnswer> audit;
};
BOOST_DESCRIBE_STRUCT(MoneyAnswer, (),
                      (revenue, wallets, earnings, earnings_below_zero, payment_clearing, payout_clearing,
                       payouts_requested, payouts_approved, flags_open, audit))

struct RevenueAnswer {
    std::vector<ledger::DayOfRevenue> items;
};
BOOST_DESCRIBE_STRUCT(RevenueAnswer, (), (items))

// People are null where they are deleted or there is none.
struct TransactionAnswer {
    TransactionId id;
    ledger::TransactionType transaction_type = ledger::TransactionType::adjustment;
    ledger::TransactionStatus status = ledger::TransactionStatus::completed;
    std::optional<UserSummary> sender;
    std::optional<UserSummary> receiver;
    std::optional<GiftId> gift_id;
    std::optional<StreamId> stream_id;
    Money amount;
    Money platform_fee;
    Money streamer_payout;
    std::optional<TransactionId> reverses_id;
    std::optional<TransactionId> reversed_by_id;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(TransactionAnswer, (),
                      (id, transaction_type, status, sender, receiver, gift_id, stream_id, amount,
                       platform_fee, streamer_payout, reverses_id, reversed_by_id, created_at))

struct PayoutAnswer {
    payouts::PayoutId id;
    std::optional<UserSummary> user;
    Money amount;
    payouts::Status status = payouts::Status::requested;
    std::optional<std::string> reason;
    std::optional<UserSummary> decided_by;
    std::optional<Timestamp> decided_at;
    Timestamp created_at{};
    Timestamp updated_at{};
};
BOOST_DESCRIBE_STRUCT(PayoutAnswer, (),
                      (id, user, amount, status, reason, decided_by, decided_at, created_at, updated_at))

struct FlagAnswer {
    FlagId id;
    FlagKind kind = FlagKind::burst;
    std::optional<UserSummary> user;
    std::optional<UserSummary> other_user;
    Timestamp window_starts_at{};
    std::int64_t gifts_count = 0;
    Money amount;
    FlagStatus status = FlagStatus::open;
    std::optional<UserSummary> decided_by;
    std::optional<Timestamp> decided_at;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(FlagAnswer, (),
                      (id, kind, user, other_user, window_starts_at, gifts_count, amount, status, decided_by,
                       decided_at, created_at))

struct EntryAnswer {
    Uuid id;
    std::optional<UserSummary> actor;
    std::string action;
    std::string subject_type;
    std::string subject_id;
    json::Value details;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(EntryAnswer, (), (id, actor, action, subject_type, subject_id, details, created_at))

struct ReverseAnswer {
    TransactionId transaction_id;
    Money amount;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(ReverseAnswer, (), (transaction_id, amount, created_at))

struct ReasonRequest {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(ReasonRequest, (), (reason))

using SharedParts = std::shared_ptr<const Parts>;

// The people whom a page speaks of, looked up at once.
class People {
  public:
    void add(std::optional<UserId> user) {
        if (user) ids_.insert(*user);
    }
    asio::awaitable<void> look_up(accounts::Service& accounts) {
        known_ = co_await accounts.summaries({ids_.begin(), ids_.end()});
    }
    std::optional<UserSummary> get(std::optional<UserId> user) const {
        if (!user) return std::nullopt;
        const auto found = known_.find(*user);
        return found == known_.end() ? std::nullopt : std::optional(found->second);
    }

  private:
    std::set<UserId> ids_;
    std::unordered_map<UserId, UserSummary> known_;
};

// Each item as it is answered, with the people in it. `add` names them, `answer` makes the item.
template <class Answer, class Item, class Add, class Make>
asio::awaitable<paging::Page<Answer>> dressed(SharedParts parts, paging::Page<Item> page, Add add,
                                              Make answer) {
    People people;
    for (const auto& item : page.items)
        add(people, item);
    co_await people.look_up(parts->accounts);
    paging::Page<Answer> answers{.items = {}, .next_cursor = std::move(page.next_cursor)};
    for (const auto& item : page.items)
        answers.items.push_back(answer(people, item));
    co_return answers;
}

TransactionAnswer transaction_answer(const People& people, const ledger::Recorded& row) {
    return {.id = row.id,
            .transaction_type = row.header.type,
            .status = row.status,
            .sender = people.get(row.header.sender),
            .receiver = people.get(row.header.receiver),
            .gift_id = row.header.gift,
            .stream_id = row.header.stream,
            .amount = row.header.amount,
            .platform_fee = row.header.platform_fee,
            .streamer_payout = row.header.streamer_payout,
            .reverses_id = row.header.reverses,
            .reversed_by_id = row.reversed_by,
            .created_at = row.created_at};
}

PayoutAnswer payout_answer(const People& people, const payouts::Payout& payout) {
    return {.id = payout.id,
            .user = people.get(payout.user_id),
            .amount = payout.amount,
            .status = payout.status,
            .reason = payout.reason,
            .decided_by = people.get(payout.decided_by),
            .decided_at = payout.decided_at,
            .created_at = payout.created_at,
            .updated_at = payout.updated_at};
}
void add_people(People& people, const payouts::Payout& payout) {
    people.add(payout.user_id);
    people.add(payout.decided_by);
}

FlagAnswer flag_answer(const People& people, const Flag& flag) {
    return {.id = flag.id,
            .kind = flag.kind,
            .user = people.get(flag.user_id),
            .other_user = people.get(flag.other_user_id),
            .window_starts_at = flag.window_starts_at,
            .gifts_count = flag.gifts_count,
            .amount = flag.amount,
            .status = flag.status,
            .decided_by = people.get(flag.decided_by),
            .decided_at = flag.decided_at,
            .created_at = flag.created_at};
}
void add_people(People& people, const Flag& flag) {
    people.add(flag.user_id);
    people.add(flag.other_user_id);
    people.add(flag.decided_by);
}

// `?status=`; throws Error{invalid_argument "invalid_field"}.
template <class Status>
Status status_of(const Request& request, Status fallback) {
    const auto text = request.query("status");
    if (!text) return fallback;
    Status status{};
    if (boost::describe::enum_from_string(text->c_str(), status)) return status;
    throw Error(ErrorCode::invalid_argument, "There is no such status.",
                {.field = "status", .reason = "invalid_field"});
}

template <class PageRequest>
PageRequest page_of(const Request& request) {
    return {.limit = paging::limit_of(request), .cursor = request.query("cursor")};
}

asio::awaitable<Response> get_money(SharedParts parts, Request& request) {
    co_await accounts::administrator(parts->accounts, request);
    const auto totals = co_await parts->oversight.totals();
    const auto requested = co_await parts->payouts.waiting(payouts::Status::requested);
    const auto approved = co_await parts->payouts.waiting(payouts::Status::approved);
    MoneyAnswer answer{.revenue = totals.platform_revenue,
                       .wallets = totals.wallets,
                       .earnings = totals.earnings,
                       .earnings_below_zero = totals.earnings_below_zero,
                       .payment_clearing = totals.payment_clearing,
                       .payout_clearing = totals.payout_clearing,
                       .payouts_requested = {.count = requested.count, .amount = requested.amount},
                       .payouts_approved = {.count = approved.count, .amount = approved.amount},
                       .flags_open = co_await parts->oversight.open_flags(),
                       .audit = std::nullopt};
    if (const auto last = co_await parts->oversight.last_audit()) {
        answer.audit = AuditAnswer{.values_count = last->values_count,
                                   .differences_count = last->differences_count,
                                   .differences = last->differences,
                                   .created_at = last->created_at};
    }
    co_return Response::of(answer);
}

asio::awaitable<Response> get_revenue(SharedParts parts, Request& request) {
    co_await accounts::administrator(parts->accounts, request);
    const auto days = request.query_integer("days", 30, 1, revenue_days_max);
    const RevenueAnswer answer{co_await parts->oversight.revenue(days)};
    co_return Response::of(answer);
}

asio::awaitable<Response> list_transactions(SharedParts parts, Request& request) {
    co_await accounts::administrator(parts->accounts, request);
    auto page = co_await parts->oversight.transactions(page_of<Service::PageRequest>(request));
    const auto answer = co_await dressed<TransactionAnswer>(
        parts, std::move(page),
        [](People& people, const ledger::Recorded& row) {
            people.add(row.header.sender);
            people.add(row.header.receiver);
        },
        transaction_answer);
    co_return Response::of(answer);
}

asio::awaitable<Response> reverse_transaction(SharedParts parts, Request& request) {
    const auto actor = co_await accounts::administrator(parts->accounts, request);
    const auto transaction = request.path_id<TransactionId>("transaction_id");
    auto reason = request.json<ReasonRequest>().reason;
    auto key = idempotency::make_key(actor, request.headers.get("Idempotency-Key"),
                                     "reverse " + transaction.to_string() + " " + reason);
    const auto reversed = co_await parts->oversight.reverse(
        {.actor = actor, .transaction = transaction, .reason = std::move(reason), .key = std::move(key)});
    co_return Response::of(ReverseAnswer{.transaction_id = reversed.transaction_id,
                                         .amount = reversed.amount,
                                         .created_at = reversed.created_at});
}

asio::awaitable<Response> list_payouts(SharedParts parts, Request& request) {
    co_await accounts::administrator(parts->accounts, request);
    const auto status = status_of(request, payouts::Status::requested);
    auto page = co_await parts->payouts.list(status, page_of<payouts::Service::PageRequest>(request));
    const auto answer = co_await dressed<PayoutAnswer>(
        parts, std::move(page),
        [](People& people, const payouts::Payout& payout) { add_people(people, payout); }, payout_answer);
    co_return Response::of(answer);
}

using Decide = asio::awaitable<payouts::Payout> (payouts::Service::*)(payouts::Service::Decision);

void add_decision(http::Router& router, SharedParts parts, std::string_view operation, std::string path,
                  Decide decide, bool has_reason) {
    router.add(Method::post, std::move(path),
               {.operation_id = operation, .access = Access::signed_in, .rate = http::write_limit},
               [parts, decide, has_reason](Request& request) -> asio::awaitable<Response> {
                   payouts::Service::Decision decision{
                       .actor = co_await accounts::administrator(parts->accounts, request),
                       .payout = request.path_id<payouts::PayoutId>("payout_id")};
                   if (has_reason) decision.reason = request.json<ReasonRequest>().reason;
                   const auto payout = co_await (parts->payouts.*decide)(std::move(decision));
                   People people;
                   add_people(people, payout);
                   co_await people.look_up(parts->accounts);
                   co_return Response::of(payout_answer(people, payout));
               });
}

asio::awaitable<Response> list_flags(SharedParts parts, Request& request) {
    co_await accounts::administrator(parts->accounts, request);
    const auto status = status_of(request, FlagStatus::open);
    auto page = co_await parts->oversight.flags(status, page_of<Service::PageRequest>(request));
    const auto answer = co_await dressed<FlagAnswer>(
        parts, std::move(page), [](People& people, const Flag& flag) { add_people(people, flag); },
        flag_answer);
    co_return Response::of(answer);
}

asio::awaitable<Response> dismiss_flag(SharedParts parts, Request& request) {
    const auto actor = co_await accounts::administrator(parts->accounts, request);
    const auto flag = co_await parts->oversight.dismiss(actor, request.path_id<FlagId>("flag_id"));
    People people;
    add_people(people, flag);
    co_await people.look_up(parts->accounts);
    co_return Response::of(flag_answer(people, flag));
}

asio::awaitable<Response> list_audit_log(SharedParts parts, Request& request) {
    co_await accounts::administrator(parts->accounts, request);
    auto page = co_await audit_log::list(parts->database, page_of<audit_log::PageRequest>(request));
    const auto answer = co_await dressed<EntryAnswer>(
        parts, std::move(page),
        [](People& people, const audit_log::Written& entry) { people.add(entry.actor_id); },
        [](const People& people, const audit_log::Written& entry) {
            return EntryAnswer{.id = entry.id,
                               .actor = people.get(entry.actor_id),
                               .action = entry.action,
                               .subject_type = entry.subject_type,
                               .subject_id = entry.subject_id,
                               .details = entry.details,
                               .created_at = entry.created_at};
        });
    co_return Response::of(answer);
}

}  // namespace

void add_routes(http::Router& router, Parts given) {
    const auto parts = std::make_shared<const Parts>(given);
    const auto bind = [parts](auto handler) {
        return [parts, handler](Request& request) { return handler(parts, request); };
    };
    const auto reading = [](std::string_view operation) {
        return http::RouteOptions{.operation_id = operation, .access = Access::signed_in};
    };
    const auto writing = [](std::string_view operation) {
        return http::RouteOptions{
            .operation_id = operation, .access = Access::signed_in, .rate = http::write_limit};
    };
    router.add(Method::get, "/api/v1/admin/money", reading("get_money"), bind(get_money));
    router.add(Method::get, "/api/v1/admin/money/revenue", reading("get_revenue"), bind(get_revenue));
    router.add(Method::get, "/api/v1/admin/transactions", reading("list_transactions"),
               bind(list_transactions));
    router.add(Method::post, "/api/v1/admin/transactions/{transaction_id}/reverse",
               writing("reverse_transaction"), bind(reverse_transaction));
    router.add(Method::get, "/api/v1/admin/payouts", reading("list_all_payouts"), bind(list_payouts));
    const std::string payout = "/api/v1/admin/payouts/{payout_id}/";
    add_decision(router, parts, "approve_payout", payout + "approve", &payouts::Service::approve, false);
    add_decision(router, parts, "refuse_payout", payout + "refuse", &payouts::Service::refuse, true);
    add_decision(router, parts, "mark_payout_paid", payout + "paid", &payouts::Service::mark_paid, false);
    add_decision(router, parts, "mark_payout_failed", payout + "failed", &payouts::Service::mark_failed,
                 true);
    router.add(Method::get, "/api/v1/admin/flags", reading("list_flags"), bind(list_flags));
    router.add(Method::post, "/api/v1/admin/flags/{flag_id}/dismiss", writing("dismiss_flag"),
               bind(dismiss_flag));
    router.add(Method::get, "/api/v1/admin/audit_log", reading("list_audit_log"), bind(list_audit_log));
}

}  // namespace spaktok::oversight
