// Updates applied to a JSON document: what an adapter does whose engine has no update operators. Pure, no
// I/O.
#pragma once

#include "base/json.h"
#include "engines/document/collection.h"

namespace spaktok::document {

// `value` as it stands in a document's JSON: identifiers and times as their canonical strings.
json::Value to_json(const Value& value);

// Applies all changes or, where one cannot be applied (a word is not a number, an inner field of something
// that is no object), throws Error{invalid_argument}. A field that is null counts as missing. The semantics
// are MongoDB's: set creates the objects on its way; increment, push, add_to_set and max begin a missing
// field; unset and pull leave it missing.
json::Object apply(json::Object document, const Update& update);

// The document that an upsert begins with: the equal conditions of the filter.
json::Object from_equal_conditions(const Filter& filter);

}  // namespace spaktok::document
