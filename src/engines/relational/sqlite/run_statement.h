// The port's statements, run on a SQLite connection.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "engines/relational/database.h"
#include "engines/sqlite/connection.h"

namespace spaktok::relational::sqlite {

using spaktok::sqlite::Connection;

// Beyond this a query is a mistake (a list without LIMIT), and it would take the memory of everyone else's.
inline constexpr std::size_t result_rows_max = 100'000;
// What an inline point read may cost its I/O thread: about a millisecond of SQLite's virtual machine. A read
// by index takes well below 1,000 operations.
inline constexpr int point_read_operations_max = 20'000;

// Throws ConstraintViolation, or an Error: unavailable, deadline_exceeded, invalid_argument (text with
// U+0000, a real that is not a number), internal (SQL that does not compile, the wrong number of parameters,
// a read that writes).
Result run_statement(Connection& connection, const Statement& statement, const std::vector<Value>& args);
// nullopt where it took more than point_read_operations_max.
std::optional<Result> run_point_read(Connection& connection, const Statement& statement,
                                     const std::vector<Value>& args);
// Statements without parameters and without a time limit; `name` is for the log.
void run_script(Connection& connection, const std::string& script, std::string_view name);

}  // namespace spaktok::relational::sqlite
