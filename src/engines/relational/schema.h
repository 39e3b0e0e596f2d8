// The tables that the migrations make, by their columns, keys and references: read from
// migrations/schema.txt, which is compiled in. For whatever treats all tables alike.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spaktok::relational {

// As C++ values: text, uuid and json as their own, `rate` in ten-thousandths.
enum class ColumnType { text, uuid, json, boolean, integer, money, rate, timestamp, date };

struct Column {
    std::string name;
    ColumnType type;
    bool required = false;
};
struct Reference {
    std::string column;
    std::string table;
};
// A column whose value is how many rows of another table refer to its row.
struct DerivedCount {
    std::string column;
    std::string counted_table;
    std::string counted_reference;  // that table's column
    std::string condition{};        // SQL: which of those rows; empty: all
};
struct Table {
    std::string name;
    std::vector<Column> columns;
    std::vector<std::string> key;  // the primary one
    std::vector<Reference> references;
    std::vector<DerivedCount> derived{};

    const Column& column(std::string_view named) const;
    // The column that refers to a row of this same table.
    std::optional<std::string> own_reference() const;
};

// Each stands behind those it refers to.
std::span<const Table> all_tables();

// migrations/schema.txt, as it was compiled in.
std::string_view schema_text();

// Of a text in the form of schema.txt. Asserts that it is in that form, as the text is the program's own.
std::vector<Table> read_schema(std::string_view text);

}  // namespace spaktok::relational
