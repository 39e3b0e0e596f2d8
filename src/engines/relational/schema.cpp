#include "engines/relational/schema.h"

#include <algorithm>

#include "base/assert.h"

namespace spaktok::relational {

namespace {

// The text up to the separator, which goes with it.
std::string_view take_until(std::string_view& text, char separator) {
    const auto end = std::min(text.find(separator), text.size());
    const auto taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
}

ColumnType type_named(std::string_view name) {
    if (name == "uuid") return ColumnType::uuid;
    if (name == "jsonb") return ColumnType::json;
    if (name == "boolean") return ColumnType::boolean;
    if (name == "smallint" || name == "integer" || name == "bigint") return ColumnType::integer;
    if (name == "numeric(10,2)") return ColumnType::money;
    if (name == "numeric(10,4)") return ColumnType::rate;
    if (name == "timestamp") return ColumnType::timestamp;
    if (name == "date") return ColumnType::date;
    SPAKTOK_ASSERT(name == "text" || name.starts_with("varchar("));
    return ColumnType::text;
}

Column read_column(std::string_view text) {
    const auto name = take_until(text, ' ');
    const auto type = take_until(text, ' ');
    return {.name = std::string(name), .type = type_named(type), .required = text.starts_with("not null")};
}

// "(follower_id, following_id)"
std::vector<std::string> read_key(std::string_view text) {
    SPAKTOK_ASSERT(text.starts_with('(') && text.ends_with(')'));
    text = text.substr(1, text.size() - 2);
    std::vector<std::string> key;
    while (!text.empty()) {
        auto name = take_until(text, ',');
        if (name.starts_with(' ')) name.remove_prefix(1);
        key.emplace_back(name);
    }
    return key;
}

// "likes_count count likes.post_id", "upvotes count suggestion_votes.suggestion_id where value = 1"
DerivedCount read_derived(std::string_view text) {
    const auto column = take_until(text, ' ');
    SPAKTOK_ASSERT(take_until(text, ' ') == "count");
    const auto table = take_until(text, '.');
    const auto reference = take_until(text, ' ');
    SPAKTOK_ASSERT(text.empty() || take_until(text, ' ') == "where");
    return {.column = std::string(column),
            .counted_table = std::string(table),
            .counted_reference = std::string(reference),
            .condition = std::string(text)};
}

void read_line(std::string_view line, std::vector<Table>& tables) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.empty() || line.starts_with('#')) return;
    const auto word = take_until(line, ' ');
    if (word == "table") {
        tables.push_back(
            {.name = std::string(take_until(line, ' ')), .columns = {}, .key = {}, .references = {}});
        return;
    }
    SPAKTOK_ASSERT(!tables.empty());
    Table& table = tables.back();
    if (word == "column") table.columns.push_back(read_column(line));
    if (word == "key") table.key = read_key(line);
    if (word == "derived") table.derived.push_back(read_derived(line));
    if (word == "reference") {
        const auto column = take_until(line, ' ');
        table.references.push_back(
            {.column = std::string(column), .table = std::string(take_until(line, ' '))});
    }
}

}  // namespace

const Column& Table::column(std::string_view named) const {
    const auto found = std::ranges::find(columns, named, &Column::name);
    SPAKTOK_ASSERT(found != columns.end());
    return *found;
}

std::optional<std::string> Table::own_reference() const {
    const auto found = std::ranges::find(references, name, &Reference::table);
    if (found == references.end()) return std::nullopt;
    return found->column;
}

std::vector<Table> read_schema(std::string_view text) {
    std::vector<Table> tables;
    while (!text.empty())
        read_line(take_until(text, '\n'), tables);
    return tables;
}

std::span<const Table> all_tables() {
    static const std::vector<Table> tables = read_schema(schema_text());
    return tables;
}

}  // namespace spaktok::relational
