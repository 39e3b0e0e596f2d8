// The relational part: every table of the schema, in its order, in batches by primary key.
#pragma once

#include <cstddef>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "app/moving/checksum.h"
#include "app/moving/journal.h"
#include "engines/relational/database.h"
#include "engines/relational/schema.h"

namespace spaktok::moving {

// One value a column, in the table's order, as `Column::type` says; NULL: std::monostate. A rate is an
// integer.
using TableRow = std::vector<relational::Value>;

boost::asio::awaitable<bool> is_empty(relational::Database& database, const relational::Table& table);

// The gifts that the migrations brought, where nobody lives yet: a place that is copied has its own.
boost::asio::awaitable<void> remove_catalogue(relational::Database& database);

// In one transaction; a row whose key is there already is left as it is there. Without the column that refers
// to the same table. Throws what the port does.
boost::asio::awaitable<void> insert_rows(relational::Database& database, const relational::Table& table,
                                         std::vector<TableRow> rows);
// Fills that column: the key and the value of each row.
boost::asio::awaitable<void> link_rows(relational::Database& database, const relational::Table& table,
                                       std::vector<TableRow> rows);

// Goes on where the journal says. Throws what the ports do.
boost::asio::awaitable<void> copy_table(relational::Database& source, relational::Database& target,
                                        const relational::Table& table, Journal& journal,
                                        std::size_t batch_rows, const Progress& progress);

boost::asio::awaitable<Checksum> checksum_of(relational::Database& database, const relational::Table& table,
                                             std::size_t batch_rows, const Progress& progress);

}  // namespace spaktok::moving
