#include "engines/relational/sqlite/failure.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <sqlite3.h>

#include "engines/relational/database.h"

namespace spaktok::relational::sqlite {

namespace {

using spaktok::sqlite::Connection;
using spaktok::sqlite::Failure;
using spaktok::sqlite::Rows;

// The rows of a query with one text parameter; empty where it fails, since this only words an error.
std::vector<std::vector<std::string>> rows_of(Connection& connection, std::string_view sql,
                                              const std::string& parameter) {
    std::vector<std::vector<std::string>> read;
    try {
        Rows rows = connection.query(sql, parameter);
        while (rows.next()) {
            auto& row = read.emplace_back();
            for (int column = 0; column < rows.column_count(); ++column)
                row.emplace_back(rows.text(column));
        }
    } catch (const Failure&) {
        return {};
    }
    return read;
}

// "followers.follower_id, followers.following_id" → {"followers", {"follower_id", "following_id"}}
std::pair<std::string, std::vector<std::string>> parse_columns(std::string_view list) {
    std::string table;
    std::vector<std::string> columns;
    while (!list.empty()) {
        const auto comma = list.find(", ");
        const auto item = list.substr(0, comma);
        const auto dot = item.find('.');
        if (dot == std::string_view::npos) return {};
        table = item.substr(0, dot);
        columns.emplace_back(item.substr(dot + 1));
        list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 2);
    }
    return {table, columns};
}

// SQLite tells the columns of a UNIQUE failure, not the rule. The rule is the index over exactly these
// columns; what SQLite leaves nameless gets the name that PostgreSQL would give it.
std::string unique_name(Connection& connection, int code, std::string_view list) {
    constexpr std::string_view by_name = "index '";
    if (list.starts_with(by_name))
        return std::string(list.substr(by_name.size(), list.size() - by_name.size() - 1));
    const auto [table, columns] = parse_columns(list);
    if (code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID) return table + "_pkey";
    const auto indexes =
        rows_of(connection,
                "SELECT name, origin FROM pragma_index_list(?1) WHERE \"unique\" = 1 ORDER BY seq", table);
    for (const auto& index : indexes) {
        std::vector<std::string> indexed;
        for (const auto& row :
             rows_of(connection, "SELECT name FROM pragma_index_info(?1) ORDER BY seqno", index[0])) {
            indexed.push_back(row[0]);
        }
        if (indexed != columns) continue;
        if (index[1] == "c") return index[0];
        if (index[1] == "pk") return table + "_pkey";
        return fmt::format("{}_{}_key", table, fmt::join(columns, "_"));
    }
    return std::string(list);
}

// What follows "UNIQUE constraint failed: " in SQLite's message.
std::string_view subject(std::string_view message) {
    constexpr std::string_view marker = "constraint failed: ";
    const auto at = message.find(marker);
    return at == std::string_view::npos ? std::string_view{} : message.substr(at + marker.size());
}

}  // namespace

void throw_named(Connection& connection, const Failure& failure, std::string_view during) {
    using Kind = ConstraintViolation::Kind;
    const std::string& message = failure.detail();
    const auto violation = [&](Kind kind, std::string name) {
        return ConstraintViolation(kind, std::move(name), fmt::format("{}: {}", during, message));
    };
    if (failure.is_unique_violation())
        throw violation(Kind::unique, unique_name(connection, failure.sqlite_code(), subject(message)));
    switch (failure.sqlite_code()) {
        case SQLITE_CONSTRAINT_CHECK:
            throw violation(Kind::check, std::string(subject(message)));
        case SQLITE_CONSTRAINT_NOTNULL:
            throw violation(Kind::not_null, std::string(subject(message)));
        case SQLITE_CONSTRAINT_FOREIGNKEY:
        case SQLITE_CONSTRAINT_TRIGGER:  // ON DELETE RESTRICT; there are no triggers of our own
            throw violation(Kind::foreign_key, "");
        default:
            throw Failure(failure.sqlite_code(),
                          fmt::format("{}: {} (SQLite {})", during, message, failure.sqlite_code()));
    }
}

}  // namespace spaktok::relational::sqlite
