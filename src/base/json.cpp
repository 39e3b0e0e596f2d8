#include "base/json.h"

#include <algorithm>

namespace spaktok::json {

bool has_zero(const Value& value) {
    switch (value.kind()) {
        case boost::json::kind::string: {
            const auto& text = value.get_string();
            return text.find('\0') != boost::json::string::npos;
        }
        case boost::json::kind::array:
            for (const auto& item : value.get_array()) {
                if (has_zero(item)) return true;
            }
            return false;
        case boost::json::kind::object:
            for (const auto& [key, item] : value.get_object()) {
                if (key.find('\0') != std::string_view::npos || has_zero(item)) return true;
            }
            return false;
        default:
            return false;
    }
}

Value parse(std::string_view text, std::size_t depth_max) {
    boost::json::parse_options options;
    options.max_depth = depth_max;
    boost::system::error_code error;
    auto value = boost::json::parse(text, error, {}, options);
    if (error) {
        throw Error(ErrorCode::invalid_argument, "The body is not valid JSON.",
                    {.reason = "invalid_json", .detail = error.message()});
    }
    if (has_zero(value)) {
        throw Error(ErrorCode::invalid_argument, "Text must not contain the character U+0000.",
                    {.reason = "invalid_json"});
    }
    return value;
}

namespace detail {

void append_string(std::string& out, std::string_view text) {
    const auto needs_escape = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
    };
    if (std::ranges::none_of(text, needs_escape)) {
        out += '"';
        out += text;
        out += '"';
    } else {
        out += boost::json::serialize(Value(text));
    }
}

void wrong_type(std::string_view field, std::string_view expected) {
    throw Error(ErrorCode::invalid_argument, "This must be " + std::string(expected) + ".",
                {.field = std::string(field), .reason = "invalid_field"});
}

void missing(std::string_view field) {
    throw Error(ErrorCode::invalid_argument, "This is required.",
                {.field = std::string(field), .reason = "missing_field"});
}

std::string join(std::string_view parent, std::string_view member) {
    return parent.empty() ? std::string(member) : std::string(parent) + "." + std::string(member);
}

}  // namespace detail

}  // namespace spaktok::json
