#include "engines/relational/derived.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "engines/relational/schema.h"

namespace spaktok::relational {

namespace asio = boost::asio;

namespace {

constexpr std::int64_t page_rows = 500;

DerivedColumn make(const Table& table, const DerivedCount& derived) {
    SPAKTOK_ASSERT(table.key == std::vector<std::string>{"id"});
    const auto counted = fmt::format("(SELECT count(*) FROM {} WHERE {} = {}.id{}{})", derived.counted_table,
                                     derived.counted_reference, table.name,
                                     derived.condition.empty() ? "" : " AND ", derived.condition);
    return {.table = table.name,
            .column = derived.column,
            .compare_sql = fmt::format(
                "SELECT id, {} AS stored, {} AS counted FROM {} WHERE id > $1 ORDER BY id LIMIT $2",
                derived.column, counted, table.name),
            .touch_sql = fmt::format("UPDATE {0} SET {1} = {1} WHERE id = $1", table.name, derived.column),
            .recount_sql =
                fmt::format("UPDATE {} SET {} = {} WHERE id = $1", table.name, derived.column, counted)};
}

}  // namespace

std::span<const DerivedColumn> derived_columns() {
    static const auto columns = [] {
        std::vector<DerivedColumn> made;
        for (const auto& table : all_tables())
            for (const auto& derived : table.derived)
                made.push_back(make(table, derived));
        return made;
    }();
    return columns;
}

asio::awaitable<ComparedCounts> compare_counts(Database& database, const DerivedColumn& column,
                                               std::optional<Uuid> after) {
    const Statement compare{.name = "compare_counts", .sql = column.compare_sql};
    const auto rows = co_await database.query(compare, after.value_or(Uuid{}), page_rows);
    ComparedCounts compared{.wrong = {}, .rows = rows.size(), .last = {}};
    for (const auto row : rows) {
        const WrongCount count{.id = row.get<Uuid>("id"),
                               .stored = row.get<std::int64_t>("stored"),
                               .counted = row.get<std::int64_t>("counted")};
        if (count.stored != count.counted) compared.wrong.push_back(count);
        compared.last = count.id;
    }
    if (compared.rows < static_cast<std::size_t>(page_rows)) compared.last.reset();
    co_return compared;
}

asio::awaitable<void> recount(Database& database, const DerivedColumn& column, Uuid id) {
    // Whoever adds a row that is counted changes the count in the same transaction: with the row locked
    // first, the count sees either both or neither.
    const Statement touch{.name = "touch_count", .sql = column.touch_sql, .mode = Mode::write};
    const Statement count{.name = "recount", .sql = column.recount_sql, .mode = Mode::write};
    co_await database.transaction([touch, count, id](Transaction& tx) -> asio::awaitable<void> {
        co_await tx.query(touch, id);
        co_await tx.query(count, id);
    });
}

}  // namespace spaktok::relational
