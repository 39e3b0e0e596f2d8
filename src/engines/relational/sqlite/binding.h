// Values on their way into and out of SQLite.
#pragma once

#include <vector>

#include <sqlite3.h>

#include "engines/relational/database.h"

namespace spaktok::relational::sqlite {

// Binds a copy. Throws Error{invalid_argument} for text with U+0000 (PostgreSQL has none either) and for a
// real that is not a finite number (SQLite would store NULL).
void bind(sqlite3_stmt* statement, int slot, const Value& value);

// The current row, as stored: text, integers, reals and NULL.
std::vector<Value> read_row(sqlite3_stmt* statement);

}  // namespace spaktok::relational::sqlite
