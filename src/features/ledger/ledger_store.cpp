#include "features/ledger/ledger_store.h"

#include <algorithm>

#include <boost/describe/enum_from_string.hpp>

#include "base/assert.h"
#include "base/json.h"

namespace spaktok::ledger {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;
using relational::Transaction;

namespace {

// Beyond so many it starts anew: an account is a hundred bytes.
constexpr std::size_t known_accounts_max = 100'000;

constexpr Statement insert_accounts{
    .name = "ledger_accounts_insert",
    .sql =
        "INSERT INTO ledger_accounts (id, owner_user_id, kind, created_at, updated_at) "
        "SELECT value->>'id', value->>'owner', value->>'kind', $1, $1 FROM json_each($2) WHERE TRUE "
        "ON CONFLICT DO NOTHING",
    .postgres_sql =
        "INSERT INTO ledger_accounts (id, owner_user_id, kind, created_at, updated_at) "
        "SELECT id, owner, kind, CAST($1 AS TIMESTAMP WITH TIME ZONE), $1 "
        "FROM jsonb_to_recordset($2) AS e (id UUID, owner UUID, kind VARCHAR) ON CONFLICT DO NOTHING",
    .mode = Mode::write};
constexpr Statement find_accounts_of{
    .name = "ledger_accounts_find",
    .sql =
        "SELECT id, owner_user_id, kind FROM ledger_accounts WHERE owner_user_id IN (SELECT value FROM "
        "json_each($1)) OR owner_user_id IS NULL",
    .postgres_sql =
        "SELECT id, owner_user_id, kind FROM ledger_accounts WHERE owner_user_id IN (SELECT CAST(value AS "
        "UUID) FROM jsonb_array_elements_text($1)) OR owner_user_id IS NULL"};
constexpr Statement find_balance{
    .name = "ledger_accounts_balance",
    .sql = "SELECT balance_minor FROM ledger_accounts WHERE owner_user_id = $1 AND kind = $2",
    .mode = Mode::point_read};
constexpr Statement find_platform_balance{
    .name = "ledger_accounts_platform_balance",
    .sql = "SELECT balance_minor FROM ledger_accounts WHERE owner_user_id IS NULL AND kind = $1",
    .mode = Mode::point_read};
constexpr Statement lock_accounts{
    .name = "ledger_accounts_lock",
    .sql =
        "SELECT id, balance_minor FROM ledger_accounts WHERE id IN (SELECT value FROM json_each($1)) ORDER "
        "BY id",
    .postgres_sql =
        "SELECT id, balance_minor FROM ledger_accounts WHERE id = ANY(ARRAY(SELECT CAST(value AS UUID) FROM "
        "jsonb_array_elements_text($1))) ORDER BY id FOR UPDATE",
    .mode = Mode::write};
constexpr Statement find_spent{
    .name = "daily_spending_find",
    .sql =
        "SELECT user_id, amount_minor FROM daily_spending WHERE day = $1 AND user_id IN (SELECT value FROM "
        "json_each($2))",
    .postgres_sql =
        "SELECT user_id, amount_minor FROM daily_spending WHERE day = CAST($1 AS DATE) AND user_id = "
        "ANY(ARRAY(SELECT CAST(value AS UUID) FROM jsonb_array_elements_text($2)))"};
constexpr Statement upsert_spent{
    .name = "daily_spending_add",
    .sql =
        "INSERT INTO daily_spending (user_id, day, amount_minor, created_at, updated_at) "
        "SELECT value->>'user', $1, value->>'amount', $2, $2 FROM json_each($3) WHERE TRUE "
        "ON CONFLICT (user_id, day) DO UPDATE SET amount_minor = daily_spending.amount_minor + "
        "excluded.amount_minor, updated_at = excluded.updated_at",
    .postgres_sql =
        "INSERT INTO daily_spending (user_id, day, amount_minor, created_at, updated_at) "
        "SELECT \"user\", CAST($1 AS DATE), amount, CAST($2 AS TIMESTAMP WITH TIME ZONE), $2 "
        "FROM jsonb_to_recordset($3) AS e (\"user\" UUID, amount BIGINT) "
        "ON CONFLICT (user_id, day) DO UPDATE SET amount_minor = daily_spending.amount_minor + "
        "excluded.amount_minor, updated_at = excluded.updated_at",
    .mode = Mode::write};
// Of each a row: id, sender, receiver, gift, stream, reverses, amount, fee, payout, currency, rate, paid,
// type. Amounts and rates come as integers, which is what SQLite keeps.
constexpr Statement insert_transactions{
    .name = "transactions_insert",
    .sql =
        "INSERT INTO transactions (id, sender_user_id, receiver_user_id, gift_id, stream_id, reverses_id, "
        "amount, platform_fee, streamer_payout, currency, exchange_rate, paid_minor, transaction_type, "
        "status, created_at, updated_at) "
        "SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, "
        "value->>8, value->>9, value->>10, value->>11, value->>12, value->>13, $1, $1 FROM json_each($2)",
    .postgres_sql =
        "INSERT INTO transactions (id, sender_user_id, receiver_user_id, gift_id, stream_id, reverses_id, "
        "amount, platform_fee, streamer_payout, currency, exchange_rate, paid_minor, transaction_type, "
        "status, created_at, updated_at) "
        "SELECT CAST(value->>0 AS UUID), CAST(value->>1 AS UUID), CAST(value->>2 AS UUID), "
        "CAST(value->>3 AS UUID), CAST(value->>4 AS UUID), CAST(value->>5 AS UUID), "
        "CAST(value->>6 AS NUMERIC) * 0.01, CAST(value->>7 AS NUMERIC) * 0.01, "
        "CAST(value->>8 AS NUMERIC) * 0.01, value->>9, CAST(value->>10 AS NUMERIC) * 0.0001, "
        "CAST(value->>11 AS BIGINT), value->>12, value->>13, CAST($1 AS TIMESTAMP WITH TIME ZONE), $1 "
        "FROM jsonb_array_elements($2)",
    .mode = Mode::write};
// A failed one too: who says that it was paid after all is believed.
constexpr Statement complete_transaction{.name = "transactions_complete",
                                         .sql =
                                             "UPDATE transactions SET status = 'completed', updated_at = $1 "
                                             "WHERE id = $2 AND status <> 'completed'",
                                         .mode = Mode::write};
constexpr Statement fail_transaction{
    .name = "transactions_fail",
    .sql = "UPDATE transactions SET status = 'failed', updated_at = $1 WHERE id = $2 AND status = 'pending'",
    .mode = Mode::write};
constexpr Statement insert_entries{
    .name = "ledger_entries_insert",
    .sql =
        "INSERT INTO ledger_entries (id, transaction_id, account_id, amount_minor, created_at) "
        "SELECT value->>0, value->>1, value->>2, value->>3, $1 FROM json_each($2)",
    .postgres_sql =
        "INSERT INTO ledger_entries (id, transaction_id, account_id, amount_minor, created_at) "
        "SELECT CAST(value->>0 AS UUID), CAST(value->>1 AS UUID), CAST(value->>2 AS UUID), "
        "CAST(value->>3 AS BIGINT), CAST($1 AS TIMESTAMP WITH TIME ZONE) FROM jsonb_array_elements($2)",
    .mode = Mode::write};
constexpr Statement add_to_accounts{
    .name = "ledger_accounts_add",
    .sql =
        "UPDATE ledger_accounts SET balance_minor = balance_minor + (e.value->>1), updated_at = $1 "
        "FROM json_each($2) e WHERE ledger_accounts.id = e.value->>0",
    .postgres_sql =
        "UPDATE ledger_accounts a SET balance_minor = balance_minor + e.change, updated_at = $1 "
        "FROM (SELECT CAST(value->>0 AS UUID) AS id, CAST(value->>1 AS BIGINT) AS change "
        "FROM jsonb_array_elements($2)) e WHERE a.id = e.id AND a.id = ANY(ARRAY("
        "SELECT CAST(value->>0 AS UUID) FROM jsonb_array_elements($2)))",
    .mode = Mode::write};

std::string word(auto value) {
    return boost::describe::enum_to_string(value, "");
}

template <class T>
json::Value text_or_null(const std::optional<T>& id) {
    return id ? json::Value(boost::json::string(id->to_string())) : json::Value(nullptr);
}

json::Array row_of(const Numbered& numbered, std::string_view status) {
    const auto& header = numbered.movement->header;
    return {numbered.id.to_string(),
            text_or_null(header.sender),
            text_or_null(header.receiver),
            text_or_null(header.gift),
            text_or_null(header.stream),
            text_or_null(header.reverses),
            header.amount.minor(),
            header.platform_fee.minor(),
            header.streamer_payout.minor(),
            header.currency,
            header.exchange_rate,
            header.paid_minor ? json::Value(*header.paid_minor) : json::Value(nullptr),
            word(header.type),
            status};
}

void append_entries(json::Array& entries, const Numbered& numbered, const AccountIds& accounts, Timestamp now,
                    Random& random) {
    const auto id = numbered.id.to_string();
    for (const auto& posting : numbered.movement->postings) {
        entries.push_back(json::Array{Uuid::v7(now, random).to_string(), id,
                                      accounts.at(posting.account).to_string(), posting.amount.minor()});
    }
}

Account account_of(const relational::Row& row) {
    Account account{.kind = {}, .owner = row.get<std::optional<UserId>>("owner_user_id")};
    SPAKTOK_ASSERT(boost::describe::enum_from_string(row.get<std::string>("kind").c_str(), account.kind));
    return account;
}

template <class Ids>
json::Value list_of(const Ids& ids) {
    json::Array list;
    for (const auto& id : ids)
        list.push_back(boost::json::string(id.to_string()));
    return list;
}

}  // namespace

std::optional<Uuid> LedgerStore::known(const Account& account) {
    const std::scoped_lock lock(mutex_);
    const auto found = known_.find(account);
    return found == known_.end() ? std::nullopt : std::optional(found->second);
}

asio::awaitable<void> LedgerStore::load(std::vector<Account> accounts) {
    std::vector<UserId> owners;
    for (const auto& account : accounts)
        if (account.owner) owners.push_back(*account.owner);
    const auto rows = co_await database_.query(find_accounts_of, list_of(owners));
    const std::scoped_lock lock(mutex_);
    if (known_.size() > known_accounts_max) known_.clear();
    for (const auto row : rows)
        known_[account_of(row)] = row.get<Uuid>("id");
}

asio::awaitable<AccountIds> LedgerStore::find_accounts(std::vector<Account> accounts, Timestamp now,
                                                       Random& random) {
    AccountIds found;
    const auto look = [&](std::vector<Account> wanted) {
        std::vector<Account> missing;
        for (const auto& account : wanted) {
            if (const auto id = known(account)) {
                found[account] = *id;
            } else {
                missing.push_back(account);
            }
        }
        return missing;
    };
    std::ranges::sort(accounts);
    accounts.erase(std::ranges::unique(accounts).begin(), accounts.end());
    auto missing = look(std::move(accounts));
    if (missing.empty()) co_return found;
    co_await load(missing);
    missing = look(std::move(missing));
    if (missing.empty()) co_return found;
    json::Array rows;
    for (const auto& account : missing)
        rows.push_back(json::Object{{"id", Uuid::v7(now, random).to_string()},
                                    {"owner", text_or_null(account.owner)},
                                    {"kind", word(account.kind)}});
    // Another node may make the same at this moment; then both find the one that is there.
    co_await database_.query(insert_accounts, now, json::Value(std::move(rows)));
    co_await load(missing);
    missing = look(std::move(missing));
    SPAKTOK_ASSERT(missing.empty());
    co_return found;
}

asio::awaitable<Money> LedgerStore::balance(Account account) {
    const auto rows = account.owner
                          ? co_await database_.query(find_balance, *account.owner, word(account.kind))
                          : co_await database_.query(find_platform_balance, word(account.kind));
    if (rows.empty()) co_return Money{};
    co_return Money::from_minor(rows[0].get<std::int64_t>("balance_minor"));
}

asio::awaitable<std::unordered_map<Uuid, Money>> LedgerStore::lock(Transaction& tx,
                                                                   const AccountIds& accounts) {
    std::vector<Uuid> ids;
    for (const auto& [account, id] : accounts)
        ids.push_back(id);
    const auto rows = co_await tx.query(lock_accounts, list_of(ids));
    std::unordered_map<Uuid, Money> balances;
    for (const auto row : rows)
        balances.emplace(row.get<Uuid>("id"), Money::from_minor(row.get<std::int64_t>("balance_minor")));
    SPAKTOK_ASSERT(balances.size() == ids.size());
    co_return balances;
}

asio::awaitable<std::map<UserId, Money>> LedgerStore::spent(Transaction& tx, std::vector<UserId> users,
                                                            std::string day) {
    std::map<UserId, Money> spent;
    if (users.empty()) co_return spent;
    for (const auto row : co_await tx.query(find_spent, day, list_of(users)))
        spent[row.get<UserId>("user_id")] = Money::from_minor(row.get<std::int64_t>("amount_minor"));
    co_return spent;
}

asio::awaitable<void> LedgerStore::add_spent(Transaction& tx, std::map<UserId, Money> spent, std::string day,
                                             Timestamp now) {
    if (spent.empty()) co_return;
    json::Array rows;
    for (const auto& [user, amount] : spent)
        rows.push_back(json::Object{{"user", user.to_string()}, {"amount", amount.minor()}});
    co_await tx.query(upsert_spent, day, now, json::Value(std::move(rows)));
}

asio::awaitable<void> LedgerStore::insert(Transaction& tx, std::vector<Numbered> movements,
                                          const AccountIds& accounts, Timestamp now, Random& random) {
    json::Array headers;
    json::Array entries;
    for (const auto& numbered : movements) {
        headers.push_back(row_of(numbered, "completed"));
        append_entries(entries, numbered, accounts, now, random);
    }
    co_await tx.query(insert_transactions, now, json::Value(std::move(headers)));
    co_await tx.query(insert_entries, now, json::Value(std::move(entries)));
}

asio::awaitable<void> LedgerStore::open(Transaction& tx, Numbered movement, Timestamp now) {
    json::Array headers;
    headers.push_back(row_of(movement, "pending"));
    co_await tx.query(insert_transactions, now, json::Value(std::move(headers)));
}

asio::awaitable<bool> LedgerStore::complete(Transaction& tx, Numbered movement, const AccountIds& accounts,
                                            Timestamp now, Random& random) {
    const auto completed = co_await tx.query(complete_transaction, now, movement.id);
    if (completed.affected() == 0) co_return false;
    json::Array entries;
    append_entries(entries, movement, accounts, now, random);
    co_await tx.query(insert_entries, now, json::Value(std::move(entries)));
    co_return true;
}

asio::awaitable<void> LedgerStore::fail(Transaction& tx, TransactionId id, Timestamp now) {
    co_await tx.query(fail_transaction, now, id);
}

asio::awaitable<void> LedgerStore::add(Transaction& tx, std::map<Uuid, Money> changes, Timestamp now) {
    json::Array rows;
    for (const auto& [account, change] : changes)
        if (change != Money{}) rows.push_back(json::Array{account.to_string(), change.minor()});
    if (rows.empty()) co_return;
    co_await tx.query(add_to_accounts, now, json::Value(std::move(rows)));
}

}  // namespace spaktok::ledger
