#include "features/oversight/oversight_store.h"

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>

#include "base/assert.h"

namespace spaktok::oversight {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

#define FLAG_COLUMNS                                                                                \
    "id, kind, user_id, other_user_id, window_starts_at, gifts_count, amount, status, decided_by, " \
    "decided_at, created_at"

constexpr Statement insert_flag{
    .name = "money_flags_insert",
    .sql =
        "INSERT INTO money_flags (id, kind, user_id, other_user_id, window_starts_at, gifts_count, amount, "
        "created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING",
    .mode = Mode::write};
constexpr Statement page_of_flags{
    .name = "money_flags_page",
    .sql = "SELECT " FLAG_COLUMNS " FROM money_flags WHERE status = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    .list = true};
constexpr Statement count_flags{.name = "money_flags_count",
                                .sql = "SELECT count(*) AS n FROM money_flags WHERE status = 'open'"};
constexpr Statement select_flag{.name = "money_flags_find",
                                .sql = "SELECT " FLAG_COLUMNS " FROM money_flags WHERE id = $1",
                                .mode = Mode::point_read};
constexpr Statement dismiss_flag{
    .name = "money_flags_dismiss",
    .sql =
        "UPDATE money_flags SET status = 'dismissed', decided_by = $1, decided_at = $2, updated_at = $2 "
        "WHERE id = $3 AND status = 'open'",
    .mode = Mode::write};
constexpr Statement insert_audit{
    .name = "ledger_audits_insert",
    .sql =
        "INSERT INTO ledger_audits (id, values_count, differences_count, differences, created_at) "
        "VALUES ($1, $2, $3, $4, $5)",
    .mode = Mode::write};
constexpr Statement select_last_audit{
    .name = "ledger_audits_last",
    .sql =
        "SELECT id, values_count, differences_count, differences, created_at FROM ledger_audits "
        "ORDER BY id DESC LIMIT 1",
    .mode = Mode::point_read};

std::string word(auto value) {
    return boost::describe::enum_to_string(value, "");
}

Flag read(const relational::Row& row) {
    Flag flag{.id = row.get<FlagId>("id"),
              .user_id = row.get<UserId>("user_id"),
              .other_user_id = row.get<std::optional<UserId>>("other_user_id"),
              .window_starts_at = row.get<Timestamp>("window_starts_at"),
              .gifts_count = row.get<std::int64_t>("gifts_count"),
              .amount = row.get<Money>("amount"),
              .decided_by = row.get<std::optional<UserId>>("decided_by"),
              .decided_at = row.get<std::optional<Timestamp>>("decided_at"),
              .created_at = row.get<Timestamp>("created_at")};
    SPAKTOK_ASSERT(boost::describe::enum_from_string(row.get<std::string>("kind").c_str(), flag.kind));
    SPAKTOK_ASSERT(boost::describe::enum_from_string(row.get<std::string>("status").c_str(), flag.status));
    return flag;
}

}  // namespace

asio::awaitable<void> OversightStore::insert(std::vector<Flag> flags) {
    for (const auto& flag : flags) {
        co_await database_.query(insert_flag, flag.id, word(flag.kind), flag.user_id, flag.other_user_id,
                                 flag.window_starts_at, flag.gifts_count, flag.amount, flag.created_at);
    }
}

asio::awaitable<std::vector<Flag>> OversightStore::flags(FlagStatus status, Uuid before, std::int64_t limit) {
    std::vector<Flag> flags;
    for (const auto row : co_await database_.query(page_of_flags, word(status), before, limit))
        flags.push_back(read(row));
    co_return flags;
}

asio::awaitable<std::int64_t> OversightStore::count_open() {
    const auto rows = co_await database_.query(count_flags);
    co_return rows[0].get<std::int64_t>("n");
}

asio::awaitable<std::optional<Flag>> OversightStore::find(FlagId id) {
    const auto rows = co_await database_.query(select_flag, id);
    if (rows.empty()) co_return std::nullopt;
    co_return read(rows[0]);
}

asio::awaitable<bool> OversightStore::dismiss(relational::Transaction& tx, FlagId id, UserId actor,
                                              Timestamp now) {
    const auto changed = co_await tx.query(dismiss_flag, actor, now, id);
    co_return changed.affected() > 0;
}

asio::awaitable<void> OversightStore::insert(AuditRun run) {
    co_await database_.query(insert_audit, run.id, run.values_count, run.differences_count,
                             json::to_value(run.differences), run.created_at);
}

asio::awaitable<std::optional<AuditRun>> OversightStore::last_audit() {
    const auto rows = co_await database_.query(select_last_audit);
    if (rows.empty()) co_return std::nullopt;
    const auto row = rows[0];
    co_return AuditRun{
        .id = row.get<Uuid>("id"),
        .values_count = row.get<std::int64_t>("values_count"),
        .differences_count = row.get<std::int64_t>("differences_count"),
        .differences = json::from_value<std::vector<std::string>>(row.get<json::Value>("differences")),
        .created_at = row.get<Timestamp>("created_at")};
}

}  // namespace spaktok::oversight
