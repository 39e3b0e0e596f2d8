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

// The blob, or nothing for a key that no blob can have.
asio::awaitable<std::optional<blob::Blob>> find(blob::BlobStore& blobs, std::string key) {
    try {
        co_return co_await blobs.get(std::move(key));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::invalid_argument) throw;
    }
    co_return std::nullopt;
}

// Conditional requests are the server's: it compares the ETag. What is public here is small enough to be read
// whole.
asio::awaitable<Response> answer(const Request& request, blob::BlobStore& blobs, std::string key) {
    if (!is_public(key)) throw nothing_here();
    auto found = co_await find(blobs, std::move(key));
    if (!found) throw nothing_here();
    const auto metadata = std::move(found->metadata);
    auto response = Response::bytes(request, std::make_shared<const std::string>(std::move(found->bytes)),
                                    metadata.content_type);
    response.headers.set("ETag", '"' + metadata.etag + '"');
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
