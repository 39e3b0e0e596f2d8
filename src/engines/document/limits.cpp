#include "engines/document/limits.h"

#include <algorithm>

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
        for (std::size_t j = 0; j < i; ++j) {
            if (overlap(change.field, update[j].field)) refuse("changed twice: " + change.field);
        }
    }
}

}  // namespace spaktok::document
