#include <algorithm>

#include "base/assert.h"
#include "http/byte_range.h"
#include "http/request.h"

namespace spaktok::http {

std::string BodyPart::text() const {
    if (length == 0) return {};
    return extent ? extent->read(offset, length) : bytes->substr(offset, length);
}

Response Response::json_text(std::string text, unsigned status) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(text);
    return response;
}

Response Response::no_content() {
    Response response;
    response.status = 204;
    return response;
}

Response Response::text(std::string body, std::string_view content_type, unsigned status) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", content_type);
    response.body = std::move(body);
    return response;
}

Response Response::bytes(const Request& request, SharedBytes bytes, std::string_view content_type) {
    SPAKTOK_ASSERT(bytes != nullptr);
    Response response;
    response.headers.add("Content-Type", content_type);
    response.headers.add("Accept-Ranges", "bytes");
    const auto size = bytes->size();
    BodyPart part{std::move(bytes), 0, size};
    // Range has a meaning for GET only (RFC 9110, 14.2). If-Range is judged by the server, which knows the
    // final ETag.
    const auto header = request.method == Method::get ? request.headers.get("Range") : std::nullopt;
    if (const auto range = header ? parse_range(*header, size) : std::nullopt) {
        if (range->length == 0) throw UnsatisfiableRange(size);
        part.offset = static_cast<std::size_t>(range->offset);
        part.length = static_cast<std::size_t>(range->length);
        response.status = 206;
        response.headers.add("Content-Range", "bytes " + std::to_string(range->offset) + "-" +
                                                  std::to_string(range->offset + range->length - 1) + "/" +
                                                  std::to_string(size));
    }
    response.shared_body.push_back(std::move(part));
    return response;
}

unsigned status_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return 400;
        case ErrorCode::unauthenticated:
            return 401;
        case ErrorCode::insufficient_funds:
            return 402;
        case ErrorCode::forbidden:
            return 403;
        case ErrorCode::not_found:
            return 404;
        case ErrorCode::conflict:
            return 409;
        case ErrorCode::precondition_failed:
            return 412;
        case ErrorCode::payload_too_large:
            return 413;
        case ErrorCode::unsupported_media:
            return 415;
        case ErrorCode::range_not_satisfiable:
            return 416;
        case ErrorCode::unprocessable:
            return 422;
        case ErrorCode::rate_limited:
            return 429;
        case ErrorCode::internal:
            return 500;
        case ErrorCode::unavailable:
            return 503;
        case ErrorCode::deadline_exceeded:
            return 504;
    }
    SPAKTOK_ASSERT(false);
}

namespace {

// RFC 9457, 3.1.3: the same for every problem of a type.
std::string_view title_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return "The request is not valid";
        case ErrorCode::unauthenticated:
            return "Not signed in";
        case ErrorCode::insufficient_funds:
            return "Not enough money";
        case ErrorCode::forbidden:
            return "Not allowed";
        case ErrorCode::not_found:
            return "Not found";
        case ErrorCode::conflict:
            return "In conflict with what is there";
        case ErrorCode::unprocessable:
            return "In conflict with an earlier request";
        case ErrorCode::precondition_failed:
            return "It has changed in the meantime";
        case ErrorCode::payload_too_large:
            return "Too large";
        case ErrorCode::unsupported_media:
            return "Unsupported media type";
        case ErrorCode::range_not_satisfiable:
            return "Range not satisfiable";
        case ErrorCode::rate_limited:
            return "Too many requests";
        case ErrorCode::internal:
            return "Something went wrong here";
        case ErrorCode::unavailable:
            return "Not available right now";
        case ErrorCode::deadline_exceeded:
            return "It took too long";
    }
    SPAKTOK_ASSERT(false);
}

}  // namespace

Response problem(const Error& error, std::string_view request_id) {
    const auto status = status_of(error.code());
    json::Object object;
    object["type"] =
        "/problems/" + (error.reason().empty() ? std::string(to_string(error.code())) : error.reason());
    object["title"] = title_of(error.code());
    object["status"] = status;
    object["detail"] = error.message();
    if (!error.field().empty()) object["field"] = error.field();
    object["request_id"] = request_id;
    auto response = Response::of(object, status);
    response.headers.set("Content-Type", "application/problem+json");
    response.headers.add("Cache-Control", "no-store");
    // RFC 9110, 15.5.2: a 401 names a scheme. Browsers show no dialogue for Bearer.
    if (status == 401) response.headers.add("WWW-Authenticate", "Bearer");
    // RFC 9110, 14.4 and 15.5.17.
    if (const auto* range = dynamic_cast<const UnsatisfiableRange*>(&error))
        response.headers.add("Content-Range", "bytes */" + std::to_string(range->complete_length()));
    if (const auto after = error.retry_after()) {
        // Whole seconds, rounded up: who comes back on the second is not refused again.
        const auto seconds =
            std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(*after).count());
        response.headers.add("Retry-After", std::to_string(seconds));
    }
    return response;
}

}  // namespace spaktok::http
