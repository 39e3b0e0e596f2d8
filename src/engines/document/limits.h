// What every adapter of the document port refuses, so that a store that works on one works on all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engines/document/collection.h"

namespace spaktok::document {

// A document is written anew as a whole by each update: what grows belongs in edge documents. (MongoDB's own
// limit is 16 MiB.)
inline constexpr std::size_t document_bytes_max = 1024 * 1024;
// Objects and arrays inside one another, the document being the first.
inline constexpr std::size_t depth_max = 32;
inline constexpr std::size_t insert_many_max = 1'000;
inline constexpr std::int64_t find_limit_max = 10'000;
inline constexpr std::size_t conditions_max = 32;
inline constexpr std::size_t in_values_max = 1'000;
inline constexpr std::size_t changes_max = 64;
inline constexpr std::size_t sort_fields_max = 4;
inline constexpr std::size_t field_name_max = 100;
inline constexpr std::size_t collection_name_max = 60;
inline constexpr std::int64_t push_slice_max = 10'000;

// Each throws Error{invalid_argument}.
// Collections: [a-z_][a-z0-9_]*. Fields: such words joined by dots.
void check_collection_name(std::string_view name);
void check_field_name(std::string_view name);
void check_index(const Index& index);
void check_filter(const Filter& filter);
void check_find_options(const FindOptions& options);
// Also: no change of _id, no field twice or inside another.
void check_update(const Update& update);

// Texts are UTF-8 without U+0000, numbers finite, and nothing nested too deeply; `depth` objects and arrays
// are around the value.
void check_value(const json::Value& value, std::size_t depth);
void check_value(const json::Object& object, std::size_t depth);

}  // namespace spaktok::document
