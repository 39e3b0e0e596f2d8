// SQLite's refusals in the port's words.
#pragma once

#include <string_view>

#include "engines/sqlite/connection.h"

namespace spaktok::relational::sqlite {

// Throws a ConstraintViolation with the rule's declared name, or the failure with `during` (the statement's
// name) in its detail. Reads the schema to name a rule, so the statement that failed must have been reset.
[[noreturn]] void throw_named(spaktok::sqlite::Connection& connection,
                              const spaktok::sqlite::Failure& failure, std::string_view during);

}  // namespace spaktok::relational::sqlite
