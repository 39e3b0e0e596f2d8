#include "engines/document/mongo/translate.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "engines/document/shape.h"
#include "engines/document/update.h"

namespace spaktok::document::mongo {

namespace {

int length_of(std::string_view text) {
    return static_cast<int>(text.size());  // all are below document_bytes_max
}

// ---- JSON to BSON

void append(bson_t& to, std::string_view name, const json::Value& value, FieldType type);

void append_members(bson_t& to, const json::Object& object) {
    for (const auto& [name, member] : object) {
        if (!member.is_null()) append(to, name, member, FieldType::plain);
    }
}

void append_text(bson_t& to, std::string_view name, std::string_view text, FieldType type) {
    if (type == FieldType::uuid) {
        if (const auto id = Uuid::parse(text)) {
            bson_append_binary(&to, name.data(), length_of(name), BSON_SUBTYPE_UUID, id->bytes().data(),
                               static_cast<std::uint32_t>(id->bytes().size()));
            return;
        }
    } else if (type == FieldType::object_id) {
        if (const auto id = ObjectId::parse(text)) {
            bson_oid_t oid;
            std::ranges::copy(id->bytes(), oid.bytes);
            bson_append_oid(&to, name.data(), length_of(name), &oid);
            return;
        }
    } else if (type == FieldType::timestamp) {
        if (const auto at = parse_rfc3339(text)) {
            bson_append_date_time(&to, name.data(), length_of(name), to_unix_milliseconds(*at));
            return;
        }
    }
    bson_append_utf8(&to, name.data(), length_of(name), text.data(), length_of(text));
}

// Filled by `fill`, which is given the inner document.
template <class Fill>
void append_object(bson_t& to, std::string_view name, Fill fill) {
    bson_t inner;
    bson_append_document_begin(&to, name.data(), length_of(name), &inner);
    fill(inner);
    bson_append_document_end(&to, &inner);
}

// `fill` is called for each of `items` with the array and the item's key.
template <class Items, class Fill>
void append_array(bson_t& to, std::string_view name, const Items& items, Fill fill) {
    bson_t inner;
    bson_append_array_begin(&to, name.data(), length_of(name), &inner);
    std::uint32_t position = 0;
    for (const auto& item : items) {
        std::array<char, 16> buffer{};
        const char* key = nullptr;
        const auto length = bson_uint32_to_string(position++, &key, buffer.data(), buffer.size());
        fill(inner, std::string_view(key, length), item);
    }
    bson_append_array_end(&to, &inner);
}

void append(bson_t& to, std::string_view name, const json::Value& value, FieldType type) {
    const int length = length_of(name);
    switch (value.kind()) {
        case boost::json::kind::null:
            bson_append_null(&to, name.data(), length);
            break;
        case boost::json::kind::bool_:
            bson_append_bool(&to, name.data(), length, value.get_bool());
            break;
        case boost::json::kind::int64:
            bson_append_int64(&to, name.data(), length, value.get_int64());
            break;
        case boost::json::kind::uint64:
            if (value.get_uint64() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
                throw Error(ErrorCode::invalid_argument, "A whole number is too large.");
            }
            bson_append_int64(&to, name.data(), length, static_cast<std::int64_t>(value.get_uint64()));
            break;
        case boost::json::kind::double_:
            bson_append_double(&to, name.data(), length, value.get_double());
            break;
        case boost::json::kind::string:
            append_text(to, name, value.get_string(), type);
            break;
        case boost::json::kind::array:
            append_array(to, name, value.get_array(),
                         [type](bson_t& array, std::string_view key, const json::Value& item) {
                             append(array, key, item, type);
                         });
            break;
        case boost::json::kind::object:
            append_object(to, name, [&](bson_t& inner) { append_members(inner, value.get_object()); });
            break;
    }
}

// ---- BSON to JSON

json::Value text_value(std::string_view text) {
    return json::Value(boost::json::string(text));
}

[[noreturn]] void refuse_type(const bson_iter_t& at) {
    throw Error(ErrorCode::internal, "Something stored cannot be read.",
                {.detail = std::string(bson_iter_key(&at)) + ": BSON type " +
                           std::to_string(static_cast<int>(bson_iter_type(&at)))});
}

json::Value binary_value(const bson_iter_t& at) {
    bson_subtype_t subtype{};
    std::uint32_t size = 0;
    const std::uint8_t* bytes = nullptr;
    bson_iter_binary(&at, &subtype, &size, &bytes);
    std::array<std::uint8_t, 16> id{};
    if (subtype != BSON_SUBTYPE_UUID || size != id.size()) refuse_type(at);
    std::copy_n(bytes, id.size(), id.begin());
    return text_value(Uuid(id).to_string());
}

json::Value oid_value(const bson_iter_t& at) {
    std::array<std::uint8_t, 12> id{};
    std::copy_n(bson_iter_oid(&at)->bytes, id.size(), id.begin());
    return text_value(ObjectId(id).to_string());
}

json::Value value_of(const bson_iter_t& at);

json::Object object_of(bson_iter_t& at) {
    json::Object object;
    while (bson_iter_next(&at))
        object.emplace(std::string_view(bson_iter_key(&at), bson_iter_key_len(&at)), value_of(at));
    return object;
}

json::Array array_of(bson_iter_t& at) {
    json::Array array;
    while (bson_iter_next(&at))
        array.push_back(value_of(at));
    return array;
}

json::Value inner_value(const bson_iter_t& at) {
    bson_iter_t inner;
    if (!bson_iter_recurse(&at, &inner)) refuse_type(at);
    if (BSON_ITER_HOLDS_ARRAY(&at)) return array_of(inner);
    return object_of(inner);
}

json::Value value_of(const bson_iter_t& at) {
    switch (bson_iter_type(&at)) {
        case BSON_TYPE_NULL:
            return nullptr;
        case BSON_TYPE_BOOL:
            return bson_iter_bool(&at);
        case BSON_TYPE_INT32:
            return std::int64_t{bson_iter_int32(&at)};
        case BSON_TYPE_INT64:
            return bson_iter_int64(&at);
        case BSON_TYPE_DOUBLE:
            return bson_iter_double(&at);
        case BSON_TYPE_UTF8: {
            std::uint32_t size = 0;
            const char* text = bson_iter_utf8(&at, &size);
            return text_value({text, size});
        }
        case BSON_TYPE_BINARY:
            return binary_value(at);
        case BSON_TYPE_OID:
            return oid_value(at);
        case BSON_TYPE_DATE_TIME:
            return text_value(to_rfc3339(from_unix_milliseconds(bson_iter_date_time(&at))));
        case BSON_TYPE_ARRAY:
        case BSON_TYPE_DOCUMENT:
            return inner_value(at);
        default:
            refuse_type(at);
    }
}

// ---- Filters

const char* operator_of(Condition::Operator op) {
    switch (op) {
        case Condition::Operator::equal:
            return "$eq";
        case Condition::Operator::not_equal:
            return "$ne";
        case Condition::Operator::less:
            return "$lt";
        case Condition::Operator::less_or_equal:
            return "$lte";
        case Condition::Operator::greater:
            return "$gt";
        case Condition::Operator::greater_or_equal:
            return "$gte";
        case Condition::Operator::in:
            return "$in";
    }
    return "$eq";
}

// The conditions on one field, each with another operator.
using FieldConditions = std::vector<const Condition*>;
using Clause = std::vector<FieldConditions>;

bool add_to(Clause& clause, const Condition& condition) {
    const auto same_field = std::ranges::find(
        clause, condition.field, [](const FieldConditions& each) { return each.front()->field; });
    if (same_field == clause.end()) {
        clause.push_back({&condition});
        return true;
    }
    const auto has_op = [op = condition.op](const Condition* each) { return each->op == op; };
    if (std::ranges::any_of(*same_field, has_op)) return false;
    same_field->push_back(&condition);
    return true;
}

// A clause has a field once, and in it an operator once: a document cannot hold a name twice.
std::vector<Clause> clauses_of(const Filter& filter) {
    std::vector<Clause> clauses;
    for (const auto& condition : filter) {
        if (std::ranges::none_of(clauses, [&](Clause& clause) { return add_to(clause, condition); }))
            clauses.push_back({{&condition}});
    }
    return clauses;
}

void append_condition(bson_t& to, const Condition& condition, FieldType type) {
    const std::string_view op = operator_of(condition.op);
    if (condition.op == Condition::Operator::in) {
        append_array(to, op, condition.values,
                     [type](bson_t& array, std::string_view key, const Value& value) {
                         append(array, key, to_json(value), type);
                     });
    } else {
        append(to, op, to_json(condition.values.front()), type);
    }
}

void append_clause(bson_t& to, const Clause& clause, const DocumentShape& shape) {
    for (const auto& conditions : clause) {
        const std::string& field = conditions.front()->field;
        // The short form of $eq: lesser planners find an index for it only.
        if (conditions.size() == 1 && conditions.front()->op == Condition::Operator::equal) {
            append(to, field, to_json(conditions.front()->values.front()), type_of(shape, field));
            continue;
        }
        append_object(to, field, [&](bson_t& inner) {
            for (const auto* condition : conditions)
                append_condition(inner, *condition, type_of(shape, field));
        });
    }
}

// ---- Updates

const char* operator_of(const Change& change) {
    switch (change.op) {
        case Change::Operator::set:
            return to_json(change.value).is_null() ? "$unset" : "$set";  // null is missing
        case Change::Operator::unset:
            return "$unset";
        case Change::Operator::increment:
            return "$inc";
        case Change::Operator::push:
            return "$push";
        case Change::Operator::add_to_set:
            return "$addToSet";
        case Change::Operator::pull:
            return "$pullAll";  // $pull would take an object for a query
        case Change::Operator::max:
            return "$max";
    }
    return "$set";
}

// Objects as they are stored, without their nulls, so that $pullAll and $addToSet find them equal.
void append_change(bson_t& to, const Change& change, FieldType type) {
    const json::Value value = to_json(change.value);
    const auto one_item = [&](bson_t& inner, std::string_view name) {
        append_array(inner, name, std::array{&value},
                     [type](bson_t& array, std::string_view key, const json::Value* item) {
                         append(array, key, *item, type);
                     });
    };
    if (change.op == Change::Operator::pull) {
        one_item(to, change.field);
    } else if (change.op == Change::Operator::push) {
        append_object(to, change.field, [&](bson_t& inner) {
            one_item(inner, "$each");
            if (change.slice) bson_append_int64(&inner, "$slice", -1, -*change.slice);
        });
    } else {
        append(to, change.field, value, type);
    }
}

}  // namespace

Bson encode(const json::Object& document, const DocumentShape& shape) {
    Bson result = make_bson();
    for (const auto& [name, member] : document) {
        if (!member.is_null()) append(*result, name, member, type_of(shape, name));
    }
    return result;
}

json::Object decode(const bson_t& document, const DocumentShape& shape) {
    bson_iter_t at;
    if (!bson_iter_init(&at, &document)) {
        throw Error(ErrorCode::internal, "Something stored cannot be read.", {.detail = "broken BSON"});
    }
    json::Object object = object_of(at);
    for (const auto& field : shape)
        object.emplace(field.first, nullptr);  // only where it is missing
    return object;
}

Bson translate(const Filter& filter, const DocumentShape& shape) {
    Bson result = make_bson();
    const auto clauses = clauses_of(filter);
    if (clauses.size() == 1) {
        append_clause(*result, clauses.front(), shape);
    } else if (!clauses.empty()) {
        append_array(
            *result, "$and", clauses, [&](bson_t& array, std::string_view key, const Clause& clause) {
                append_object(array, key, [&](bson_t& inner) { append_clause(inner, clause, shape); });
            });
    }
    return result;
}

Bson translate(const Update& update, const DocumentShape& shape) {
    Bson result = make_bson();
    for (const std::string_view op : {"$set", "$unset", "$inc", "$push", "$addToSet", "$pullAll", "$max"}) {
        const auto has_op = [op](const Change& change) { return operator_of(change) == op; };
        if (std::ranges::none_of(update, has_op)) continue;
        append_object(*result, op, [&](bson_t& inner) {
            for (const auto& change : update) {
                if (has_op(change)) append_change(inner, change, type_of(shape, change.field));
            }
        });
    }
    return result;
}

Bson translate(const std::vector<Sort>& sort) {
    Bson result = make_bson();
    for (const auto& each : sort) {
        if (bson_has_field(result.get(), each.field.c_str())) continue;  // the first of a name decides
        bson_append_int32(result.get(), each.field.data(), length_of(each.field), each.descending ? -1 : 1);
    }
    return result;
}

std::vector<Bson> translate(const Index& index) {
    const auto specification = [](const std::string& name, const std::vector<Sort>& fields) {
        Bson result = make_bson();
        bson_append_utf8(result.get(), "name", -1, name.data(), length_of(name));
        bson_append_document(result.get(), "key", -1, translate(fields).get());
        return result;
    };
    std::vector<Bson> result;
    Bson itself = specification(index.name, index.fields);
    if (index.unique) bson_append_bool(itself.get(), "unique", -1, true);
    if (index.sparse) {
        // Not `sparse`, which would take a document that has any of the fields.
        append_object(*itself, "partialFilterExpression", [&](bson_t& filter) {
            for (const auto& field : index.fields)
                append_object(filter, field.field,
                              [](bson_t& exists) { bson_append_bool(&exists, "$exists", -1, true); });
        });
    }
    const bool expires_itself = index.expires_at_field && !index.unique && index.fields.size() == 1 &&
                                index.fields.front().field == *index.expires_at_field;
    if (expires_itself) bson_append_int32(itself.get(), "expireAfterSeconds", -1, expiry_backstop_seconds);
    result.push_back(std::move(itself));
    if (index.expires_at_field && !expires_itself) {
        Bson expiry = specification(index.name + "_expiry", {{.field = *index.expires_at_field}});
        bson_append_int32(expiry.get(), "expireAfterSeconds", -1, expiry_backstop_seconds);
        result.push_back(std::move(expiry));
    }
    return result;
}

std::string refusing_index(std::string_view message) {
    constexpr std::string_view before = " index: ";
    const auto at = message.find(before);
    if (at == std::string_view::npos) return "";
    message.remove_prefix(at + before.size());
    const std::string_view name = message.substr(0, message.find(' '));
    return name == "_id_" ? "_id" : std::string(name);
}

}  // namespace spaktok::document::mongo
