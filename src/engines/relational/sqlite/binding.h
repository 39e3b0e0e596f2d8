// Values on their way into and out of SQLite.
#pragma once

#include <vector>

#include "engines/relational/database.h"
#include "engines/sqlite/connection.h"

namespace spaktok::relational::sqlite {

// Binds a copy as the next parameter. Throws Error{invalid_argument} for text with U+0000 (PostgreSQL has
// none either) and for a real that is not a finite number (SQLite would store NULL).
void bind(spaktok::sqlite::Rows& rows, const Value& value);

// The current row, as stored: text, integers, reals and NULL.
std::vector<Value> read_row(const spaktok::sqlite::Rows& rows);

}  // namespace spaktok::relational::sqlite
