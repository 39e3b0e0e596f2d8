#include "app/moving/tables.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/assert.h"

namespace spaktok::moving {

namespace asio = boost::asio;
using relational::Column;
using relational::ColumnType;
using relational::Database;
using relational::Dialect;
using relational::Mode;
using relational::read_value;
using relational::Result;
using relational::Statement;
using relational::Table;
using relational::Transaction;
using relational::Value;

namespace {

constexpr double rate_scale = 10'000;

// Statements of one table. Their texts live as long as the program, as those of stores do.
struct Statements {
    std::string insert, first_page, next_page, link, first_links, next_links, any;
};

std::string numbered(std::size_t count, std::size_t first = 1) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i)
        list += fmt::format("{}${}", i == 0 ? "" : ", ", first + i);
    return list;
}

std::string names_of(const Table& table) {
    std::string list;
    for (const auto& column : table.columns)
        list += (list.empty() ? "" : ", ") + column.name;
    return list;
}

// A key of one column is compared as such: for lesser planners a row of one is no index condition.
std::string key_of(const Table& table) {
    return table.key.size() == 1 ? table.key.front() : fmt::format("({})", fmt::join(table.key, ", "));
}
std::string key_values(const Table& table, std::size_t first) {
    const auto list = numbered(table.key.size(), first);
    return table.key.size() == 1 ? list : "(" + list + ")";
}

Statements make_statements(const Table& table) {
    const auto order = fmt::format(" ORDER BY {} LIMIT ", fmt::join(table.key, ", "));
    const auto after = fmt::format("{} > {}", key_of(table), key_values(table, 1));
    const auto limit = fmt::format("${}", table.key.size() + 1);
    const auto columns = names_of(table);
    Statements made{
        .insert = fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO NOTHING", table.name,
                              columns, numbered(table.columns.size()), fmt::join(table.key, ", ")),
        .first_page = fmt::format("SELECT {} FROM {}{}$1", columns, table.name, order),
        .next_page = fmt::format("SELECT {} FROM {} WHERE {}{}{}", columns, table.name, after, order, limit),
        .link = {},
        .first_links = {},
        .next_links = {},
        .any = fmt::format("SELECT 1 AS found FROM {} LIMIT 1", table.name)};
    if (const auto own = table.own_reference()) {
        const auto select = fmt::format("SELECT {}, {} FROM {} WHERE {} IS NOT NULL",
                                        fmt::join(table.key, ", "), *own, table.name, *own);
        made.first_links = select + order + "$1";
        made.next_links = select + " AND " + after + order + limit;
        made.link = fmt::format("UPDATE {} SET {} = ${} WHERE {} = {}", table.name, *own,
                                table.key.size() + 1, key_of(table), key_values(table, 1));
    }
    return made;
}

const Statements& statements_of(const Table& table) {
    static const auto all = [] {
        std::map<std::string, Statements> made;
        for (const auto& each : relational::all_tables())
            made.emplace(each.name, make_statements(each));
        return made;
    }();
    return all.at(table.name);
}

Statement reads(const std::string& sql) {
    return {.name = "move_read", .sql = sql, .mode = Mode::read};
}
Statement writes(const std::string& sql) {
    return {.name = "move_write", .sql = sql, .mode = Mode::write};
}

// ---- values
Value typed(const Value& stored, const Column& column, Dialect dialect) {
    if (std::holds_alternative<std::monostate>(stored)) return stored;
    switch (column.type) {
        case ColumnType::text:
        case ColumnType::date:
            return read_value<std::string>(stored, column.name);
        case ColumnType::uuid:
            return read_value<Uuid>(stored, column.name);
        case ColumnType::json:
            return read_value<boost::json::value>(stored, column.name);
        case ColumnType::boolean:
            return read_value<bool>(stored, column.name);
        case ColumnType::integer:
            return read_value<std::int64_t>(stored, column.name);
        case ColumnType::money:
            return read_value<Money>(stored, column.name);
        case ColumnType::timestamp:
            return read_value<Timestamp>(stored, column.name);
        case ColumnType::rate:
            if (dialect == Dialect::sqlite) return read_value<std::int64_t>(stored, column.name);
            return std::llround(read_value<double>(stored, column.name) * rate_scale);
    }
    SPAKTOK_ASSERT(false);
}

// PostgreSQL keeps a rate as a decimal.
Value storable(const Value& value, const Column& column, Dialect dialect) {
    if (column.type != ColumnType::rate || dialect == Dialect::sqlite) return value;
    const auto* rate = std::get_if<std::int64_t>(&value);
    if (rate == nullptr) return value;
    return static_cast<double>(*rate) / rate_scale;
}

struct ToJson {
    json::Value operator()(std::monostate) const { return nullptr; }
    json::Value operator()(const json::Value& value) const { return value; }
    template <class T>
    json::Value operator()(const T& value) const {
        return json::to_value(value);
    }
};

std::vector<TableRow> typed_rows(const Result& result, const Table& table,
                                 const std::vector<std::string>& columns, Dialect dialect) {
    std::vector<TableRow> rows(result.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
        for (const auto& name : columns)
            rows[row].push_back(typed(result.at(row, name), table.column(name), dialect));
    }
    return rows;
}

std::vector<std::string> all_columns(const Table& table) {
    std::vector<std::string> names;
    names.reserve(table.columns.size());
    for (const auto& column : table.columns)
        names.push_back(column.name);
    return names;
}

// ---- pages
// Keys are identifiers, texts and dates: all of them texts in the journal.
json::Value key_in(const TableRow& row, const Table& table, const std::vector<std::string>& columns) {
    json::Array key;
    for (const auto& name : table.key) {
        const auto index = static_cast<std::size_t>(std::ranges::find(columns, name) - columns.begin());
        key.push_back(std::visit(ToJson{}, row[index]));
    }
    return key;
}

std::vector<Value> arguments_after(const json::Value& position, const Table& table) {
    std::vector<Value> key;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        const std::string text(position.at(i).as_string());
        if (table.column(table.key[i]).type == ColumnType::uuid)
            key.emplace_back(read_value<Uuid>(Value(text), table.key[i]));
        else
            key.emplace_back(text);
    }
    return key;
}

struct PageStatements {
    const std::string& first;
    const std::string& next;
};

// `after`: null for the first one.
asio::awaitable<Result> page(Database& database, const Table& table, PageStatements statements,
                             json::Value after, std::size_t rows) {
    std::vector<Value> arguments;
    if (!after.is_null()) arguments = arguments_after(after, table);
    arguments.emplace_back(static_cast<std::int64_t>(rows));
    co_return co_await database.run(reads(after.is_null() ? statements.first : statements.next),
                                    std::move(arguments));
}

using Write = asio::awaitable<void> (*)(Database&, const Table&, std::vector<TableRow>);

struct Pass {
    std::string part;  // in the journal
    PageStatements statements;
    std::vector<std::string> columns;
    Write write;
};

// Where a pass stands: {"after": the last key, "done": whether there is no more}.
asio::awaitable<void> run_pass(Database& source, Database& target, const Table& table, Pass pass,
                               Journal& journal, std::size_t batch_rows, const Progress& progress) {
    json::Value after;
    if (const auto position = journal.position(pass.part); !position.is_null()) {
        if (position.at("done").as_bool()) co_return;
        after = position.at("after");
    }
    std::int64_t copied = 0;
    for (bool done = false; !done;) {
        const auto found = co_await page(source, table, pass.statements, after, batch_rows);
        auto rows = typed_rows(found, table, pass.columns, source.dialect());
        done = rows.size() < batch_rows;
        if (!rows.empty()) {
            after = key_in(rows.back(), table, pass.columns);
            copied += static_cast<std::int64_t>(rows.size());
            co_await pass.write(target, table, std::move(rows));
        }
        progress("copying " + table.name, copied);
        journal.record(pass.part, json::Object{{"after", after}, {"done", done}});
    }
}

// Each row's values in one transaction.
asio::awaitable<void> write_rows(Database& database, const std::string& sql, std::vector<TableRow> rows) {
    const auto shared = std::make_shared<const std::vector<TableRow>>(std::move(rows));
    co_await database.transaction([&sql, shared](Transaction& tx) -> asio::awaitable<void> {
        const auto statement = writes(sql);
        for (const auto& row : *shared)
            co_await tx.run(statement, row);
    });
}

}  // namespace

asio::awaitable<void> remove_catalogue(Database& database) {
    static constexpr Statement remove{.name = "move_remove_catalogue",
                                      .sql = "DELETE FROM gifts WHERE NOT EXISTS (SELECT 1 FROM users)",
                                      .mode = Mode::write};
    co_await database.query(remove);
}

asio::awaitable<bool> is_empty(Database& database, const Table& table) {
    const auto found = co_await database.run(reads(statements_of(table).any), {});
    co_return found.empty();
}

asio::awaitable<void> insert_rows(Database& database, const Table& table, std::vector<TableRow> rows) {
    const auto own = table.own_reference();
    for (auto& row : rows) {
        SPAKTOK_ASSERT(row.size() == table.columns.size());
        for (std::size_t i = 0; i < row.size(); ++i) {
            const auto& column = table.columns[i];
            row[i] = own == column.name ? Value{} : storable(row[i], column, database.dialect());
        }
    }
    return write_rows(database, statements_of(table).insert, std::move(rows));
}

asio::awaitable<void> link_rows(Database& database, const Table& table, std::vector<TableRow> rows) {
    return write_rows(database, statements_of(table).link, std::move(rows));
}

asio::awaitable<void> copy_table(Database& source, Database& target, const Table& table, Journal& journal,
                                 std::size_t batch_rows, const Progress& progress) {
    const auto& statements = statements_of(table);
    const Pass rows{.part = "table " + table.name,
                    .statements = {.first = statements.first_page, .next = statements.next_page},
                    .columns = all_columns(table),
                    .write = insert_rows};
    co_await run_pass(source, target, table, rows, journal, batch_rows, progress);
    const auto own = table.own_reference();
    if (!own) co_return;
    auto columns = table.key;
    columns.push_back(*own);
    const Pass links{.part = "links " + table.name,
                     .statements = {.first = statements.first_links, .next = statements.next_links},
                     .columns = std::move(columns),
                     .write = link_rows};
    co_await run_pass(source, target, table, links, journal, batch_rows, progress);
}

asio::awaitable<Checksum> checksum_of(Database& database, const Table& table, std::size_t batch_rows,
                                      const Progress& progress) {
    const auto& statements = statements_of(table);
    const auto columns = all_columns(table);
    const PageStatements pages{.first = statements.first_page, .next = statements.next_page};
    Checksum sum;
    json::Value after;
    for (bool done = false; !done;) {
        const auto found = co_await page(database, table, pages, after, batch_rows);
        const auto rows = typed_rows(found, table, columns, database.dialect());
        done = rows.size() < batch_rows;
        if (!rows.empty()) after = key_in(rows.back(), table, columns);
        for (const auto& row : rows) {
            json::Array values;
            for (const auto& value : row)
                values.push_back(std::visit(ToJson{}, value));
            sum.add(canonical(values));
        }
        progress("comparing " + table.name, sum.count());
    }
    co_return sum;
}

}  // namespace spaktok::moving
