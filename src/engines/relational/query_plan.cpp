#include "engines/relational/query_plan.h"

namespace spaktok::relational {

namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// https://www.sqlite.org/eqp.html: SCAN is a table's every row, unless an index or a list in memory is
// walked.
bool unserved_by_sqlite(std::string_view step) {
    if (contains(step, "USE TEMP B-TREE")) return true;
    return step.starts_with("SCAN ") && !contains(step, " USING ") && !contains(step, "VIRTUAL TABLE") &&
           !contains(step, "CONSTANT ROW");
}

bool unserved_by_postgres(std::string_view step) {
    return contains(step, "Seq Scan") || contains(step, "Sort  (");
}

// Tables of tests are small enough to be scanned and sorted: what is left with that made dear has no index.
constexpr std::string_view prefer_indexes =
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off";

boost::asio::awaitable<Result> explain(Database& database, Statement statement, std::vector<Value> args) {
    if (database.dialect() == Dialect::sqlite) co_return co_await database.run(statement, std::move(args));
    co_return co_await database.transaction(
        [statement, args](Transaction& tx) -> boost::asio::awaitable<Result> {
            co_await tx.run_script(std::string(prefer_indexes));
            co_return co_await tx.run(statement, args);
        });
}

}  // namespace

boost::asio::awaitable<std::vector<std::string>> steps_without_index(Database& database, Statement statement,
                                                                     std::vector<Value> args) {
    const bool is_sqlite = database.dialect() == Dialect::sqlite;
    const bool own_text = !is_sqlite && !statement.postgres_sql.empty();
    const auto sql = std::string(is_sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN ") +
                     std::string(own_text ? statement.postgres_sql : statement.sql);
    const auto plan = co_await explain(database, Statement{.name = "explain", .sql = sql}, std::move(args));
    std::vector<std::string> steps;
    for (const auto row : plan) {
        auto step = row.get<std::string>(is_sqlite ? "detail" : "QUERY PLAN");
        if (is_sqlite ? unserved_by_sqlite(step) : unserved_by_postgres(step))
            steps.push_back(std::move(step));
    }
    co_return steps;
}

}  // namespace spaktok::relational
