#include "engines/relational/migrations.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>
#include <sodium.h>

#include "base/log.h"

namespace spaktok::relational {

namespace {

constexpr std::string_view create_history_sqlite = R"(
CREATE TABLE IF NOT EXISTS schema_migrations (
    number INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- SHA-256 of the migration's text: a database and a program that disagree about the past must not meet.
    checksum TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
) STRICT;)";
constexpr std::string_view create_history_postgres = R"(
CREATE TABLE IF NOT EXISTS schema_migrations (
    number INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    -- SHA-256 of the migration's text: a database and a program that disagree about the past must not meet.
    checksum VARCHAR(64) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now())
);)";

constexpr Statement history_exists{
    .name = "migration_history_exists",
    .sql = "SELECT count(*) AS found FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'",
    .postgres_sql =
        "SELECT count(*) AS found FROM pg_tables WHERE schemaname = current_schema() "
        "AND tablename = 'schema_migrations'",
};
constexpr Statement list_history{
    .name = "list_migrations",
    .sql = "SELECT number, name, checksum FROM schema_migrations ORDER BY number",
};
// The primary key is the lock: a second node that applies the same migration waits here for the first one's
// commit.
constexpr Statement claim_migration{
    .name = "claim_migration",
    .sql =
        "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3) "
        "ON CONFLICT (number) DO NOTHING RETURNING number",
    .mode = Mode::write,
};

std::string_view text_for(const Migration& migration, Dialect dialect) {
    return dialect == Dialect::sqlite ? migration.sqlite : migration.postgres;
}

std::string checksum(std::string_view text) {
    std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return fmt::format("{:02x}", fmt::join(digest, ""));
}

[[noreturn]] void refuse(std::string message, std::string detail) {
    throw Error(ErrorCode::conflict, std::move(message),
                {.field = "relational", .detail = std::move(detail)});
}

void check_applied(const Row& row, std::span<const Migration> known, Dialect dialect) {
    const auto number = row.get<int>("number");
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const auto& m) { return m.number == number; });
    if (found == known.end()) {
        refuse("The database is newer than this program.",
               fmt::format("it has migration {} ({})", number, row.get<std::string>("name")));
    }
    if (row.get<std::string>("checksum") != checksum(text_for(*found, dialect))) {
        refuse("The database was made by a different version of this program's migrations.",
               fmt::format("migration {} ({}) has another checksum", number, found->name));
    }
}

boost::asio::awaitable<bool> has_history(Database& database) {
    const auto exists = co_await database.query(history_exists);
    co_return exists[0].get<std::int64_t>("found") > 0;
}

boost::asio::awaitable<void> create_history(Database& database) {
    const auto text = database.dialect() == Dialect::sqlite ? create_history_sqlite : create_history_postgres;
    std::exception_ptr failure;
    try {
        co_await database.transaction([text](Transaction& tx) -> boost::asio::awaitable<void> {
            co_await tx.run_script(std::string(text));
        });
    } catch (...) {
        failure = std::current_exception();
    }
    // PostgreSQL's IF NOT EXISTS fails where another session makes the same table at the same moment.
    if (failure && !co_await has_history(database)) std::rethrow_exception(failure);
}

// True where this caller applied it, false where another one had. The checksum is that of the text as it is
// kept, so that the history does not depend on the partitioning.
boost::asio::awaitable<bool> apply(Database& database, const Migration& migration,
                                   Partitioning partitioning) {
    const auto text = text_for(migration, database.dialect());
    const auto script = partitioning == Partitioning::none ? without_partitions(text) : std::string(text);
    co_return co_await database.transaction(
        [&migration, text, script](Transaction& tx) -> boost::asio::awaitable<bool> {
            const auto claimed =
                co_await tx.query(claim_migration, migration.number, migration.name, checksum(text));
            if (claimed.empty()) co_return false;
            co_await tx.run_script(script);
            co_return true;
        });
}

boost::asio::awaitable<MigrationPlan> migrate(Database& database, std::span<const Migration> known,
                                              Partitioning partitioning) {
    const auto plan = co_await plan_migrations(database, known);
    if (plan.pending.empty()) co_return plan;
    co_await create_history(database);
    for (const auto& migration : known) {
        if (std::find(plan.pending.begin(), plan.pending.end(), migration.number) == plan.pending.end())
            continue;
        if (co_await apply(database, migration, partitioning)) {
            log::info("migration applied", {{"number", migration.number}, {"name", migration.name}});
        }
    }
    // Read again: it also finds a different program that migrated the same database at the same time.
    co_return co_await plan_migrations(database, known);
}

}  // namespace

boost::asio::awaitable<MigrationPlan> plan_migrations(Database& database) {
    return plan_migrations(database, all_migrations());
}

boost::asio::awaitable<MigrationPlan> migrate(Database& database, Timestamp now, Partitioning wanted) {
    const auto made = co_await partitioning_of(database);
    if (made && *made != wanted) {
        log::warning("relational_partitions is not followed: it counts only while the tables are made",
                     {{"partitions", *made == Partitioning::yearly}});
    }
    auto plan = co_await migrate(database, all_migrations(), made.value_or(wanted));
    co_await make_partitions(database, now);
    co_return plan;
}

boost::asio::awaitable<MigrationPlan> plan_migrations(Database& database, std::span<const Migration> known) {
    MigrationPlan plan;
    if (co_await has_history(database)) {
        const auto history = co_await database.query(list_history);
        for (const auto row : history) {
            check_applied(row, known, database.dialect());
            plan.applied.push_back(row.get<int>("number"));
        }
    }
    for (const auto& migration : known) {
        if (std::find(plan.applied.begin(), plan.applied.end(), migration.number) == plan.applied.end()) {
            plan.pending.push_back(migration.number);
        }
    }
    co_return plan;
}

boost::asio::awaitable<MigrationPlan> migrate(Database& database, std::span<const Migration> known) {
    return migrate(database, known, Partitioning::yearly);
}

}  // namespace spaktok::relational
