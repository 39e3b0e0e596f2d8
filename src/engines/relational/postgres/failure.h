// What PostgreSQL refused, as the port's errors. Constraint names and SQLSTATE decide, never message texts.
#pragma once

#include <exception>
#include <string>

#include <libpq-fe.h>

#include "base/error.h"

namespace spaktok::relational::postgres {

// 40001 or 40P01: the same transaction may succeed when it runs again.
class TransactionConflict : public Error {
  public:
    explicit TransactionConflict(std::string detail);
};

// The server could not be reached, or the session with it ended: what was under way happened or not.
Error unavailable(std::string detail);

std::exception_ptr failure_of(const PGresult* answer);

}  // namespace spaktok::relational::postgres
