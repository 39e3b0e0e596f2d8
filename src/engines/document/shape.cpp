#include "engines/document/shape.h"

#include <algorithm>

#include "engines/document/limits.h"

namespace spaktok::document {

namespace {

std::string canonical(std::string_view text, FieldType type) {
    std::optional<std::string> result;
    switch (type) {
        case FieldType::timestamp:
            if (const auto at = parse_rfc3339(text)) result = to_rfc3339(*at);
            break;
        case FieldType::uuid:
            if (const auto id = Uuid::parse(text)) result = id->to_string();
            break;
        case FieldType::object_id:
            if (const auto id = ObjectId::parse(text)) result = id->to_string();
            break;
        case FieldType::plain:
            break;
    }
    return result ? *std::move(result) : std::string(text);
}

}  // namespace

FieldType type_of(const DocumentShape& shape, std::string_view field) {
    if (field == "_id") return FieldType::object_id;
    const auto found = std::ranges::find(shape, field, &DocumentShape::value_type::first);
    return found == shape.end() ? FieldType::plain : found->second;
}

void make_canonical(json::Value& value, FieldType type) {
    if (type == FieldType::plain) return;
    if (auto* text = value.if_string()) {
        const std::string right = canonical(*text, type);
        if (right != std::string_view(*text)) *text = right;
    } else if (auto* array = value.if_array()) {
        for (auto& item : *array)
            make_canonical(item, type);
    }
}

std::string make_storable(json::Object& document, const DocumentShape& shape) {
    check_value(document, 0);
    for (const auto& [field, type] : shape) {
        if (auto* value = document.if_contains(field)) make_canonical(*value, type);
    }
    auto* id = document.if_contains("_id");
    const auto parsed = id != nullptr && id->is_string() ? ObjectId::parse(id->get_string()) : std::nullopt;
    if (!parsed) throw Error(ErrorCode::invalid_argument, "A document needs an _id.", {.field = "_id"});
    *id = json::Value(boost::json::string(parsed->to_string()));
    std::string body = boost::json::serialize(document);
    if (body.size() > document_bytes_max) {
        throw Error(ErrorCode::payload_too_large, "This is larger than what can be stored.",
                    {.detail = std::to_string(body.size()) + " bytes"});
    }
    return body;
}

}  // namespace spaktok::document
