// Indexes as they are declared, made where they are missing.
#pragma once

#include <string>

#include <mongoc/mongoc.h>

#include "engines/document/collection.h"

namespace spaktok::document::mongo {

// Several nodes may do it at once. One that changed is built anew. Throws as fail() says: DuplicateKey where
// what is stored breaks a new unique index.
void ensure_index(mongoc_client_t& client, const std::string& database, const std::string& collection,
                  const Index& index);

}  // namespace spaktok::document::mongo
