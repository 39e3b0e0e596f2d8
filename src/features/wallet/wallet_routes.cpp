#include "features/wallet/wallet_routes.h"

#include <algorithm>
#include <iterator>
#include <memory>

#include <fmt/format.h>

#include "features/paging/page.h"
#include "features/wallet/statement_csv.h"
#include "features/wallet/statement_store.h"

namespace spaktok::wallet {

namespace asio = boost::asio;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

constexpr std::string_view list_name = "transactions";
constexpr std::int64_t csv_read_entries = 1'000;
constexpr http::RateLimit csv_limit{"statement_csv", 6, 10};

struct Wallet {
    Money balance;
    std::optional<std::string> provider;
    std::vector<payments::CurrencyChoice> currencies;
    Money top_up_min;
    Money top_up_max;
};
BOOST_DESCRIBE_STRUCT(Wallet, (), (balance, provider, currencies, top_up_min, top_up_max))

struct TopUpRequest {
    Money amount;
    std::string currency;
};
BOOST_DESCRIBE_STRUCT(TopUpRequest, (), (amount, currency))

struct EntryAnswer {
    TransactionId id;
    EntryType type;
    EntryStatus status;
    Money amount;
    std::optional<Money> earned;
    std::string currency;
    std::optional<std::int64_t> paid_minor;
    std::optional<accounts::UserSummary> person;
    std::optional<GiftSummary> gift;
    std::optional<StreamId> stream_id;
    std::optional<Money> wallet_change;
    std::optional<Money> wallet_balance;
    Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(EntryAnswer, (),
                      (id, type, status, amount, earned, currency, paid_minor, person, gift, stream_id,
                       wallet_change, wallet_balance, created_at))

struct Months {
    std::vector<Month> items;
};
BOOST_DESCRIBE_STRUCT(Months, (), (items))

using SharedParts = std::shared_ptr<const Parts>;
using People = std::unordered_map<UserId, accounts::UserSummary>;

std::optional<Timestamp> time_query(const Request& request, const char* name) {
    const auto text = request.query(name);
    if (!text) return std::nullopt;
    const auto at = parse_rfc3339(*text);
    if (!at)
        throw Error(ErrorCode::invalid_argument, "This must be a time such as 2026-01-31T08:00:00Z.",
                    {.field = name, .reason = "invalid_field"});
    return at;
}

Filter filter_of(const Request& request) {
    Filter filter{
        .user = request.user(), .from = time_query(request, "from"), .to = time_query(request, "to")};
    if (const auto type = request.query("type"))
        filter.type = json::from_value<EntryType>(json::to_value(*type), "type");
    return filter;
}

std::optional<TransactionId> place_of(const Request& request) {
    const auto parts = paging::decode_cursor(list_name, 1, request.query("cursor"));
    if (!parts) return std::nullopt;
    const auto id = TransactionId::parse(parts->front());
    if (!id) throw paging::invalid_cursor();
    return id;
}

asio::awaitable<People> people_of(SharedParts parts, const std::vector<Entry>& entries) {
    std::vector<UserId> ids;
    for (const auto& entry : entries)
        if (entry.other) ids.push_back(*entry.other);
    return parts->accounts.summaries(std::move(ids));
}

EntryAnswer answer_of(Entry entry, const People& people) {
    const auto person = entry.other ? people.find(*entry.other) : people.end();
    return {.id = entry.id,
            .type = entry.type,
            .status = entry.status,
            .amount = entry.amount,
            .earned = entry.earned,
            .currency = std::move(entry.currency),
            .paid_minor = entry.paid_minor,
            .person = person == people.end() ? std::nullopt : std::optional(person->second),
            .gift = std::move(entry.gift),
            .stream_id = entry.stream_id,
            .wallet_change = entry.wallet_change,
            .wallet_balance = entry.wallet_balance,
            .created_at = entry.created_at};
}

asio::awaitable<Response> get_wallet(SharedParts parts, Request& request) {
    const auto user = request.user();
    Wallet wallet{.balance = co_await parts->ledger.balance(ledger::wallet_of(user)),
                  .provider = parts->payments.provider_name(),
                  .top_up_min = parts->payments.amount_min(),
                  .top_up_max = parts->payments.amount_max()};
    wallet.currencies = co_await parts->payments.currencies();
    co_return Response::of(wallet);
}

asio::awaitable<Response> start_top_up(SharedParts parts, Request& request) {
    const auto user = request.user();
    const auto body = request.json<TopUpRequest>();
    const auto same = fmt::format("top_up {} {}", body.amount.minor(), body.currency);
    auto key = idempotency::make_key(user, request.headers.get("Idempotency-Key"), same);
    const auto top_up = co_await parts->payments.start(
        {.user = user, .amount = body.amount, .currency = body.currency, .key = std::move(key)});
    auto response = Response::of(top_up, 201);
    response.headers.set("Location", "/api/v1/wallet/top_ups/" + top_up.id.to_string());
    co_return response;
}

asio::awaitable<Response> get_top_up(SharedParts parts, Request& request) {
    co_return Response::of(
        co_await parts->payments.find(request.user(), request.path_id<TransactionId>("top_up_id")));
}

asio::awaitable<Response> list_transactions(SharedParts parts, Request& request) {
    const auto filter = filter_of(request);
    const auto limit = paging::limit_of(request);
    StatementStore store(parts->database);
    auto entries = co_await store.entries(filter, place_of(request), limit + 1);
    paging::Page<EntryAnswer> page;
    if (entries.size() > static_cast<std::size_t>(limit)) {
        entries.resize(static_cast<std::size_t>(limit));
        page.next_cursor =
            paging::encode_cursor(list_name, std::vector<std::string>{entries.back().id.to_string()});
    }
    const auto people = co_await people_of(parts, entries);
    for (auto& entry : entries)
        page.items.push_back(answer_of(std::move(entry), people));
    co_return Response::of(page);
}

asio::awaitable<Response> export_transactions(SharedParts parts, Request& request) {
    const auto filter = filter_of(request);
    StatementStore store(parts->database);
    std::vector<Entry> entries;
    for (;;) {
        const auto before = entries.empty() ? std::nullopt : std::optional(entries.back().id);
        auto more = co_await store.entries(filter, before, csv_read_entries);
        const bool is_last = more.size() < static_cast<std::size_t>(csv_read_entries);
        std::ranges::move(more, std::back_inserter(entries));
        if (entries.size() > static_cast<std::size_t>(csv_entries_max))
            throw Error(ErrorCode::invalid_argument,
                        "This statement has more than 10,000 lines. Choose a shorter time.",
                        {.field = "from", .reason = "statement_too_long"});
        if (is_last) break;
    }
    const auto people = co_await people_of(parts, entries);
    auto response = Response::text(csv_of(entries, people), "text/csv; charset=utf-8; header=present");
    response.headers.add("Content-Disposition", "attachment; filename=\"wallet.csv\"");
    response.headers.add("Cache-Control", "no-store");
    co_return response;
}

// The first millisecond of the month that is so many months before this one's.
Timestamp month_before(Timestamp now, int months) {
    const std::chrono::year_month_day today{std::chrono::floor<std::chrono::days>(now)};
    const auto month = std::chrono::year_month(today.year(), today.month()) - std::chrono::months(months);
    return std::chrono::sys_days(month / std::chrono::day(1));
}

asio::awaitable<Response> list_months(SharedParts parts, Request& request) {
    const auto user = request.user();
    StatementStore store(parts->database);
    Months answer{.items = co_await store.months(user, month_before(parts->clock.now(), months_shown - 1))};
    co_return Response::of(answer);
}

http::RouteOptions reads(std::string_view operation_id) {
    return {.operation_id = operation_id, .access = Access::signed_in};
}

}  // namespace

void add_routes(http::Router& router, Parts given) {
    const auto parts = std::make_shared<const Parts>(given);
    const auto bind = [parts](auto handler) {
        return [parts, handler](Request& request) { return handler(parts, request); };
    };
    router.add(Method::get, "/api/v1/wallet", reads("get_wallet"), bind(get_wallet));
    router.add(Method::post, "/api/v1/wallet/top_ups",
               {.operation_id = "start_top_up", .access = Access::signed_in, .rate = http::write_limit},
               bind(start_top_up));
    router.add(Method::get, "/api/v1/wallet/top_ups/{top_up_id}", reads("get_top_up"), bind(get_top_up));
    router.add(Method::get, "/api/v1/wallet/transactions", reads("list_wallet_transactions"),
               bind(list_transactions));
    router.add(Method::get, "/api/v1/wallet/transactions.csv",
               {.operation_id = "export_transactions", .access = Access::signed_in, .rate = csv_limit},
               bind(export_transactions));
    router.add(Method::get, "/api/v1/wallet/months", reads("list_wallet_months"), bind(list_months));
}

}  // namespace spaktok::wallet
