#include "features/audit_log/audit_log.h"

#include "features/paging/id_pages.h"

namespace spaktok::audit_log {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

constexpr std::string_view list_name = "audit_log";

constexpr Statement insert_entry{
    .name = "audit_log_insert",
    .sql =
        "INSERT INTO audit_log (id, actor_id, action, subject_type, subject_id, details, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
    .mode = Mode::write};
constexpr Statement page_newest{
    .name = "audit_log_page",
    .sql =
        "SELECT id, actor_id, action, subject_type, subject_id, details, created_at FROM audit_log "
        "WHERE id < $1 ORDER BY id DESC LIMIT $2",
    .list = true};

}  // namespace

asio::awaitable<void> append(relational::Transaction& tx, Entry entry, Timestamp now, Random& random) {
    co_await tx.query(insert_entry, Uuid::v7(now, random), entry.actor, std::move(entry.action),
                      std::move(entry.subject_type), std::move(entry.subject_id),
                      json::Value(std::move(entry.details)), now);
}

asio::awaitable<paging::Page<Written>> list(relational::Database& database, PageRequest page) {
    const auto before = paging::id_of_cursor(list_name, page.cursor).value_or(paging::last_id);
    std::vector<Written> entries;
    for (const auto row : co_await database.query(page_newest, before, page.limit + 1)) {
        entries.push_back({.id = row.get<Uuid>("id"),
                           .actor_id = row.get<UserId>("actor_id"),
                           .action = row.get<std::string>("action"),
                           .subject_type = row.get<std::string>("subject_type"),
                           .subject_id = row.get<std::string>("subject_id"),
                           .details = row.get<json::Value>("details"),
                           .created_at = row.get<Timestamp>("created_at")});
    }
    co_return paging::page_by_id(std::move(entries), page.limit, list_name);
}

}  // namespace spaktok::audit_log
