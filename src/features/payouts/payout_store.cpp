#include "features/payouts/payout_store.h"

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>

#include "base/assert.h"

namespace spaktok::payouts {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

#define PAYOUT_COLUMNS \
    "id, user_id, transaction_id, amount, status, reason, decided_by, decided_at, created_at, updated_at"

constexpr Statement select_payout{.name = "payouts_find",
                                  .sql = "SELECT " PAYOUT_COLUMNS " FROM payouts WHERE id = $1",
                                  .mode = Mode::point_read};
constexpr Statement select_by_transaction{
    .name = "payouts_find_by_transaction",
    .sql = "SELECT " PAYOUT_COLUMNS " FROM payouts WHERE transaction_id = $1",
    .mode = Mode::point_read};
constexpr Statement select_open{
    .name = "payouts_open",
    .sql = "SELECT " PAYOUT_COLUMNS
           " FROM payouts WHERE user_id = $1 AND status IN ('requested', 'approved') ORDER BY id LIMIT 1",
    .mode = Mode::point_read};
constexpr Statement page_of_user{
    .name = "payouts_page_of_user",
    .sql = "SELECT " PAYOUT_COLUMNS " FROM payouts WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    .list = true};
constexpr Statement page_oldest{
    .name = "payouts_page_oldest",
    .sql = "SELECT " PAYOUT_COLUMNS " FROM payouts WHERE status = $1 AND id > $2 ORDER BY id LIMIT $3",
    .list = true};
constexpr Statement page_newest{
    .name = "payouts_page_newest",
    .sql = "SELECT " PAYOUT_COLUMNS " FROM payouts WHERE status = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    .list = true};
constexpr Statement count_waiting{
    .name = "payouts_waiting",
    .sql = "SELECT count(*) AS waiting, COALESCE(sum(amount), 0) AS amount FROM payouts WHERE status = $1"};
constexpr Statement insert_payout{
    .name = "payouts_insert",
    .sql =
        "INSERT INTO payouts (id, user_id, transaction_id, amount, status, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $6)",
    .mode = Mode::write};
constexpr Statement update_payout{
    .name = "payouts_change",
    .sql = "UPDATE payouts SET status = $1, reason = $2, updated_at = $3 WHERE id = $4 AND status = $5",
    .mode = Mode::write};
constexpr Statement update_decision{
    .name = "payouts_decide",
    .sql =
        "UPDATE payouts SET status = $1, reason = $2, updated_at = $3, decided_at = $3, decided_by = $4 "
        "WHERE id = $5 AND status = $6",
    .mode = Mode::write};

std::string word(Status status) {
    return boost::describe::enum_to_string(status, "");
}

Payout read(const relational::Row& row) {
    Payout payout{.id = row.get<PayoutId>("id"),
                  .user_id = row.get<UserId>("user_id"),
                  .transaction_id = row.get<TransactionId>("transaction_id"),
                  .amount = row.get<Money>("amount"),
                  .reason = row.get<std::optional<std::string>>("reason"),
                  .decided_by = row.get<std::optional<UserId>>("decided_by"),
                  .decided_at = row.get<std::optional<Timestamp>>("decided_at"),
                  .created_at = row.get<Timestamp>("created_at"),
                  .updated_at = row.get<Timestamp>("updated_at")};
    SPAKTOK_ASSERT(boost::describe::enum_from_string(row.get<std::string>("status").c_str(), payout.status));
    return payout;
}

std::optional<Payout> read_first(const relational::Result& rows) {
    if (rows.empty()) return std::nullopt;
    return read(rows[0]);
}

std::vector<Payout> read_all(const relational::Result& rows) {
    std::vector<Payout> payouts;
    for (const auto row : rows)
        payouts.push_back(read(row));
    return payouts;
}

}  // namespace

asio::awaitable<std::optional<Payout>> PayoutStore::find(PayoutId id) {
    co_return read_first(co_await database_.query(select_payout, id));
}

asio::awaitable<std::optional<Payout>> PayoutStore::find_by_transaction(TransactionId id) {
    co_return read_first(co_await database_.query(select_by_transaction, id));
}

asio::awaitable<std::optional<Payout>> PayoutStore::open_of(UserId user) {
    co_return read_first(co_await database_.query(select_open, user));
}

asio::awaitable<bool> PayoutStore::has_open(relational::Transaction& tx, UserId user) {
    const auto rows = co_await tx.query(select_open, user);
    co_return !rows.empty();
}

asio::awaitable<std::vector<Payout>> PayoutStore::page_of(UserId user, Uuid before, std::int64_t limit) {
    co_return read_all(co_await database_.query(page_of_user, user, before, limit));
}

asio::awaitable<std::vector<Payout>> PayoutStore::oldest(Status status, Uuid after, std::int64_t limit) {
    co_return read_all(co_await database_.query(page_oldest, word(status), after, limit));
}

asio::awaitable<std::vector<Payout>> PayoutStore::newest(Status status, Uuid before, std::int64_t limit) {
    co_return read_all(co_await database_.query(page_newest, word(status), before, limit));
}

asio::awaitable<PayoutStore::Waiting> PayoutStore::waiting(Status status) {
    const auto rows = co_await database_.query(count_waiting, word(status));
    co_return Waiting{.count = rows[0].get<std::int64_t>("waiting"), .amount = rows[0].get<Money>("amount")};
}

asio::awaitable<void> PayoutStore::insert(relational::Transaction& tx, Payout payout) {
    co_await tx.query(insert_payout, payout.id, payout.user_id, payout.transaction_id, payout.amount,
                      word(payout.status), payout.created_at);
}

asio::awaitable<bool> PayoutStore::change(relational::Transaction& tx, Change change) {
    const auto changed = change.decided_by
                             ? co_await tx.query(update_decision, word(change.to), change.reason, change.now,
                                                 *change.decided_by, change.id, word(change.from))
                             : co_await tx.query(update_payout, word(change.to), change.reason, change.now,
                                                 change.id, word(change.from));
    co_return changed.affected() > 0;
}

}  // namespace spaktok::payouts
