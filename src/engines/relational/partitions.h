// Yearly partitions of the tables that PostgreSQL keeps by the time in their ids: posts and streams.
// Distributed engines that speak its protocol split tables by themselves and may know no partitions: there
// they are left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "base/timestamp.h"
#include "engines/relational/database.h"

namespace spaktok::relational {

enum class Partitioning { yearly, none };

// How the tables were made, which is never changed; nullopt where they are not there yet, and on SQLite,
// which has none.
boost::asio::awaitable<std::optional<Partitioning>> partitioning_of(Database& database);

// A migration's script that makes whole tables instead of partitioned ones.
std::string without_partitions(std::string_view script);

// Makes those that are missing from `now`'s year to two years ahead; the first time also one for everything
// before. There is none for what comes later than that: it would have to be emptied before the next year's
// could be attached. Does nothing on SQLite and for tables that are not partitioned. Safe on several nodes at
// once. Throws Error{unavailable} where a busy table could not be locked within two seconds.
boost::asio::awaitable<void> make_partitions(Database& database, Timestamp now);

// The table that a partition belongs to ("streams_2026", "streams_past" → "streams"); any other as it is.
std::string_view whole_table(std::string_view table);

}  // namespace spaktok::relational
