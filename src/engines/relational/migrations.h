// The schema's history: numbered migrations with checksums, each in one transaction.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "engines/relational/partitions.h"

namespace spaktok::relational {

struct Migration {
    int number;               // 1, 2, 3 … without gaps
    std::string_view name;    // "accounts", "streams"
    std::string_view sqlite;  // statements separated by ';'
    std::string_view postgres;
};

// All migrations of the program, in order. Compiled in from migrations/*.sql.
std::span<const Migration> all_migrations();

struct MigrationPlan {
    std::vector<int> applied;
    std::vector<int> pending;
};
// Throws Error{conflict} where an applied migration's checksum differs from the program's, or where the
// database knows a migration that this program does not (it is older than its data).
boost::asio::awaitable<MigrationPlan> plan_migrations(Database& database);
// Applies what is pending, each in a transaction of its own that takes a lock so that two nodes may start at
// once, and makes the partitions of the years from `now` on (partitions.h). `wanted` decides where the tables
// are made; where they were made otherwise, it stays as it is, with a warning. Returns the plan as it is
// afterwards: nothing is pending.
boost::asio::awaitable<MigrationPlan> migrate(Database& database, Timestamp now,
                                              Partitioning wanted = Partitioning::yearly);

// The same for a history of the caller's own, whose scripts are run as they are.
boost::asio::awaitable<MigrationPlan> plan_migrations(Database& database, std::span<const Migration> known);
boost::asio::awaitable<MigrationPlan> migrate(Database& database, std::span<const Migration> known);

}  // namespace spaktok::relational
