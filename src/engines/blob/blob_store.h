// The blob port: uploaded media, thumbnails, recordings. Adapters: directory/ (embedded), s3/.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "base/timestamp.h"

namespace spaktok::blob {

struct Metadata {
    std::uint64_t size_bytes = 0;
    std::string content_type;
    std::string etag;  // strong, without quotes
    Timestamp modified_at{};
};
struct Blob {
    Metadata metadata;
    std::string bytes;         // the range that was asked for
    std::uint64_t offset = 0;  // of bytes[0]
};
struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = UINT64_MAX;  // cut at the blob's end
};

// Keys: 1–255 characters of [a-z0-9._/-], no empty, "." or ".." segment: "pictures/0190….webp". Anything else
// is Error{invalid_argument}. What is written is visible only when complete (readers see the old blob or the
// new one) and durable when `put` returns.
class BlobStore {
  public:
    virtual ~BlobStore() = default;
    // Returns the etag. Where it throws `unavailable`, the old blob or the new one is there. Throws
    // Error{payload_too_large} beyond 256 MiB.
    virtual boost::asio::awaitable<std::string> put(std::string key, std::string bytes,
                                                    std::string content_type) = 0;
    // nullopt where there is none. Throws Error{range_not_satisfiable} for a range that begins at or past the
    // end.
    virtual boost::asio::awaitable<std::optional<Blob>> get(std::string key, Range range = {}) = 0;
    virtual boost::asio::awaitable<std::optional<Metadata>> stat(std::string key) = 0;
    // Whether there was one. Of several that remove the same blob at once, more than one may be told so.
    virtual boost::asio::awaitable<bool> remove(std::string key) = 0;
    virtual boost::asio::awaitable<void> check() = 0;
    // A URL by which anyone may GET the blob from the engine itself for so long (1 s to 7 days), for large
    // blobs that should not pass through this process. It says nothing of whether there is such a blob.
    // nullopt where the engine serves nobody but this process. Does not suspend.
    virtual std::optional<std::string> presigned_get(const std::string& key,
                                                     std::chrono::seconds expires) = 0;
};

// `url`: file:DIR, or s3://… as s3/address.h says. Throws Error{invalid_argument}, which does not repeat it.
std::unique_ptr<BlobStore> open(const std::string& url);

}  // namespace spaktok::blob
