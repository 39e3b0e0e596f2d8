// Files by descriptor: RAII, whole reads and writes, and errors as base::Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/timestamp.h"

namespace spaktok::blob::directory {

// Throws Error{unavailable} that says what failed on which path, from errno.
[[noreturn]] void fail(std::string_view what, const std::filesystem::path& path);

class File {
  public:
    // nullopt where there is no such file.
    static std::optional<File> open_to_read(const std::filesystem::path& path);
    static File create(const std::filesystem::path& path);
    ~File();
    File(File&& other) noexcept;
    File& operator=(File&&) = delete;

    // Exactly that many bytes; fewer is an error: files are replaced, never cut.
    void read_at(std::uint64_t offset, std::span<char> into) const;
    void write(std::string_view bytes);
    void sync() const;

    struct Status {
        std::uint64_t size_bytes;
        Timestamp modified_at;
    };
    Status status() const;

  private:
    File(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
    int descriptor_;
    std::filesystem::path path_;
};

// Makes the names in a folder durable.
void sync_folder(const std::filesystem::path& folder);
// Creates the folder and those above it, durably.
void create_folders(const std::filesystem::path& folder);

}  // namespace spaktok::blob::directory
