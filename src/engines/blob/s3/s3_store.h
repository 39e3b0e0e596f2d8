// The blob port on a bucket of an S3-compatible server.
//
// A blob is the object PREFIX/key with its Content-Type; the server's ETag, and its Last-Modified in whole
// seconds, are the blob's. Every request carries the SHA-256 of its body, so that the server refuses what was
// damaged on its way, and S3 is durable once it has answered.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include "engines/blob/blob_store.h"
#include "engines/blob/listing.h"
#include "engines/blob/s3/client.h"

namespace spaktok::blob::s3 {

// Callable from any thread; callers are resumed on their own executors, which must be single-threaded.
class S3Store final : public BlobStore, public Lister {
  public:
    struct Options {
        // Blobs are in memory while they are written and read.
        std::size_t blob_bytes_max = 256 * 1024 * 1024;
        // What is larger goes in parts of this size, so many at once. S3's least is 5 MiB for a part.
        std::size_t part_bytes = 8 * 1024 * 1024;
        std::size_t parts_at_once = 4;
        // Uploads that a process left unfinished are ended by the next one's first upload in parts. No upload
        // takes so long.
        std::chrono::seconds abandoned_after{24 * 3600};
        ClientLimits client{};
    };
    S3Store(Address address, Options options);
    explicit S3Store(Address address) : S3Store(std::move(address), Options{}) {}

    boost::asio::awaitable<std::string> put(std::string key, std::string bytes,
                                            std::string content_type) override;
    boost::asio::awaitable<std::optional<Blob>> get(std::string key, Range range) override;
    boost::asio::awaitable<std::optional<Metadata>> stat(std::string key) override;
    boost::asio::awaitable<bool> remove(std::string key) override;
    boost::asio::awaitable<std::vector<std::string>> list(std::string after, std::size_t limit) override;
    boost::asio::awaitable<void> check() override;
    std::optional<std::string> presigned_get(const std::string& key, std::chrono::seconds expires) override;

  private:
    struct Upload;

    boost::asio::awaitable<std::optional<Metadata>> head(const std::string& key);
    boost::asio::awaitable<std::optional<Blob>> get_nothing(const std::string& key, Range range);
    boost::asio::awaitable<std::string> put_in_parts(const std::string& path, const std::string& bytes,
                                                     const std::string& content_type);
    boost::asio::awaitable<void> put_parts(Upload& upload);
    boost::asio::awaitable<void> put_part(Upload& upload, std::size_t index);
    boost::asio::awaitable<std::string> complete(const Upload& upload);
    boost::asio::awaitable<void> abort(const std::string& path, const std::string& id);
    boost::asio::awaitable<void> end_abandoned();

    const Options options_;
    Client client_;
    std::atomic<bool> is_swept_ = false;
};

}  // namespace spaktok::blob::s3
