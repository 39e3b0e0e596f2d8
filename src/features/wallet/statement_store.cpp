#include "features/wallet/statement_store.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string>

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>

#include "base/assert.h"
#include "base/json.h"

namespace spaktok::wallet {

namespace asio = boost::asio;
using relational::Statement;

namespace {

// Ids are ordered by their time, so a span of time is a span of ids. Nobody is at both ends of a transaction.
// $4: a type as stored, or empty for all.
constexpr Statement select_sent{
    .name = "statement_sent",
    .sql =
        "SELECT t.id, t.sender_user_id, t.receiver_user_id, t.gift_id, t.stream_id, t.amount, "
        "t.streamer_payout, t.currency, t.paid_minor, t.transaction_type, t.status, t.created_at, "
        "g.name AS gift_name, g.image_url AS gift_image_url "
        "FROM transactions t LEFT JOIN gifts g ON g.id = t.gift_id "
        "WHERE t.sender_user_id = $1 AND t.id < $2 AND t.id >= $3 AND (CAST($4 AS VARCHAR) = '' OR "
        "t.transaction_type = $4) ORDER BY t.id DESC LIMIT $5"};
constexpr Statement select_received{
    .name = "statement_received",
    .sql =
        "SELECT t.id, t.sender_user_id, t.receiver_user_id, t.gift_id, t.stream_id, t.amount, "
        "t.streamer_payout, t.currency, t.paid_minor, t.transaction_type, t.status, t.created_at, "
        "g.name AS gift_name, g.image_url AS gift_image_url "
        "FROM transactions t LEFT JOIN gifts g ON g.id = t.gift_id "
        "WHERE t.receiver_user_id = $1 AND t.id < $2 AND t.id >= $3 AND (CAST($4 AS VARCHAR) = '' OR "
        "t.transaction_type = $4) ORDER BY t.id DESC LIMIT $5"};

// From the newest down: the wallet's balance less what came after. $2 bounds it: no entry of a transaction is
// older than it.
constexpr Statement select_wallet{
    .name = "statement_wallet",
    .sql =
        "WITH e AS (SELECT transaction_id, amount_minor, SUM(amount_minor) OVER (ORDER BY transaction_id "
        "DESC) AS "
        "upto, account_id FROM ledger_entries WHERE account_id = (SELECT id FROM ledger_accounts WHERE "
        "owner_user_id = $1 AND kind = 'wallet') AND id >= $2) "
        "SELECT e.transaction_id, e.amount_minor, a.balance_minor - e.upto + e.amount_minor AS balance_minor "
        "FROM e JOIN ledger_accounts a ON a.id = e.account_id "
        "WHERE e.transaction_id IN (SELECT value FROM json_each($3))",
    .postgres_sql =
        "WITH e AS (SELECT transaction_id, amount_minor, SUM(amount_minor) OVER (ORDER BY transaction_id "
        "DESC) AS "
        "upto, account_id FROM ledger_entries WHERE account_id = (SELECT id FROM ledger_accounts WHERE "
        "owner_user_id = $1 AND kind = 'wallet') AND id >= $2) "
        "SELECT e.transaction_id, e.amount_minor, CAST(a.balance_minor - e.upto + e.amount_minor AS BIGINT) "
        "AS "
        "balance_minor FROM e JOIN ledger_accounts a ON a.id = e.account_id "
        "WHERE e.transaction_id IN (SELECT CAST(value AS UUID) FROM jsonb_array_elements_text($3))"};

constexpr Statement select_months{
    .name = "statement_months",
    .sql =
        "SELECT strftime('%Y-%m', created_at / 1000, 'unixepoch') AS month, transaction_type, "
        "SUM(amount) AS amount, SUM(streamer_payout) AS earned, FALSE AS is_received FROM transactions "
        "WHERE sender_user_id = $1 AND id >= $2 AND status = 'completed' GROUP BY 1, 2 UNION ALL "
        "SELECT strftime('%Y-%m', created_at / 1000, 'unixepoch'), transaction_type, SUM(amount), "
        "SUM(streamer_payout), TRUE FROM transactions WHERE receiver_user_id = $1 AND id >= $2 AND "
        "status = 'completed' GROUP BY 1, 2",
    .postgres_sql =
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, transaction_type, "
        "SUM(amount) AS amount, SUM(streamer_payout) AS earned, FALSE AS is_received FROM transactions "
        "WHERE sender_user_id = $1 AND id >= $2 AND status = 'completed' GROUP BY 1, 2 UNION ALL "
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), transaction_type, SUM(amount), "
        "SUM(streamer_payout), TRUE FROM transactions WHERE receiver_user_id = $1 AND id >= $2 AND "
        "status = 'completed' GROUP BY 1, 2"};

// The least id of a millisecond.
Uuid first_id(Timestamp at) {
    auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_unix_milliseconds(at)));
    std::array<std::uint8_t, 16> bytes{};
    for (int place = 5; place >= 0; --place) {
        bytes[static_cast<std::size_t>(place)] = static_cast<std::uint8_t>(milliseconds & 0xFF);
        milliseconds >>= 8;
    }
    return Uuid(bytes);
}

Uuid greatest_id() {
    std::array<std::uint8_t, 16> bytes{};
    bytes.fill(0xFF);
    return Uuid(bytes);
}

Entry entry_of(const relational::Row& row, UserId user) {
    const auto sender = row.get<std::optional<UserId>>("sender_user_id");
    const auto receiver = row.get<std::optional<UserId>>("receiver_user_id");
    Entry entry{.id = row.get<TransactionId>("id"),
                .amount = row.get<Money>("amount"),
                .currency = row.get<std::string>("currency"),
                .paid_minor = row.get<std::optional<std::int64_t>>("paid_minor"),
                .other = sender == user ? receiver : sender,
                .stream_id = row.get<std::optional<StreamId>>("stream_id"),
                .created_at = row.get<Timestamp>("created_at")};
    SPAKTOK_ASSERT(
        boost::describe::enum_from_string(row.get<std::string>("transaction_type").c_str(), entry.type));
    SPAKTOK_ASSERT(boost::describe::enum_from_string(row.get<std::string>("status").c_str(), entry.status));
    if (entry.type == EntryType::gift_sent && receiver == user) {
        entry.type = EntryType::gift_received;
        entry.earned = row.get<Money>("streamer_payout");
    }
    if (const auto gift = row.get<std::optional<GiftId>>("gift_id")) {
        entry.gift =
            GiftSummary{.id = *gift,
                        .name = row.get<std::optional<std::string>>("gift_name").value_or(""),
                        .image_url = row.get<std::optional<std::string>>("gift_image_url").value_or("")};
    }
    return entry;
}

// As stored.
std::string word_of(std::optional<EntryType> type) {
    if (!type) return "";
    return boost::describe::enum_to_string(*type == EntryType::gift_received ? EntryType::gift_sent : *type,
                                           "");
}

void add(Month& month, const relational::Row& row) {
    const auto type = row.get<std::string>("transaction_type");
    const auto amount = row.get<Money>("amount");
    const bool is_received = row.get<bool>("is_received");
    if (type == "top_up") month.topped_up += amount;
    if (type == "refund" && !is_received) month.refunded += amount;
    if (type == "payout" && !is_received) month.paid_out += amount;
    if (type == "gift_sent" && !is_received) month.gifts_sent += amount;
    if (type == "gift_sent" && is_received) month.gifts_earned += row.get<Money>("earned");
}

}  // namespace

asio::awaitable<std::vector<Entry>> StatementStore::entries(Filter filter,
                                                            std::optional<TransactionId> before,
                                                            std::int64_t limit) {
    Uuid end = before ? before->value : greatest_id();
    if (filter.to) end = std::min(end, first_id(*filter.to));
    const Uuid begin = filter.from ? first_id(*filter.from) : Uuid{};
    const auto type = word_of(filter.type);
    std::vector<Entry> entries;
    const auto take = [&](const relational::Result& rows) {
        for (const auto row : rows)
            entries.push_back(entry_of(row, filter.user));
    };
    if (filter.type != EntryType::gift_received)
        take(co_await database_.query(select_sent, filter.user, end, begin, type, limit));
    if (filter.type != EntryType::gift_sent)
        take(co_await database_.query(select_received, filter.user, end, begin, type, limit));
    std::ranges::sort(entries, std::ranges::greater{}, &Entry::id);
    if (entries.size() > static_cast<std::size_t>(limit)) entries.resize(static_cast<std::size_t>(limit));
    co_await add_wallet(filter.user, entries);
    co_return entries;
}

asio::awaitable<void> StatementStore::add_wallet(UserId user, std::vector<Entry>& entries) {
    if (entries.empty()) co_return;
    // Another node's clock may have been ahead when it began what this one completed.
    constexpr std::chrono::hours clocks_apart_max{1};
    const auto since = first_id(entries.back().id.value.timestamp() - clocks_apart_max);
    json::Array ids;
    for (const auto& entry : entries)
        ids.push_back(boost::json::string(entry.id.to_string()));
    const auto rows = co_await database_.query(select_wallet, user, since, json::Value(std::move(ids)));
    for (const auto row : rows) {
        const auto found = std::ranges::find(entries, row.get<TransactionId>("transaction_id"), &Entry::id);
        if (found == entries.end()) continue;
        found->wallet_change = Money::from_minor(row.get<std::int64_t>("amount_minor"));
        found->wallet_balance = Money::from_minor(row.get<std::int64_t>("balance_minor"));
    }
}

asio::awaitable<std::vector<Month>> StatementStore::months(UserId user, Timestamp since) {
    std::map<std::string, Month, std::greater<>> by_month;
    for (const auto row : co_await database_.query(select_months, user, first_id(since))) {
        const auto name = row.get<std::string>("month");
        auto& month = by_month[name];
        month.month = name;
        add(month, row);
    }
    std::vector<Month> months;
    months.reserve(by_month.size());
    for (auto& [name, month] : by_month)
        months.push_back(std::move(month));
    co_return months;
}

}  // namespace spaktok::wallet
