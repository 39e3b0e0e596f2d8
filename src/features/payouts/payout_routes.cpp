#include "features/payouts/payout_routes.h"

namespace spaktok::payouts {

namespace asio = boost::asio;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

struct PayoutAnswer {
    PayoutId id;
    Money amount;
    Status status = Status::requested;
    std::optional<std::string> reason;
    std::optional<Timestamp> decided_at;
    Timestamp created_at{};
    Timestamp updated_at{};
};
BOOST_DESCRIBE_STRUCT(PayoutAnswer, (), (id, amount, status, reason, decided_at, created_at, updated_at))

struct EarningsAnswer {
    Money balance;
    Money on_hold;
    Money available;
    std::optional<Timestamp> next_free_at;
    std::optional<Timestamp> all_free_at;
    Money payout_minimum;
    std::int64_t holding_days = 0;
    std::optional<PayoutAnswer> open_payout;
};
BOOST_DESCRIBE_STRUCT(EarningsAnswer, (),
                      (balance, on_hold, available, next_free_at, all_free_at, payout_minimum, holding_days,
                       open_payout))

struct MonthsAnswer {
    std::vector<ledger::MonthOfGifts> items;
};
BOOST_DESCRIBE_STRUCT(MonthsAnswer, (), (items))

struct PayoutRequest {
    std::int64_t amount = 0;
};
BOOST_DESCRIBE_STRUCT(PayoutRequest, (), (amount))

PayoutAnswer answer_of(const Payout& payout) {
    return {.id = payout.id,
            .amount = payout.amount,
            .status = payout.status,
            .reason = payout.reason,
            .decided_at = payout.decided_at,
            .created_at = payout.created_at,
            .updated_at = payout.updated_at};
}

asio::awaitable<Response> get_earnings(Service& service, UserId user) {
    const auto earnings = co_await service.earnings(user);
    const auto open = co_await service.open_of(user);
    co_return Response::of(
        EarningsAnswer{.balance = earnings.balance,
                       .on_hold = earnings.on_hold,
                       .available = earnings.available,
                       .next_free_at = earnings.next_free_at,
                       .all_free_at = earnings.all_free_at,
                       .payout_minimum = service.rules().minimum,
                       .holding_days = service.rules().holding.count(),
                       .open_payout = open ? std::optional(answer_of(*open)) : std::nullopt});
}

}  // namespace

void add_routes(http::Router& router, Service& service) {
    router.add(Method::get, "/api/v1/earnings", {.operation_id = "get_earnings", .access = Access::signed_in},
               [&service](Request& request) -> asio::awaitable<Response> {
                   co_return co_await get_earnings(service, request.user());
               });
    router.add(Method::get, "/api/v1/earnings/months",
               {.operation_id = "list_earnings_months", .access = Access::signed_in},
               [&service](Request& request) -> asio::awaitable<Response> {
                   const MonthsAnswer months{co_await service.months(request.user())};
                   co_return Response::of(months);
               });
    router.add(Method::get, "/api/v1/earnings/payouts",
               {.operation_id = "list_payouts", .access = Access::signed_in},
               [&service](Request& request) -> asio::awaitable<Response> {
                   Service::PageRequest wanted{.limit = paging::limit_of(request),
                                               .cursor = request.query("cursor")};
                   const auto page = co_await service.list_of(request.user(), std::move(wanted));
                   paging::Page<PayoutAnswer> answer{.items = {}, .next_cursor = page.next_cursor};
                   for (const auto& payout : page.items)
                       answer.items.push_back(answer_of(payout));
                   co_return Response::of(answer);
               });
    router.add(Method::post, "/api/v1/earnings/payouts",
               {.operation_id = "request_payout", .access = Access::signed_in, .rate = http::write_limit},
               [&service](Request& request) -> asio::awaitable<Response> {
                   const auto amount = Money::from_minor(request.json<PayoutRequest>().amount);
                   auto key = idempotency::make_key(request.user(), request.headers.get("Idempotency-Key"),
                                                    "payout " + amount.to_string());
                   const auto payout = co_await service.request(
                       {.user = request.user(), .amount = amount, .key = std::move(key)});
                   co_return Response::of(answer_of(payout), 201);
               });
}

}  // namespace spaktok::payouts
