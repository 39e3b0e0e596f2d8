#include "features/ledger/audit.h"

namespace spaktok::ledger {

namespace asio = boost::asio;
using relational::Dialect;
using relational::Statement;
using relational::Transaction;

namespace {

// One statement, so that all of it sees one state. CENTS: an amount of `transactions` or `payouts` in cents.
// `booked`: of each transaction what its entries move, by the accounts that its header speaks of.
#define OF(condition) "CAST(sum(CASE WHEN " condition " THEN e.amount_minor ELSE 0 END) AS BIGINT)"
#define RULE(words, columns, source) " UNION ALL SELECT '" words "', " columns " FROM " source
#define AUDIT(CENTS) \
    "WITH booked AS MATERIALIZED (SELECT e.transaction_id AS id, CAST(sum(e.amount_minor) AS BIGINT) AS "   \
    "total, " OF("e.amount_minor > 0") " AS moved, " OF(                                                    \
        "a.kind = 'wallet' AND a.owner_user_id = t.sender_user_id") " AS sender_wallet, " OF(               \
        "a.kind = 'wallet' AND a.owner_user_id = t.receiver_user_id") " AS receiver_wallet, " OF(           \
        "a.kind = 'earnings' AND a.owner_user_id = t.sender_user_id") " AS sender_earnings, " OF(           \
        "a.kind = 'earnings' AND a.owner_user_id = t.receiver_user_id") " AS receiver_earnings, " OF(       \
        "a.kind = 'platform_revenue'") " AS revenue, " OF("a.kind = 'payment_clearing'") " AS payments, " OF( \
        "a.kind = 'payout_clearing'") " AS payouts FROM ledger_entries e JOIN ledger_accounts a ON a.id = " \
    "e.account_id JOIN transactions t ON t.id = e.transaction_id GROUP BY e.transaction_id), "              \
    "headers AS (SELECT t.id, t.transaction_type AS type, t.status, t.reverses_id, " CENTS("t.amount")      \
        " AS amount, " CENTS("t.platform_fee") " AS fee, " CENTS("t.streamer_payout") " AS payout "         \
    "FROM transactions t) "                                                                                 \
    "SELECT what, CAST(id AS TEXT) AS id, stored, expected FROM (SELECT 'compared' AS what, NULL AS id, "   \
    "(SELECT count(*) FROM ledger_accounts) + (SELECT count(*) FROM transactions) AS stored, 0 AS expected" \
    RULE("balance of account", "a.id, a.balance_minor, COALESCE(s.total, 0)",                               \
         "ledger_accounts a LEFT JOIN (SELECT account_id, CAST(sum(amount_minor) AS BIGINT) AS total FROM " \
         "ledger_entries GROUP BY account_id) AS s ON s.account_id = a.id WHERE a.balance_minor <> "        \
         "COALESCE(s.total, 0)")                                                                            \
    RULE("wallet below zero", "id, balance_minor, 0",                                                       \
         "ledger_accounts WHERE kind = 'wallet' AND balance_minor < 0")                                     \
    RULE("sum of all accounts", "NULL, CAST(sum(balance_minor) AS BIGINT), 0",                              \
         "ledger_accounts HAVING sum(balance_minor) <> 0")                                                  \
    RULE("sum of the entries of transaction", "id, total, 0", "booked WHERE total <> 0")                    \
    RULE("entries of unsettled transaction", "h.id, b.moved, 0",                                            \
         "headers h JOIN booked b ON b.id = h.id WHERE h.status <> 'completed'")                            \
    RULE("amount of transaction", "h.id, COALESCE(b.moved, 0), h.amount",                                   \
         "headers h LEFT JOIN booked b ON b.id = h.id WHERE h.status = 'completed' AND COALESCE(b.moved, "  \
         "0) <> h.amount")                                                                                  \
    RULE("payment of gift", "h.id, b.sender_wallet, -h.amount",                                             \
         "headers h JOIN booked b ON b.id = h.id WHERE h.type = 'gift_sent' AND h.status = 'completed' AND " \
         "b.sender_wallet <> -h.amount")                                                                    \
    RULE("earnings of gift", "h.id, b.receiver_earnings, h.payout",                                         \
         "headers h JOIN booked b ON b.id = h.id WHERE h.type = 'gift_sent' AND h.status = 'completed' AND " \
         "b.receiver_earnings <> h.payout")                                                                 \
    RULE("fee of gift", "h.id, b.revenue, h.fee",                                                           \
         "headers h JOIN booked b ON b.id = h.id WHERE h.type = 'gift_sent' AND h.status = 'completed' AND " \
         "b.revenue <> h.fee")                                                                              \
    RULE("wallet of top-up", "h.id, b.receiver_wallet, h.amount",                                           \
         "headers h JOIN booked b ON b.id = h.id WHERE h.type = 'top_up' AND h.status = 'completed' AND "   \
         "b.receiver_wallet <> h.amount")                                                                   \
    RULE("clearing of top-up", "h.id, b.payments, -h.amount",                                               \
         "headers h JOIN booked b ON b.id = h.id WHERE h.type = 'top_up' AND h.status = 'completed' AND "   \
         "b.payments <> -h.amount")                                                                         \
    RULE("earnings of payout", "h.id, b.sender_earnings, -h.amount",                                        \
         "headers h JOIN booked b ON b.id = h.id WHERE h.type = 'payout' AND h.status = 'completed' AND "   \
         "b.sender_earnings <> -h.amount")                                                                  \
    RULE("clearing of payout", "h.id, b.payouts, h.amount",                                                 \
         "headers h JOIN booked b ON b.id = h.id WHERE h.type = 'payout' AND h.status = 'completed' AND "   \
         "b.payouts <> h.amount")                                                                           \
    RULE("account of reversal", "x.id, x.left_over, 0",                                                     \
         "(SELECT pair.id, pair.account_id, CAST(sum(pair.amount_minor) AS BIGINT) AS left_over FROM "      \
         "(SELECT r.id, e.account_id, e.amount_minor FROM transactions r JOIN transactions o ON o.id = "    \
         "r.reverses_id JOIN ledger_entries e ON e.transaction_id = r.id WHERE o.transaction_type IN "      \
         "('gift_sent', 'payout') UNION ALL SELECT r.id, e.account_id, e.amount_minor FROM transactions r " \
         "JOIN transactions o ON o.id = r.reverses_id JOIN ledger_entries e ON e.transaction_id = o.id "    \
         "WHERE o.transaction_type IN ('gift_sent', 'payout')) AS pair GROUP BY pair.id, pair.account_id "  \
         "HAVING sum(pair.amount_minor) <> 0) AS x")                                                        \
    RULE("transaction of payout", "p.id, COALESCE(" CENTS("t.amount") ", 0), " CENTS("p.amount"),           \
         "payouts p LEFT JOIN transactions t ON t.id = p.transaction_id AND t.transaction_type = 'payout' " \
         "AND t.sender_user_id = p.user_id WHERE t.id IS NULL OR t.amount <> p.amount")                     \
    RULE("money given back of payout", "p.id, CASE WHEN r.id IS NULL THEN 0 ELSE " CENTS("p.amount")        \
         " END, CASE WHEN r.id IS NULL THEN " CENTS("p.amount") " ELSE 0 END",                              \
         "payouts p LEFT JOIN transactions r ON r.reverses_id = p.transaction_id WHERE (r.id IS NOT NULL) " \
         "<> (p.status IN ('refused', 'failed'))")                                                          \
    ") AS found ORDER BY CASE WHEN what = 'compared' THEN 0 ELSE 1 END LIMIT $1"

#define AS_IT_IS(column) column
#define OF_NUMERIC(column) "CAST(" column " * 100 AS BIGINT)"
constexpr Statement audit_statement{
    .name = "ledger_audit", .sql = AUDIT(AS_IT_IS), .postgres_sql = AUDIT(OF_NUMERIC)};

AuditResult read(const relational::Result& rows) {
    AuditResult result;
    for (const auto row : rows) {
        const auto what = row.get<std::string>("what");
        const auto stored = row.get<std::int64_t>("stored");
        if (what == "compared") {
            result.compared = stored;
            continue;
        }
        result.differences.push_back({.what = what,
                                      .id = row.get<std::optional<std::string>>("id").value_or(""),
                                      .stored = stored,
                                      .expected = row.get<std::int64_t>("expected")});
    }
    return result;
}

}  // namespace

asio::awaitable<AuditResult> audit(relational::Database& database) {
    if (database.dialect() == Dialect::sqlite)
        co_return read(co_await database.query(audit_statement, audit_differences_max + 1));
    co_return co_await database.transaction([](Transaction& tx) -> asio::awaitable<AuditResult> {
        co_await tx.run_script("SET TRANSACTION READ ONLY");  // lifts the limit of time as well
        co_return read(co_await tx.query(audit_statement, audit_differences_max + 1));
    });
}

}  // namespace spaktok::ledger
