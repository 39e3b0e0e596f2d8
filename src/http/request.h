// What a route sees of a request and gives as an answer. No I/O here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/json.h"
#include "base/memory_file.h"
#include "base/uuid.h"
#include "http/headers.h"

namespace spaktok::http {

enum class Method { get, head, post, put, patch, delete_, options };
std::string_view to_string(Method method);

// Who asks. Made by `Sessions` from a cookie or a bearer token.
struct Session {
    std::string id;  // public name of the session (not the token)
    UserId user_id;
    Timestamp created_at{};
    Timestamp last_seen_at{};
    std::string device;  // user agent as first seen, cut at 200 characters
    bool from_cookie = false;
};

class Request {
  public:
    Method method = Method::get;
    std::string path;  // decoded, without the query
    std::string raw_query;
    Headers headers;
    std::string body;
    std::string id;                  // request id, in every log line and problem
    std::string remote_address;      // of the client; X-Forwarded-For only from a trusted proxy
    std::optional<Session> session;  // set where credentials were valid
    std::size_t io_thread = 0;

    // `{name}` of the route's pattern, decoded. Asserts that the pattern has it.
    const std::string& path_param(std::string_view name) const;
    template <class IdType>
    IdType path_id(std::string_view name) const {  // throws Error{not_found} where it is no id
        const auto id_value = IdType::parse(path_param(name));
        if (!id_value) throw Error(ErrorCode::not_found, "There is no such thing here.");
        return *id_value;
    }
    std::optional<std::string> query(std::string_view name) const;  // first of that name, decoded
    // A whole number in [minimum, maximum]; throws Error{invalid_argument, field = name}.
    std::int64_t query_integer(std::string_view name, std::int64_t fallback, std::int64_t minimum,
                               std::int64_t maximum) const;
    // The signed-in user; throws Error{unauthenticated}.
    UserId user() const;
    // The body as T; throws Error{invalid_argument} or {unsupported_media} where it is not application/json.
    template <class T>
    T json() const {
        return json::from_value<T>(json_value());
    }
    json::Value json_value() const;

    std::vector<std::pair<std::string, std::string>> path_params;  // filled by the router
};

// Bytes that several responses may share (a segment, a static file).
using SharedBytes = std::shared_ptr<const std::string>;
// Either of a string or of a file in memory, which is sent without being copied.
struct BodyPart {
    BodyPart() = default;
    BodyPart(SharedBytes of, std::size_t part_offset, std::size_t part_length)
        : bytes(std::move(of)), offset(part_offset), length(part_length) {}
    explicit BodyPart(SharedBytes whole) : bytes(std::move(whole)), length(bytes->size()) {}
    explicit BodyPart(std::shared_ptr<const MemoryFile::Extent> whole)
        : extent(std::move(whole)), length(extent->size()) {}

    std::size_t size_of_whole() const { return extent ? extent->size() : bytes->size(); }
    std::string text() const;  // a copy
    // Whether it is the same bytes at the same place; what they are is not compared.
    bool operator==(const BodyPart&) const = default;

    SharedBytes bytes;
    std::shared_ptr<const MemoryFile::Extent> extent;
    std::size_t offset = 0;
    std::size_t length = 0;
};

struct Response {
    unsigned status = 200;
    Headers headers;
    std::string body;
    std::vector<BodyPart> shared_body;  // sent instead of `body` where not empty, without copying

    // A described struct or a JSON value as application/json.
    template <class T>
    static Response of(const T& value, unsigned status = 200) {
        return json_text(json::serialize(value), status);
    }
    static Response json_text(std::string text, unsigned status = 200);
    static Response no_content();
    static Response text(std::string body, std::string_view content_type = "text/plain; charset=utf-8",
                         unsigned status = 200);
    // Whole or, with a valid Range header, a part (206), with Accept-Ranges; 416 is thrown as
    // Error{range_not_satisfiable}.
    static Response bytes(const Request& request, SharedBytes bytes, std::string_view content_type);
};

using Handler = std::function<boost::asio::awaitable<Response>(Request&)>;

// RFC 9457 application/problem+json of an error: {type, title, status, detail, field?, request_id}.
// `type` is "/problems/<reason or code>", stable.
Response problem(const Error& error, std::string_view request_id);
unsigned status_of(ErrorCode code);

}  // namespace spaktok::http
