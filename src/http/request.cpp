#include "http/request.h"

#include <charconv>

#include "base/assert.h"
#include "http/syntax.h"

namespace spaktok::http {

std::string_view to_string(Method method) {
    switch (method) {
        case Method::get:
            return "GET";
        case Method::head:
            return "HEAD";
        case Method::post:
            return "POST";
        case Method::put:
            return "PUT";
        case Method::patch:
            return "PATCH";
        case Method::delete_:
            return "DELETE";
        case Method::options:
            return "OPTIONS";
    }
    SPAKTOK_ASSERT(false);
}

const std::string& Request::path_param(std::string_view name) const {
    for (const auto& [param, value] : path_params) {
        if (param == name) return value;
    }
    assertion_failed("the route's pattern has this parameter", __FILE__, __LINE__);
}

std::optional<std::string> Request::query(std::string_view name) const {
    std::string_view rest = raw_query;
    while (!rest.empty()) {
        const auto end = rest.find('&');
        const auto pair = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        const auto equals = pair.find('=');
        const auto raw_name = pair.substr(0, equals);
        if (raw_name != name && percent_decode(raw_name, true) != name) continue;
        if (equals == std::string_view::npos) return std::string{};
        auto value = percent_decode(pair.substr(equals + 1), true);
        if (!value) {
            throw Error(ErrorCode::invalid_argument, "This is not text in UTF-8, percent-encoded.",
                        {.field = std::string(name), .reason = "invalid_field"});
        }
        return value;
    }
    return std::nullopt;
}

std::int64_t Request::query_integer(std::string_view name, std::int64_t fallback, std::int64_t minimum,
                                    std::int64_t maximum) const {
    const auto text = query(name);
    if (!text) return fallback;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size() || value < minimum || value > maximum) {
        throw Error(ErrorCode::invalid_argument,
                    "This must be a whole number from " + std::to_string(minimum) + " to " +
                        std::to_string(maximum) + ".",
                    {.field = std::string(name), .reason = "invalid_field"});
    }
    return value;
}

UserId Request::user() const {
    if (!session) throw Error(ErrorCode::unauthenticated, "Sign in first.");
    return session->user_id;
}

json::Value Request::json_value() const {
    const auto type = headers.get("Content-Type").value_or("");
    if (!equals_ignoring_case(trim(type.substr(0, type.find(';'))), "application/json")) {
        throw Error(ErrorCode::unsupported_media,
                    "The body must be JSON, with Content-Type: application/json.");
    }
    return json::parse(body);
}

}  // namespace spaktok::http
