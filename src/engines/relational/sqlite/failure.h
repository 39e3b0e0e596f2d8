// SQLite's error codes in the program's words.
#pragma once

#include <exception>
#include <string_view>

#include <sqlite3.h>

namespace spaktok::relational::sqlite {

// What went wrong last on `connection`: a ConstraintViolation with the rule's declared name, or a base Error.
// Reads the schema to name a rule, so the statement that failed must have been reset. `during` is the
// statement's name, for the log.
std::exception_ptr failure(sqlite3* connection, int extended_code, std::string_view message,
                           std::string_view during);

}  // namespace spaktok::relational::sqlite
