// A document as all adapters store it: what is checked, and the one form that its identifiers and times have.
#pragma once

#include <string>
#include <string_view>

#include "engines/document/collection.h"

namespace spaktok::document {

// Plain for what the shape does not name, and for everything inside a member; `_id` is always an ObjectId.
FieldType type_of(const DocumentShape& shape, std::string_view field);

// Identifiers in lower case, times in UTC with a fixed width: equal values are equal texts, and times sort as
// texts. Also inside arrays. What is no text of the type stays as it is.
void make_canonical(json::Value& value, FieldType type);

// Makes the fields of the shape canonical; checks _id, texts, nesting and size (limits.h). Returns the
// document's text.
std::string make_storable(json::Object& document, const DocumentShape& shape);

}  // namespace spaktok::document
