#include "engines/relational/database.h"

#include <algorithm>
#include <limits>

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "engines/relational/postgres/postgres_database.h"
#include "engines/relational/sqlite/sqlite_database.h"

namespace spaktok::relational {

namespace {

// Reading a column as what it does not hold is a bug of the query or of the reader: the message names the
// column.
[[noreturn]] void cannot_read(std::string_view column, std::string_view as) {
    throw Error(ErrorCode::internal, "The stored data could not be read.",
                {.detail = fmt::format("column {} cannot be read as {}", column, as)});
}

std::string_view word(ConstraintViolation::Kind kind) {
    switch (kind) {
        case ConstraintViolation::Kind::unique:
            return "unique";
        case ConstraintViolation::Kind::foreign_key:
            return "foreign key";
        case ConstraintViolation::Kind::check:
            return "check";
        case ConstraintViolation::Kind::not_null:
            return "not null";
    }
    return "unknown";
}

ErrorCode code_of(ConstraintViolation::Kind kind) {
    // Two callers may race for a name or for a row that the other deletes; the rest is a caller that did not
    // validate.
    const bool race =
        kind == ConstraintViolation::Kind::unique || kind == ConstraintViolation::Kind::foreign_key;
    return race ? ErrorCode::conflict : ErrorCode::internal;
}

}  // namespace

ConstraintViolation::ConstraintViolation(Kind kind, std::string constraint, std::string detail)
    : Error(code_of(kind), "The change breaks a rule of the stored data.",
            {.detail = fmt::format("{} constraint '{}': {}", word(kind), constraint, detail)}),
      kind_(kind),
      constraint_(std::move(constraint)) {}

const Value& Result::at(std::size_t row, std::string_view column) const {
    SPAKTOK_ASSERT(row < rows_.size());
    const auto found = std::find(columns_->begin(), columns_->end(), column);
    if (found == columns_->end()) cannot_read(column, "anything: the query has no such column");
    return rows_[row][static_cast<std::size_t>(found - columns_->begin())];
}

template <>
std::int64_t read_value<std::int64_t>(const Value& value, std::string_view column) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
    cannot_read(column, "integer");
}

template <>
bool read_value<bool>(const Value& value, std::string_view column) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number != 0;
    cannot_read(column, "boolean");
}

template <>
int read_value<int>(const Value& value, std::string_view column) {
    const auto number = read_value<std::int64_t>(value, column);
    if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
        cannot_read(column, "integer of 32 bits");
    }
    return static_cast<int>(number);
}

template <>
double read_value<double>(const Value& value, std::string_view column) {
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
    cannot_read(column, "real");
}

template <>
std::string read_value<std::string>(const Value& value, std::string_view column) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* id = std::get_if<Uuid>(&value)) return id->to_string();
    cannot_read(column, "text");
}

template <>
Uuid read_value<Uuid>(const Value& value, std::string_view column) {
    if (const auto* id = std::get_if<Uuid>(&value)) return *id;
    if (const auto* text = std::get_if<std::string>(&value)) {
        if (const auto id = Uuid::parse(*text)) return *id;
    }
    cannot_read(column, "UUID");
}

template <>
Timestamp read_value<Timestamp>(const Value& value, std::string_view column) {
    if (const auto* at = std::get_if<Timestamp>(&value)) return *at;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return from_unix_milliseconds(*number);
    cannot_read(column, "time");
}

template <>
Money read_value<Money>(const Value& value, std::string_view column) {
    if (const auto* money = std::get_if<Money>(&value)) return *money;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return Money::from_minor(*number);
    cannot_read(column, "money");
}

template <>
boost::json::value read_value<boost::json::value>(const Value& value, std::string_view column) {
    if (const auto* document = std::get_if<boost::json::value>(&value)) return *document;
    if (const auto* text = std::get_if<std::string>(&value)) {
        boost::system::error_code error;
        auto parsed = boost::json::parse(*text, error);
        if (!error) return parsed;
    }
    cannot_read(column, "JSON");
}

std::unique_ptr<Database> open(const std::string& url, OpenOptions options) {
    constexpr std::string_view sqlite = "sqlite:";
    if (url.starts_with(sqlite) && url.size() > sqlite.size()) {
        return std::make_unique<sqlite::SqliteDatabase>(url.substr(sqlite.size()), options);
    }
    if (url.starts_with("postgres://") || url.starts_with("postgresql://"))
        return std::make_unique<postgres::PostgresDatabase>(
            url, postgres::PostgresDatabase::Options{.replicas = {.urls = std::move(options.replicas)}});
    throw Error(ErrorCode::invalid_argument, "The relational engine must be sqlite:FILE or postgres://….",
                {.field = "relational", .detail = url.substr(0, url.find(':'))});
}

}  // namespace spaktok::relational
