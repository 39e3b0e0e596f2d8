#include "engines/relational/sqlite/failure.h"

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engines/relational/database.h"

namespace spaktok::relational::sqlite {

namespace {

struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

std::string text_at(sqlite3_stmt* statement, int column) {
    const auto* text = sqlite3_column_text(statement, column);
    return text == nullptr ? std::string{} : reinterpret_cast<const char*>(text);
}

// The rows of a query with one text parameter; empty where it fails, since this only words an error.
std::vector<std::vector<std::string>> rows_of(sqlite3* connection, const char* sql,
                                              const std::string& parameter) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(connection, sql, -1, &raw, nullptr) != SQLITE_OK) return {};
    const std::unique_ptr<sqlite3_stmt, Finalize> statement(raw);
    sqlite3_bind_text(raw, 1, parameter.c_str(), -1, SQLITE_TRANSIENT);
    std::vector<std::vector<std::string>> rows;
    while (sqlite3_step(raw) == SQLITE_ROW) {
        auto& row = rows.emplace_back();
        for (int column = 0; column < sqlite3_column_count(raw); ++column)
            row.push_back(text_at(raw, column));
    }
    return rows;
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
std::string unique_name(sqlite3* connection, int code, std::string_view list) {
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

Error environment(int code, std::string_view message, std::string_view during) {
    const auto detail = fmt::format("{}: {} (SQLite {})", during, message, code);
    switch (code & 0xff) {
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_CANTOPEN:
        case SQLITE_NOMEM:
        case SQLITE_PROTOCOL:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Error(ErrorCode::unavailable, "The database is not available at the moment.",
                         {.detail = detail, .retry_after = std::chrono::seconds{1}});
        case SQLITE_INTERRUPT:
            return Error(ErrorCode::deadline_exceeded, "The database took too long.",
                         {.detail = detail, .retry_after = std::chrono::seconds{1}});
        case SQLITE_TOOBIG:
            return Error(ErrorCode::payload_too_large, "This is too large to be stored.", {.detail = detail});
        default:
            return Error(ErrorCode::internal, "The database could not run this.", {.detail = detail});
    }
}

}  // namespace

std::exception_ptr failure(sqlite3* connection, int code, std::string_view message, std::string_view during) {
    using Kind = ConstraintViolation::Kind;
    const auto violation = [&](Kind kind, std::string name) {
        return std::make_exception_ptr(
            ConstraintViolation(kind, std::move(name), fmt::format("{}: {}", during, message)));
    };
    switch (code) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
            return violation(Kind::unique, unique_name(connection, code, subject(message)));
        case SQLITE_CONSTRAINT_CHECK:
            return violation(Kind::check, std::string(subject(message)));
        case SQLITE_CONSTRAINT_NOTNULL:
            return violation(Kind::not_null, std::string(subject(message)));
        case SQLITE_CONSTRAINT_FOREIGNKEY:
            return violation(Kind::foreign_key, "");
        default:
            return std::make_exception_ptr(environment(code, message, during));
    }
}

}  // namespace spaktok::relational::sqlite
