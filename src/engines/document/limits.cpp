#include "engines/document/limits.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "engines/document/update.h"

namespace spaktok::document {

namespace {

[[noreturn]] void refuse(std::string detail) {
    throw Error(ErrorCode::invalid_argument, "The request cannot be carried out as it is.",
                {.detail = std::move(detail)});
}

bool is_word(std::string_view text) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9');
    });
}

bool holds_nothing(const Value& value) {
    const auto* json = std::get_if<json::Value>(&value);
    return std::holds_alternative<std::monostate>(value) || (json != nullptr && json->is_null());
}

bool is_scalar(const Value& value) {
    const auto* json = std::get_if<json::Value>(&value);
    return json == nullptr || !json->is_structured();
}

// "a" holds "a.b", and so a change of both has no order that is right.
bool overlap(std::string_view one, std::string_view other) {
    if (one.size() > other.size()) std::swap(one, other);
    return other.starts_with(one) && (other.size() == one.size() || other[one.size()] == '.');
}

// What is not valid UTF-8 could be written, but no longer read.
void check_text(std::string_view text) {
    if (text.find('\0') != std::string_view::npos || !text::length(text)) {
        throw Error(ErrorCode::invalid_argument, "Text must be UTF-8 without the character U+0000.");
    }
}

void check_condition(const Condition& condition) {
    check_field_name(condition.field);
    const bool is_in = condition.op == Condition::Operator::in;
    if (is_in ? condition.values.size() > in_values_max : condition.values.size() != 1) {
        refuse("condition on " + condition.field + ": number of values");
    }
    if (!std::all_of(condition.values.begin(), condition.values.end(), is_scalar)) {
        refuse("condition on " + condition.field + ": arrays and objects are not compared");
    }
    const bool has_order = !is_in && condition.op != Condition::Operator::equal &&
                           condition.op != Condition::Operator::not_equal;
    if (has_order && holds_nothing(condition.values.front()))
        refuse("condition on " + condition.field + ": null has no order");
    for (const auto& value : condition.values)
        check_value(to_json(value), 0);
}

// The document and the objects of the path are around a change's value, and the array that it goes into.
std::size_t depth_of(const Change& change) {
    const bool is_item = change.op == Change::Operator::push || change.op == Change::Operator::add_to_set;
    return 1 + static_cast<std::size_t>(std::ranges::count(change.field, '.')) + (is_item ? 1 : 0);
}

}  // namespace

void check_collection_name(std::string_view name) {
    if (!is_word(name) || name.size() > collection_name_max) refuse("collection name: " + std::string(name));
}

void check_field_name(std::string_view name) {
    bool right = name.size() <= field_name_max;
    for (std::string_view rest = name; right;) {
        const auto dot = rest.find('.');
        right = is_word(rest.substr(0, dot));
        if (dot == std::string_view::npos) break;
        rest.remove_prefix(dot + 1);
    }
    if (!right) refuse("field name: " + std::string(name));
}

void check_index(const Index& index) {
    if (!is_word(index.name) || index.name.size() > collection_name_max) refuse("index name: " + index.name);
    if (index.fields.empty() || index.fields.size() > sort_fields_max)
        refuse("index " + index.name + ": number of fields");
    for (const auto& field : index.fields)
        check_field_name(field.field);
    if (index.expires_at_field) check_field_name(*index.expires_at_field);
}

void check_filter(const Filter& filter) {
    if (filter.size() > conditions_max) refuse("too many conditions");
    for (const auto& condition : filter)
        check_condition(condition);
}

void check_find_options(const FindOptions& options) {
    if (options.limit < 1 || options.limit > find_limit_max)
        refuse("limit: " + std::to_string(options.limit));
    if (options.sort.size() > sort_fields_max) refuse("too many sort fields");
    for (const auto& sort : options.sort)
        check_field_name(sort.field);
}

void check_update(const Update& update) {
    if (update.empty() || update.size() > changes_max) refuse("number of changes");
    for (std::size_t i = 0; i < update.size(); ++i) {
        const Change& change = update[i];
        check_field_name(change.field);
        if (overlap(change.field, "_id")) refuse("_id never changes");
        if (change.slice && (*change.slice < 0 || *change.slice > push_slice_max))
            refuse("slice of " + change.field);
        if (change.op == Change::Operator::max && holds_nothing(change.value))
            refuse("max of " + change.field + ": null has no order");
        check_value(to_json(change.value), depth_of(change));
        for (std::size_t j = 0; j < i; ++j) {
            if (overlap(change.field, update[j].field)) refuse("changed twice: " + change.field);
        }
    }
}

void check_value(const json::Value& value, std::size_t depth) {
    if (value.is_structured() && depth >= depth_max) {
        throw Error(ErrorCode::invalid_argument, "This is nested too deeply.");
    }
    if (const auto* text = value.if_string()) {
        check_text(*text);
    } else if (const auto* array = value.if_array()) {
        for (const auto& item : *array)
            check_value(item, depth + 1);
    } else if (const auto* object = value.if_object()) {
        check_value(*object, depth);
    } else if (value.is_double() && !std::isfinite(value.get_double())) {
        throw Error(ErrorCode::invalid_argument, "A number must be finite.");
    }
}

void check_value(const json::Object& object, std::size_t depth) {
    for (const auto& [name, member] : object) {
        check_text(name);
        check_value(member, depth + 1);
    }
}

}  // namespace spaktok::document
