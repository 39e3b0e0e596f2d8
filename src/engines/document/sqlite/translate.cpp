#include "engines/document/sqlite/translate.h"

#include "base/assert.h"
#include "engines/document/limits.h"
#include "engines/document/shape.h"
#include "engines/document/update.h"

namespace spaktok::document::sqlite {

namespace {

// The expression must be the same text in an index and in a query, or SQLite does not see that one serves the
// other.
std::string expression(std::string_view field) {
    if (field == "_id") return "id";
    return "json_extract(body,'$." + std::string(field) + "')";
}

// As json_extract gives it: true and false are 1 and 0.
json::Value comparable(const Value& value, FieldType type) {
    json::Value result = to_json(value);
    make_canonical(result, type);
    if (const auto* flag = result.if_bool()) result = *flag ? 1 : 0;
    return result;
}

Bound to_bound(const json::Value& value) {
    if (value.is_string()) return std::string(value.get_string());
    if (value.is_double()) return value.get_double();
    if (value.is_number()) return json::from_value<std::int64_t>(value);
    SPAKTOK_ASSERT(value.is_null());  // check_filter lets nothing else through
    return nullptr;
}

const char* sign(Condition::Operator op) {
    switch (op) {
        case Condition::Operator::less:
            return "<";
        case Condition::Operator::less_or_equal:
            return "<=";
        case Condition::Operator::greater:
            return ">";
        case Condition::Operator::greater_or_equal:
            return ">=";
        // IS NOT holds for a missing field too, as $ne does.
        case Condition::Operator::not_equal:
            return " IS NOT ";
        case Condition::Operator::equal:
        case Condition::Operator::in:
            return "=";
    }
    return "=";
}

void add_in(Where& where, const Condition& condition, FieldType type) {
    json::Array values;
    bool has_null = false;
    for (const auto& value : condition.values) {
        json::Value each = comparable(value, type);
        if (each.is_null()) {
            has_null = true;
        } else {
            values.push_back(std::move(each));
        }
    }
    const std::string field = expression(condition.field);
    // One parameter for any number of values keeps the text, and with it the prepared statement, the same.
    const std::string among = field + " IN (SELECT value FROM json_each(?))";
    where.sql += has_null ? " AND (" + among + " OR " + field + " IS NULL)" : " AND " + among;
    where.values.emplace_back(boost::json::serialize(values));
}

}  // namespace

std::string table_name(std::string_view collection) {
    return "documents_" + std::string(collection);
}

Where translate(const Filter& filter, const DocumentShape& shape) {
    Where where;
    for (const auto& condition : filter) {
        const FieldType type = type_of(shape, condition.field);
        if (condition.op == Condition::Operator::in) {
            add_in(where, condition, type);
            continue;
        }
        const std::string field = expression(condition.field);
        Bound value = to_bound(comparable(condition.values.front(), type));
        const bool equals_nothing =
            condition.op == Condition::Operator::equal && std::holds_alternative<std::nullptr_t>(value);
        if (equals_nothing) {
            where.sql += " AND " + field + " IS NULL";
            continue;
        }
        where.sql += " AND " + field + sign(condition.op) + "?";
        where.values.push_back(std::move(value));
    }
    return where;
}

std::string order_by(const std::vector<Sort>& sort) {
    std::string sql;
    for (const auto& each : sort) {
        sql += sql.empty() ? " ORDER BY " : ",";
        sql += expression(each.field) + (each.descending ? " DESC" : "");
    }
    return sql;
}

std::string index_name(std::string_view collection, std::string_view name) {
    return table_name(collection) + "__" + std::string(name);
}

std::string create_index(std::string_view collection, const Index& index) {
    std::string columns;
    std::string has_all;
    for (const auto& field : index.fields) {
        columns +=
            (columns.empty() ? "" : ", ") + expression(field.field) + (field.descending ? " DESC" : "");
        has_all += (has_all.empty() ? " WHERE " : " AND ") + expression(field.field) + " IS NOT NULL";
    }
    return std::string(index.unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ") +
           index_name(collection, index.name) + " ON " + table_name(collection) + "(" + columns + ")" +
           (index.sparse ? has_all : "");
}

std::string declared_index(std::string_view collection, const spaktok::sqlite::Failure& failure) {
    const std::string index = failure.violated_index();
    const std::string prefix = index_name(collection, "");
    return index.starts_with(prefix) ? index.substr(prefix.size()) : "_id";
}

void bind(spaktok::sqlite::Rows& rows, const std::vector<Bound>& values) {
    for (const auto& value : values) {
        std::visit(
            [&](const auto& held) {
                if constexpr (std::same_as<std::remove_cvref_t<decltype(held)>, std::string>) {
                    rows.bind(std::string_view(held));
                } else {
                    rows.bind(held);
                }
            },
            value);
    }
}

json::Object decode(std::string_view body) {
    json::Value value = json::parse(body, depth_max);
    SPAKTOK_ASSERT(value.is_object());
    return std::move(value.get_object());
}

}  // namespace spaktok::document::sqlite
