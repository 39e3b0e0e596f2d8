// What MongoDB refused, as the port's errors. Codes decide, never message texts; only the name of a unique
// index is read from a message, as every version has it there.
#pragma once

#include <string>

#include <mongoc/mongoc.h>

#include "base/error.h"

namespace spaktok::document::mongo {

// The driver found no server that takes requests; nothing was sent. (A connection that ended under a request
// is a plain Error{unavailable}: it happened or not, and the next one may find the server again.)
class ServerGone : public Error {
  public:
    explicit ServerGone(std::string detail);
};

Error unavailable(std::string detail);

// Throws what the error means. `reply` is the command's answer where there is one: a write that was done but
// not confirmed by a majority in time is Error{unavailable}.
[[noreturn]] void fail(const bson_error_t& error);
void check_confirmed(const bson_t& reply);

// 11000, where a unique index refuses a document.
bool is_duplicate(std::int64_t code);

}  // namespace spaktok::document::mongo
