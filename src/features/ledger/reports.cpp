#include "features/ledger/reports.h"

#include <array>
#include <chrono>

#include <boost/describe/enum_from_string.hpp>

#include "base/assert.h"

namespace spaktok::ledger {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

// Gifts that count: completed ones that were not taken back.
#define STANDING_GIFTS                                                            \
    "t.transaction_type = 'gift_sent' AND t.status = 'completed' AND NOT EXISTS " \
    "(SELECT 1 FROM transactions r WHERE r.reverses_id = t.id)"

constexpr Statement select_earned{
    .name = "earnings_find",
    .sql =
        "SELECT COALESCE(max(a.balance_minor), 0) AS balance, COALESCE(max(g.amount), 0) AS recent, "
        "max(g.first_at) AS first_at, max(g.last_at) AS last_at FROM "
        "(SELECT sum(t.streamer_payout) AS amount, min(t.created_at) AS first_at, max(t.created_at) AS "
        "last_at FROM transactions t WHERE t.receiver_user_id = $1 AND t.id >= $2 AND " STANDING_GIFTS
        ") AS g LEFT JOIN ledger_accounts a ON a.owner_user_id = $1 AND a.kind = 'earnings'"};
constexpr Statement select_months{
    .name = "earnings_by_month",
    .sql =
        "SELECT strftime('%Y-%m', t.created_at / 1000, 'unixepoch') AS month, count(*) AS gifts, "
        "sum(t.amount) AS amount, sum(t.streamer_payout) AS earned FROM transactions t "
        "WHERE t.receiver_user_id = $1 AND t.id >= $2 AND " STANDING_GIFTS " GROUP BY 1 ORDER BY 1 DESC",
    .postgres_sql =
        "SELECT to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, count(*) AS gifts, "
        "sum(t.amount) AS amount, sum(t.streamer_payout) AS earned FROM transactions t "
        "WHERE t.receiver_user_id = $1 AND t.id >= $2 AND " STANDING_GIFTS " GROUP BY 1 ORDER BY 1 DESC"};
constexpr Statement select_totals{
    .name = "ledger_totals",
    .sql =
        "SELECT kind, CAST(sum(balance_minor) AS BIGINT) AS balance, "
        "CAST(sum(CASE WHEN balance_minor < 0 THEN balance_minor ELSE 0 END) AS BIGINT) AS below_zero "
        "FROM ledger_accounts GROUP BY kind"};
constexpr Statement select_revenue{
    .name = "ledger_revenue_by_day",
    .sql =
        "SELECT strftime('%Y-%m-%d', e.created_at / 1000, 'unixepoch') AS day, sum(e.amount_minor) AS "
        "revenue "
        "FROM ledger_entries e WHERE e.account_id = (SELECT id FROM ledger_accounts WHERE owner_user_id IS "
        "NULL AND kind = 'platform_revenue') AND e.id >= $1 GROUP BY 1 ORDER BY 1",
    .postgres_sql =
        "SELECT to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, CAST(sum(e.amount_minor) AS "
        "BIGINT) AS revenue FROM ledger_entries e WHERE e.account_id = (SELECT id FROM ledger_accounts WHERE "
        "owner_user_id IS NULL AND kind = 'platform_revenue') AND e.id >= $1 GROUP BY 1 ORDER BY 1"};

#define TRANSACTION_COLUMNS                                                                         \
    "t.id, t.sender_user_id, t.receiver_user_id, t.gift_id, t.stream_id, t.reverses_id, t.amount, " \
    "t.platform_fee, t.streamer_payout, t.currency, t.paid_minor, t.transaction_type, t.status, "   \
    "t.created_at, (SELECT r.id FROM transactions r WHERE r.reverses_id = t.id) AS reversed_by"
constexpr Statement select_transaction{
    .name = "transactions_find",
    .sql = "SELECT " TRANSACTION_COLUMNS " FROM transactions t WHERE t.id = $1",
    .mode = Mode::point_read};
constexpr Statement page_newest{
    .name = "transactions_page",
    .sql = "SELECT " TRANSACTION_COLUMNS " FROM transactions t WHERE t.id < $1 ORDER BY t.id DESC LIMIT $2",
    .list = true};

constexpr Statement select_bursts{
    .name = "gift_bursts",
    .sql =
        "SELECT sender_user_id, bucket, max(gifts) AS gifts, max(total) AS total FROM "
        "(SELECT sender_user_id, created_at / 600000 AS bucket, count(*) OVER w AS gifts, "
        "sum(amount) OVER w AS total FROM transactions WHERE id >= $1 AND transaction_type = 'gift_sent' AND "
        "status = 'completed' WINDOW w AS (PARTITION BY sender_user_id ORDER BY created_at RANGE BETWEEN "
        "599999 PRECEDING AND CURRENT ROW)) AS g WHERE gifts > $2 OR total > $3 GROUP BY 1, 2 "
        "ORDER BY 2, 1 LIMIT 1000",
    .postgres_sql =
        "SELECT sender_user_id, bucket, max(gifts) AS gifts, max(total) AS total FROM "
        "(SELECT sender_user_id, CAST(floor(extract(epoch FROM created_at) / 600) AS BIGINT) AS bucket, "
        "count(*) OVER w AS gifts, sum(amount) OVER w AS total FROM transactions WHERE id >= $1 AND "
        "transaction_type = 'gift_sent' AND status = 'completed' WINDOW w AS (PARTITION BY sender_user_id "
        "ORDER BY created_at RANGE BETWEEN INTERVAL '599.999 seconds' PRECEDING AND CURRENT ROW)) AS g "
        "WHERE gifts > $2 OR total > $3 GROUP BY 1, 2 ORDER BY 2, 1 LIMIT 1000"};

#define GIVEN(what, from, to)                                               \
    "(SELECT " what " FROM transactions t WHERE t.sender_user_id = p." from \
    " AND t.receiver_user_id = p." to                                       \
    " AND t.id >= $2 AND t.transaction_type = 'gift_sent' AND "             \
    "t.status = 'completed')"
constexpr Statement select_circles{
    .name = "gift_circles",
    .sql =
        "WITH pairs AS (SELECT DISTINCT "
        "CASE WHEN sender_user_id < receiver_user_id THEN sender_user_id ELSE receiver_user_id END AS one, "
        "CASE WHEN sender_user_id < receiver_user_id THEN receiver_user_id ELSE sender_user_id END AS other "
        "FROM transactions WHERE id >= $1 AND transaction_type = 'gift_sent' AND status = 'completed'), "
        "given AS (SELECT p.one, p.other, " GIVEN("sum(t.amount)", "one", "other") " AS there, " GIVEN(
            "sum(t.amount)", "other", "one") " AS back, " GIVEN("count(*)", "one", "other") " + " GIVEN("count(*)", "other", "one") " AS gifts FROM pairs p) "
        "SELECT one, other, gifts, CASE WHEN there < back THEN there ELSE back END AS amount FROM given "
        "WHERE there >= $3 AND back >= $3 ORDER BY one, other LIMIT 1000"};

// Before every id that is made from that moment on.
Uuid first_id_of(Timestamp at) {
    std::array<std::uint8_t, 16> bytes{};
    auto rest = static_cast<std::uint64_t>(to_unix_milliseconds(at));
    for (std::size_t i = 6; i > 0; --i, rest >>= 8)
        bytes[i - 1] = static_cast<std::uint8_t>(rest & 0xff);
    return Uuid(bytes);
}

template <class Enum>
Enum word_in(const relational::Row& row, std::string_view column) {
    Enum value{};
    SPAKTOK_ASSERT(boost::describe::enum_from_string(row.get<std::string>(column).c_str(), value));
    return value;
}

template <class Reader>
asio::awaitable<Earned> read_earned(Reader& reader, UserId user, Timestamp since) {
    const auto rows = co_await reader.query(select_earned, user, first_id_of(since));
    const auto row = rows[0];
    co_return Earned{.balance = Money::from_minor(row.template get<std::int64_t>("balance")),
                     .recent = row.template get<Money>("recent"),
                     .first_recent_at = row.template get<std::optional<Timestamp>>("first_at"),
                     .last_recent_at = row.template get<std::optional<Timestamp>>("last_at")};
}

Recorded recorded(const relational::Row& row) {
    return {.id = row.get<TransactionId>("id"),
            .header = {.type = word_in<TransactionType>(row, "transaction_type"),
                       .sender = row.get<std::optional<UserId>>("sender_user_id"),
                       .receiver = row.get<std::optional<UserId>>("receiver_user_id"),
                       .gift = row.get<std::optional<GiftId>>("gift_id"),
                       .stream = row.get<std::optional<StreamId>>("stream_id"),
                       .reverses = row.get<std::optional<TransactionId>>("reverses_id"),
                       .amount = row.get<Money>("amount"),
                       .platform_fee = row.get<Money>("platform_fee"),
                       .streamer_payout = row.get<Money>("streamer_payout"),
                       .currency = row.get<std::string>("currency"),
                       .paid_minor = row.get<std::optional<std::int64_t>>("paid_minor")},
            .status = word_in<TransactionStatus>(row, "status"),
            .reversed_by = row.get<std::optional<TransactionId>>("reversed_by"),
            .created_at = row.get<Timestamp>("created_at")};
}

}  // namespace

asio::awaitable<Earned> earned(relational::Database& database, UserId user, Timestamp since) {
    return read_earned(database, user, since);
}
asio::awaitable<Earned> earned(relational::Transaction& tx, UserId user, Timestamp since) {
    return read_earned(tx, user, since);
}

asio::awaitable<std::vector<MonthOfGifts>> months_of_gifts(relational::Database& database, UserId user,
                                                           Timestamp since) {
    std::vector<MonthOfGifts> months;
    for (const auto row : co_await database.query(select_months, user, first_id_of(since))) {
        months.push_back({.month = row.get<std::string>("month"),
                          .gifts_count = row.get<std::int64_t>("gifts"),
                          .amount = row.get<Money>("amount"),
                          .earned = row.get<Money>("earned")});
    }
    co_return months;
}

asio::awaitable<Totals> totals(relational::Database& database) {
    Totals totals;
    for (const auto row : co_await database.query(select_totals)) {
        const auto balance = Money::from_minor(row.get<std::int64_t>("balance"));
        switch (word_in<AccountKind>(row, "kind")) {
            case AccountKind::wallet:
                totals.wallets = balance;
                break;
            case AccountKind::earnings:
                totals.earnings = balance;
                totals.earnings_below_zero = Money::from_minor(row.get<std::int64_t>("below_zero"));
                break;
            case AccountKind::platform_revenue:
                totals.platform_revenue = balance;
                break;
            case AccountKind::payment_clearing:
                totals.payment_clearing = balance;
                break;
            case AccountKind::payout_clearing:
                totals.payout_clearing = balance;
                break;
        }
    }
    co_return totals;
}

asio::awaitable<std::vector<DayOfRevenue>> revenue_by_day(relational::Database& database, Timestamp since) {
    std::vector<DayOfRevenue> days;
    for (const auto row : co_await database.query(select_revenue, first_id_of(since))) {
        days.push_back({.day = row.get<std::string>("day"),
                        .revenue = Money::from_minor(row.get<std::int64_t>("revenue"))});
    }
    co_return days;
}

asio::awaitable<std::optional<Recorded>> find_transaction(relational::Database& database, TransactionId id) {
    const auto rows = co_await database.query(select_transaction, id);
    if (rows.empty()) co_return std::nullopt;
    co_return recorded(rows[0]);
}

asio::awaitable<std::vector<Recorded>> newest_transactions(relational::Database& database, Uuid before,
                                                           std::int64_t limit) {
    std::vector<Recorded> page;
    for (const auto row : co_await database.query(page_newest, before, limit))
        page.push_back(recorded(row));
    co_return page;
}

asio::awaitable<std::vector<Burst>> find_bursts(relational::Database& database, Timestamp since,
                                                BurstLimits limits) {
    std::vector<Burst> bursts;
    for (const auto row :
         co_await database.query(select_bursts, first_id_of(since), limits.gifts_max, limits.amount_max)) {
        bursts.push_back({.sender = row.get<UserId>("sender_user_id"),
                          .window_starts_at = Timestamp(burst_window * row.get<std::int64_t>("bucket")),
                          .gifts_count = row.get<std::int64_t>("gifts"),
                          .amount = row.get<Money>("total")});
    }
    co_return bursts;
}

asio::awaitable<std::vector<Circle>> find_circles(relational::Database& database, CircleSearch search) {
    std::vector<Circle> circles;
    for (const auto row : co_await database.query(select_circles, first_id_of(search.active_since),
                                                  first_id_of(search.since), search.amount_min)) {
        circles.push_back({.user = row.get<UserId>("one"),
                           .other = row.get<UserId>("other"),
                           .gifts_count = row.get<std::int64_t>("gifts"),
                           .amount = row.get<Money>("amount")});
    }
    co_return circles;
}

}  // namespace spaktok::ledger
