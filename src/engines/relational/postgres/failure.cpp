#include "engines/relational/postgres/failure.h"

#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "engines/relational/database.h"
#include "engines/relational/partitions.h"

namespace spaktok::relational::postgres {

namespace {

using Kind = ConstraintViolation::Kind;

std::string field(const PGresult* answer, int code) {
    const char* text = PQresultErrorField(answer, code);
    return text == nullptr ? "" : text;
}

// PostgreSQL's manual, appendix A.
std::optional<Kind> kind_of(std::string_view state) {
    if (state == "23505") return Kind::unique;
    if (state == "23503") return Kind::foreign_key;
    if (state == "23514") return Kind::check;
    if (state == "23502") return Kind::not_null;
    return std::nullopt;
}

// As the whole table declares it, also where one of its partitions refused.
std::string rule_of(const PGresult* answer, Kind kind) {
    const auto table = field(answer, PG_DIAG_TABLE_NAME);
    const std::string whole(whole_table(table));
    if (kind == Kind::not_null) return whole + "." + field(answer, PG_DIAG_COLUMN_NAME);
    auto constraint = field(answer, PG_DIAG_CONSTRAINT_NAME);
    if (constraint.starts_with(table)) constraint.replace(0, table.size(), whole);
    return constraint;
}

// Connection, resources, a lock that took too long, operator's intervention, system error, a standby that
// cannot write: none is about the statement.
bool is_outage(std::string_view state) {
    return state.starts_with("08") || state.starts_with("53") || state.starts_with("58") ||
           state.starts_with("57P") || state == "55P03" || state == "25006";
}

}  // namespace

TransactionConflict::TransactionConflict(std::string detail)
    : Error(ErrorCode::unavailable, "Too much happened at once. Try again.",
            {.reason = "busy", .detail = std::move(detail), .retry_after = std::chrono::seconds(1)}) {}

Error unavailable(std::string detail) {
    return Error(ErrorCode::unavailable, "The database is not available at the moment.",
                 {.detail = std::move(detail), .retry_after = std::chrono::seconds(1)});
}

std::exception_ptr failure_of(const PGresult* answer) {
    const auto state = field(answer, PG_DIAG_SQLSTATE);
    const auto detail = fmt::format("SQLSTATE {}: {}", state, field(answer, PG_DIAG_MESSAGE_PRIMARY));
    if (state == "40001" || state == "40P01") return std::make_exception_ptr(TransactionConflict(detail));
    if (const auto kind = kind_of(state)) {
        return std::make_exception_ptr(ConstraintViolation(*kind, rule_of(answer, *kind), detail));
    }
    if (state == "57014")
        return std::make_exception_ptr(
            Error(ErrorCode::deadline_exceeded, "The database took too long.", {.detail = detail}));
    if (state.empty() || is_outage(state)) return std::make_exception_ptr(unavailable(detail));
    return std::make_exception_ptr(
        Error(ErrorCode::internal, "The database refused the statement.", {.detail = detail}));
}

}  // namespace spaktok::relational::postgres
