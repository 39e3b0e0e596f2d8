// Filters, orders and indexes as SQL over one table a collection: (id TEXT PRIMARY KEY, body TEXT) with the
// document as JSON. Values are always bound; names reach the SQL only after check_field_name and
// check_collection_name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engines/document/collection.h"
#include "engines/sqlite/connection.h"

namespace spaktok::document::sqlite {

using Bound = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

struct Where {
    std::string sql = "1";  // the same text for the same operators and fields, so that it is prepared once
    std::vector<Bound> values;
};

std::string table_name(std::string_view collection);
Where translate(const Filter& filter, const DocumentShape& shape);
// "" or " ORDER BY …".
std::string order_by(const std::vector<Sort>& sort);

// Index names are the database's in SQLite, so they carry their collection's.
std::string index_name(std::string_view collection, std::string_view name);
std::string create_index(std::string_view collection, const Index& index);
// The declared name of the index that refused a document: "_id" for the primary key.
std::string declared_index(std::string_view collection, const spaktok::sqlite::Failure& failure);

void bind(spaktok::sqlite::Rows& rows, const std::vector<Bound>& values);

json::Object decode(std::string_view body);

}  // namespace spaktok::document::sqlite
