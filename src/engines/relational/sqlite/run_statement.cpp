#include "engines/relational/sqlite/run_statement.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <string_view>

#include <fmt/format.h>

#include "base/metrics.h"
#include "engines/relational/sqlite/binding.h"
#include "engines/relational/sqlite/failure.h"

namespace spaktok::relational::sqlite {

namespace {

using spaktok::sqlite::Failure;
using spaktok::sqlite::Rows;

// What is worked out about a statement once, and kept with it.
struct Description {
    std::vector<std::size_t> parameter_of_slot;  // slot i is `$parameter_of_slot[i] + 1`
    std::size_t parameters = 0;
    std::shared_ptr<const std::vector<std::string>> columns;
    metrics::Counter runs;
    metrics::Counter errors;
    metrics::Histogram seconds;
};

Error misuse(std::string_view name, const std::string& what) {
    return Error(ErrorCode::internal, "The database could not run this.",
                 {.detail = fmt::format("{}: {}", name, what)});
}

// "$3" → 2
std::size_t parameter_index(std::string_view text, std::string_view statement_name) {
    std::size_t number = 0;
    const auto [end, error] =
        std::from_chars(text.data() + (text.empty() ? 0 : 1), text.data() + text.size(), number);
    if (text.empty() || text[0] != '$' || error != std::errc{} || end != text.data() + text.size() ||
        number == 0) {
        throw misuse(statement_name, fmt::format("parameter '{}' is not $1, $2 …", text));
    }
    return number - 1;
}

std::shared_ptr<const std::vector<std::string>> column_names(const Rows& rows) {
    auto columns = std::make_shared<std::vector<std::string>>();
    for (int column = 0; column < rows.column_count(); ++column)
        columns->emplace_back(rows.column_name(column));
    return columns;
}

Description describe(const Rows& rows, std::string_view name) {
    std::vector<std::size_t> parameter_of_slot;
    std::size_t parameters = 0;
    for (int slot = 1; slot <= rows.parameter_count(); ++slot) {
        parameter_of_slot.push_back(parameter_index(rows.parameter_name(slot), name));
        parameters = std::max(parameters, parameter_of_slot.back() + 1);
    }
    const metrics::Labels labels{{"statement", std::string(name)}};
    return Description{
        .parameter_of_slot = std::move(parameter_of_slot),
        .parameters = parameters,
        .columns = column_names(rows),
        .runs = metrics::counter("spaktok_relational_statements_total", "Statements run.", labels),
        .errors =
            metrics::counter("spaktok_relational_statement_errors_total", "Statements that failed.", labels),
        .seconds = metrics::histogram("spaktok_relational_statement_seconds",
                                      "Time in the engine, without waiting for it.", labels),
    };
}

std::vector<std::vector<Value>> step(Rows& rows, Description& description, std::string_view name) {
    std::vector<std::vector<Value>> read;
    while (rows.next()) {
        if (read.size() == result_rows_max)
            throw misuse(name, fmt::format("more than {} rows", result_rows_max));
        // SQLite compiles anew after a migration, and `SELECT *` may then have other columns.
        if (read.empty() && rows.column_count() != static_cast<int>(description.columns->size()))
            description.columns = column_names(rows);
        read.push_back(read_row(rows));
    }
    return read;
}

// Throws Failure as well; the statement is reset when it does. One that `operations_max` ended is not
// counted: the slower run that follows is.
Result run_limited(Connection& connection, const Statement& statement, const std::vector<Value>& args,
                   std::optional<int> operations_max = std::nullopt) {
    Rows rows = connection.query(statement.sql);
    if (operations_max) connection.limit_operations(*operations_max);
    Description& description =
        rows.attached<Description>([&](const Rows& prepared) { return describe(prepared, statement.name); });
    if (args.size() != description.parameters) {
        throw misuse(statement.name,
                     fmt::format("{} arguments for {} parameters", args.size(), description.parameters));
    }
    const auto started = std::chrono::steady_clock::now();
    const auto count_run = [&] {
        description.runs.add();
        description.seconds.observe(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    };
    const auto changes_before = connection.total_changes();
    for (const auto parameter : description.parameter_of_slot)
        bind(rows, args[parameter]);
    try {
        auto read = step(rows, description, statement.name);
        count_run();
        // Of a statement that reads, changes() would still tell what the one before it changed.
        const bool changed = connection.total_changes() != changes_before;
        return Result(description.columns, std::move(read), changed ? connection.changes() : 0);
    } catch (const Failure& failure) {
        const bool runs_again = operations_max && failure.code() == ErrorCode::deadline_exceeded;
        if (!runs_again) {
            count_run();
            description.errors.add();
        }
        throw;
    }
}

}  // namespace

Result run_statement(Connection& connection, const Statement& statement, const std::vector<Value>& args) {
    try {
        return run_limited(connection, statement, args);
    } catch (const Failure& failure) {
        throw_named(connection, failure, statement.name);
    }
}

std::optional<Result> run_point_read(Connection& connection, const Statement& statement,
                                     const std::vector<Value>& args) {
    try {
        return run_limited(connection, statement, args, point_read_operations_max);
    } catch (const Failure& failure) {
        if (failure.code() == ErrorCode::deadline_exceeded) return std::nullopt;
        throw_named(connection, failure, statement.name);
    }
}

void run_script(Connection& connection, const std::string& script, std::string_view name) {
    try {
        connection.execute(script);
    } catch (const Failure& failure) {
        throw_named(connection, failure, name);
    }
}

}  // namespace spaktok::relational::sqlite
