#include "engines/relational/partitions.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace spaktok::relational {

namespace asio = boost::asio;

namespace {

constexpr int years_ahead = 2;
constexpr std::string_view past = "past";

constexpr Statement list_partitions{
    .name = "list_partitions",
    .sql = "",
    .postgres_sql =
        "SELECT parent.relname::text AS whole, partition.relname::text AS partition "
        "FROM pg_class parent LEFT JOIN pg_inherits ON inhparent = parent.oid "
        "LEFT JOIN pg_class partition ON partition.oid = inhrelid "
        "WHERE parent.relkind = 'p' AND parent.relnamespace = current_schema()::regnamespace ORDER BY 1, 2",
};
// Of the first table that may have partitions. Nothing but pg_class is asked, which every engine of
// PostgreSQL's protocol has.
constexpr Statement find_partitioning{
    .name = "find_partitioning",
    .sql = "",
    .postgres_sql =
        "SELECT relkind = 'p' AS partitioned FROM pg_class "
        "WHERE relname = 'streams' AND relnamespace = current_schema()::regnamespace",
};

using Partitions = std::map<std::string, std::vector<std::string>>;  // by table

asio::awaitable<Partitions> read_partitions(Database& database) {
    Partitions partitions;
    for (const auto row : co_await database.query(list_partitions)) {
        auto& names = partitions[row.get<std::string>("whole")];
        if (auto name = row.get<std::optional<std::string>>("partition")) names.push_back(std::move(*name));
    }
    co_return partitions;
}

std::optional<int> year_of(std::string_view suffix) {
    int year = 0;
    const char* const end = suffix.data() + suffix.size();
    if (suffix.size() != 4 || std::from_chars(suffix.data(), end, year).ptr != end) return std::nullopt;
    return year;
}

std::string_view suffix_of(std::string_view table) {
    return table.substr(table.rfind('_') + 1);
}

// The smallest version 7 identifier of the year (RFC 9562, section 5.7: 48 bits of Unix milliseconds first).
std::string first_id(int year) {
    const std::chrono::sys_days begin = std::chrono::year(year) / std::chrono::January / 1;
    const auto at = static_cast<std::uint64_t>(to_unix_milliseconds(Timestamp(begin)));
    return fmt::format("'{:08x}-{:04x}-0000-0000-000000000000'", at >> 16, at & 0xffff);
}

// ATTACH locks the table more mildly than CREATE … PARTITION OF: reads and writes go on.
std::string script_for(std::string_view table, std::string_view suffix, std::string_view from,
                       std::string_view to) {
    return fmt::format(
        "SET LOCAL lock_timeout = '2s'; CREATE TABLE {0}_{1} (LIKE {0} INCLUDING ALL); "
        "ALTER TABLE {0} ATTACH PARTITION {0}_{1} FOR VALUES FROM ({2}) TO ({3});",
        table, suffix, from, to);
}

// Of what is missing. A program that was off for years leaves no gap: the year after the newest comes first.
std::vector<std::string> scripts_for(const std::string& table, const std::vector<std::string>& partitions,
                                     int year) {
    std::vector<std::string> scripts;
    if (partitions.empty()) scripts.push_back(script_for(table, past, "MINVALUE", first_id(year)));
    std::optional<int> newest;
    for (const auto& partition : partitions)
        newest = std::max(newest, year_of(suffix_of(partition)));
    for (int next = newest ? *newest + 1 : year; next <= year + years_ahead; ++next)
        scripts.push_back(script_for(table, std::to_string(next), first_id(next), first_id(next + 1)));
    return scripts;
}

asio::awaitable<std::vector<std::string>> scripts_for_all(Database& database, Timestamp now) {
    const int year{std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now)).year()};
    std::vector<std::string> scripts;
    for (const auto& [table, partitions] : co_await read_partitions(database)) {
        for (auto& script : scripts_for(table, partitions, year))
            scripts.push_back(std::move(script));
    }
    co_return scripts;
}

}  // namespace

asio::awaitable<std::optional<Partitioning>> partitioning_of(Database& database) {
    if (database.dialect() == Dialect::sqlite) co_return std::nullopt;
    const auto found = co_await database.query(find_partitioning);
    if (found.empty()) co_return std::nullopt;
    co_return found[0].get<bool>("partitioned") ? Partitioning::yearly : Partitioning::none;
}

std::string without_partitions(std::string_view script) {
    constexpr std::string_view clause = " PARTITION BY RANGE (id)";
    std::string whole(script);
    for (auto at = whole.find(clause); at != std::string::npos; at = whole.find(clause, at))
        whole.erase(at, clause.size());
    return whole;
}

std::string_view whole_table(std::string_view table) {
    const auto suffix = suffix_of(table);
    if (suffix.size() == table.size() || (suffix != past && !year_of(suffix))) return table;
    return table.substr(0, table.size() - suffix.size() - 1);
}

asio::awaitable<void> make_partitions(Database& database, Timestamp now) {
    if (database.dialect() == Dialect::sqlite) co_return;
    for (const auto& script : co_await scripts_for_all(database, now)) {
        std::exception_ptr failure;
        try {
            co_await database.transaction(
                [script](Transaction& tx) -> asio::awaitable<void> { co_await tx.run_script(script); });
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure) continue;
        // Another node may have made it in the meantime.
        const auto left = co_await scripts_for_all(database, now);
        if (std::ranges::find(left, script) != left.end()) std::rethrow_exception(failure);
    }
}

}  // namespace spaktok::relational
