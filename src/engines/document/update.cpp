#include "engines/document/update.h"

#include <algorithm>
#include <string>

#include "engines/document/limits.h"

namespace spaktok::document {

namespace {

[[noreturn]] void refuse(const Change& change, const std::string& why) {
    throw Error(ErrorCode::invalid_argument, "The change does not fit what is stored.",
                {.detail = change.field + ": " + why});
}

// The object that holds the last word of `path`, and that word. With `create`, objects on the way are made;
// otherwise nullptr where one is missing.
std::pair<json::Object*, std::string_view> locate(json::Object& document, const Change& change, bool create) {
    json::Object* holder = &document;
    std::string_view rest = change.field;
    for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
        const std::string_view word = rest.substr(0, dot);
        json::Value* inner = holder->if_contains(word);
        if (inner == nullptr || inner->is_null()) {
            if (!create) return {nullptr, rest};
            inner = &((*holder)[word] = json::Object{});
        }
        if (!inner->is_object()) refuse(change, "inside something that is no object");
        holder = &inner->get_object();
        rest.remove_prefix(dot + 1);
    }
    return {holder, rest};
}

// nullptr where the field is missing or null.
json::Value* present(json::Object& holder, std::string_view word) {
    json::Value* value = holder.if_contains(word);
    return value == nullptr || value->is_null() ? nullptr : value;
}

json::Array& array_of(json::Object& holder, std::string_view word, const Change& change) {
    json::Value* value = present(holder, word);
    if (value == nullptr) value = &(holder[word] = json::Array{});
    if (!value->is_array()) refuse(change, "not an array");
    return value->get_array();
}

void increment_by(json::Object& holder, std::string_view word, const Change& change, const json::Value& by) {
    json::Value* value = present(holder, word);
    if (value == nullptr) {
        holder[word] = by;
        return;
    }
    if (!value->is_number() || !by.is_number()) refuse(change, "not a number");
    if (value->is_double() || by.is_double()) {
        *value = value->to_number<double>() + by.to_number<double>();
        return;
    }
    std::int64_t sum = 0;
    if (value->is_uint64() || __builtin_add_overflow(value->get_int64(), by.get_int64(), &sum)) {
        refuse(change, "beyond 64 bits");
    }
    *value = sum;
}

bool is_greater(const json::Value& one, const json::Value& other, const Change& change) {
    if (one.is_string() && other.is_string()) return one.get_string() > other.get_string();
    if (!one.is_number() || !other.is_number()) refuse(change, "these two have no order");
    if (one.is_int64() && other.is_int64()) return one.get_int64() > other.get_int64();
    return one.to_number<double>() > other.to_number<double>();
}

void push_item(json::Array& array, json::Value item, std::optional<std::int64_t> slice) {
    array.push_back(std::move(item));
    if (!slice) return;
    const auto keep = static_cast<std::size_t>(*slice);
    if (array.size() > keep) array.erase(array.begin(), array.end() - static_cast<std::ptrdiff_t>(keep));
}

void pull_item(json::Array& array, const json::Value& item) {
    json::Array kept;
    for (auto& each : array) {
        if (each != item) kept.push_back(std::move(each));
    }
    array = std::move(kept);
}

void apply_one(json::Object& document, const Change& change) {
    using enum Change::Operator;
    const bool creates = change.op != unset && change.op != pull;
    const auto [holder, word] = locate(document, change, creates);
    if (holder == nullptr) return;
    json::Value value = to_json(change.value);
    switch (change.op) {
        case set:
            (*holder)[word] = std::move(value);
            break;
        case unset:
            holder->erase(word);
            break;
        case increment:
            increment_by(*holder, word, change, value);
            break;
        case push:
            push_item(array_of(*holder, word, change), std::move(value), change.slice);
            break;
        case add_to_set: {
            json::Array& array = array_of(*holder, word, change);
            if (std::find(array.begin(), array.end(), value) == array.end())
                array.push_back(std::move(value));
            break;
        }
        case pull:
            if (present(*holder, word) != nullptr) pull_item(array_of(*holder, word, change), value);
            break;
        case max: {
            const json::Value* now = present(*holder, word);
            if (now == nullptr || is_greater(value, *now, change)) (*holder)[word] = std::move(value);
            break;
        }
    }
}

}  // namespace

json::Value to_json(const Value& value) {
    return std::visit(
        [](const auto& held) -> json::Value {
            if constexpr (std::same_as<std::remove_cvref_t<decltype(held)>, std::monostate>) {
                return nullptr;
            } else {
                return json::to_value(held);
            }
        },
        value);
}

json::Object apply(json::Object document, const Update& update) {
    for (const Change& change : update)
        apply_one(document, change);
    return document;
}

json::Object from_equal_conditions(const Filter& filter) {
    json::Object document;
    for (const Condition& condition : filter) {
        if (condition.op != Condition::Operator::equal) continue;
        apply_one(document, set(condition.field, condition.values.front()));
    }
    return document;
}

}  // namespace spaktok::document
