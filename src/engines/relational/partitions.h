// Yearly partitions of the tables that PostgreSQL keeps by the time in their ids: posts and streams.
#pragma once

#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "base/timestamp.h"
#include "engines/relational/database.h"

namespace spaktok::relational {

// Makes those that are missing from `now`'s year to two years ahead; the first time also one for everything
// before. There is none for what comes later than that: it would have to be emptied before the next year's
// could be attached. Does nothing on SQLite and for tables that are not partitioned. Safe on several nodes at
// once. Throws Error{unavailable} where a busy table could not be locked within two seconds.
boost::asio::awaitable<void> make_partitions(Database& database, Timestamp now);

// The table that a partition belongs to ("streams_2026", "streams_past" → "streams"); any other as it is.
std::string_view whole_table(std::string_view table);

}  // namespace spaktok::relational
