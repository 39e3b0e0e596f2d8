#include "features/media_files/media_routes.h"

#include <memory>
#include <string>
#include <utility>

namespace spaktok::media_files {

namespace asio = boost::asio;
using http::Request;
using http::Response;

namespace {

// A key is written once: what changes gets a new one.
constexpr std::string_view for_ever = "public, max-age=31536000, immutable";

Error nothing_here() {
    return Error(ErrorCode::not_found, "There is no such thing here.");
}

bool is_public(std::string_view key) {
    return key.starts_with("pictures/") || key.starts_with("thumbnails/");
}

// RFC 9110, 13.1.2: any of the listed tags, compared weakly, or any at all.
bool matches(std::string_view if_none_match, const std::string& etag) {
    if (if_none_match == "*") return true;
    return if_none_match.find('"' + etag + '"') != std::string_view::npos;
}

// The blob's metadata, or nothing for a key that no blob can have.
asio::awaitable<std::optional<blob::Metadata>> find(blob::BlobStore& blobs, std::string key) {
    try {
        co_return co_await blobs.stat(std::move(key));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::invalid_argument) throw;
    }
    co_return std::nullopt;
}

asio::awaitable<Response> answer(const Request& request, blob::BlobStore& blobs, std::string key) {
    if (!is_public(key)) throw nothing_here();
    const auto metadata = co_await find(blobs, key);
    if (!metadata) throw nothing_here();
    Response response;
    const auto if_none_match = request.headers.get("If-None-Match");
    if (if_none_match && matches(*if_none_match, metadata->etag)) {
        response.status = 304;
    } else {
        auto blob = co_await blobs.get(key);
        if (!blob) throw nothing_here();  // removed since
        response = Response::bytes(request, std::make_shared<const std::string>(std::move(blob->bytes)),
                                   metadata->content_type);
    }
    response.headers.set("ETag", '"' + metadata->etag + '"');
    response.headers.set("Cache-Control", std::string(for_ever));
    // Its type is what we wrote, never what a browser guesses.
    response.headers.set("X-Content-Type-Options", "nosniff");
    co_return response;
}

}  // namespace

void add_routes(http::Router& router, blob::BlobStore& blobs) {
    router.add(http::Method::get, "/media/{key...}", {.operation_id = "get_media", .rate = media_limit},
               [&blobs](Request& request) -> asio::awaitable<Response> {
                   co_return co_await answer(request, blobs, request.path_param("key"));
               });
}

}  // namespace spaktok::media_files
