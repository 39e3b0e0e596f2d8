// Columns that count rows of other tables (`derived` in migrations/schema.txt): compared with what they
// should be, and set right.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/uuid.h"
#include "engines/relational/database.h"

namespace spaktok::relational {

// One such column with its statements.
struct DerivedColumn {
    std::string table;
    std::string column;
    std::string compare_sql;
    std::string touch_sql;
    std::string recount_sql;
};
std::span<const DerivedColumn> derived_columns();

struct WrongCount {
    Uuid id;
    std::int64_t stored = 0;
    std::int64_t counted = 0;
};
struct ComparedCounts {
    std::vector<WrongCount> wrong;
    std::size_t rows = 0;
    std::optional<Uuid> last;  // where the next page begins; nullopt behind the last row
};
// A page of the table's rows by id, those after the given one. A row is read together with what it counts, so
// that other nodes may write meanwhile.
boost::asio::awaitable<ComparedCounts> compare_counts(Database& database, const DerivedColumn& column,
                                                      std::optional<Uuid> after);

// Counts again and stores it.
boost::asio::awaitable<void> recount(Database& database, const DerivedColumn& column, Uuid id);

}  // namespace spaktok::relational
