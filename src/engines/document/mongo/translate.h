// Documents, filters, updates and indexes as BSON. Pure, no I/O.
//
// Fields of the shape keep their types: Uuid as binary subtype 4, ObjectId, Timestamp as date; also inside
// arrays. Everything else is stored as the JSON that it is, whole numbers as int64. A null member is left
// out, since it counts as missing: so that sparse indexes, $inc and $push take it for that, too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engines/document/collection.h"
#include "engines/document/mongo/bson.h"

namespace spaktok::document::mongo {

// A TTL index removes a document this long after its moment, where the program's own sweep did not.
inline constexpr std::int32_t expiry_backstop_seconds = 24 * 60 * 60;

// Of a document that make_storable has seen. Throws Error{invalid_argument} for a whole number beyond int64.
Bson encode(const json::Object& document, const DocumentShape& shape);
// Fields of the shape that are missing come back as null. Throws Error{internal} for types that only another
// program can have written.
json::Object decode(const bson_t& document, const DocumentShape& shape);

Bson translate(const Filter& filter, const DocumentShape& shape);
Bson translate(const Update& update, const DocumentShape& shape);
Bson translate(const std::vector<Sort>& sort);

// The entries of createIndexes for a declared index: itself, and a TTL index where it asks for one and cannot
// be it.
std::vector<Bson> translate(const Index& index);

// The index that a server's message of error 11000 names; "_id" for the key.
std::string refusing_index(std::string_view message);

}  // namespace spaktok::document::mongo
