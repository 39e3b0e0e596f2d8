// C++ values as the text of PostgreSQL's parameters, and its answers as values.
#pragma once

#include <optional>
#include <string>

#include <libpq-fe.h>

#include "engines/relational/database.h"

namespace spaktok::relational::postgres {

// The parameter's text, or nullopt for NULL. `type`: what the server takes the parameter for; a Money is
// decimal text to a NUMERIC, minor units to anything else. Throws Error{invalid_argument} for a number that
// is none and for text with U+0000.
std::optional<std::string> encode(const Value& value, Oid type);

// The rows of an answer in text format. Times must be in UTC (the session's setting).
Result decode(const PGresult* answer);

}  // namespace spaktok::relational::postgres
