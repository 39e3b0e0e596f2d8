// The blob port on a directory. Files are read and written on a pool of threads.
//
// One file a blob, which begins with a header of fixed size (content type, etag, size), so that one rename
// replaces the bytes and what is said of them together. A file's name is the key's last segment and "~blob",
// and folders are its other segments: '~' is no character of keys, so "a" and "a/b" can both exist. `tail -c
// +513` gives the bytes.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "engines/blob/blob_store.h"
#include "engines/blob/listing.h"

namespace spaktok::blob::directory {

// Callable from any thread; callers are resumed on their own executors.
class DirectoryStore final : public BlobStore, public Lister {
  public:
    struct Options {
        std::string directory;
        std::size_t threads = 4;
        std::size_t queued_jobs_max = 1'000;
        // Blobs are in memory while they are written and read.
        std::size_t blob_bytes_max = 256 * 1024 * 1024;
    };
    // Creates the directory where missing and removes what interrupted writes left. Throws
    // Error{unavailable}.
    explicit DirectoryStore(Options options);

    boost::asio::awaitable<std::string> put(std::string key, std::string bytes,
                                            std::string content_type) override;
    boost::asio::awaitable<std::optional<Blob>> get(std::string key, Range range) override;
    boost::asio::awaitable<std::optional<Metadata>> stat(std::string key) override;
    boost::asio::awaitable<bool> remove(std::string key) override;
    boost::asio::awaitable<std::vector<std::string>> list(std::string after, std::size_t limit) override;
    boost::asio::awaitable<void> check() override;
    std::optional<std::string> presigned_get(const std::string& key, std::chrono::seconds expires) override;

  private:
    std::filesystem::path file_of(const std::string& key) const;
    std::filesystem::path new_temporary();
    void remove_leftovers();
    // These block.
    std::string write(const std::string& key, const std::string& bytes, const std::string& content_type);
    bool erase(const std::string& key);

    Options options_;
    std::filesystem::path root_;
    std::filesystem::path temporary_;
    std::atomic<std::uint64_t> next_temporary_{0};
    WorkerPool pool_;
};

}  // namespace spaktok::blob::directory
