#include "engines/blob/directory/file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace spaktok::blob::directory {

void fail(std::string_view what, const std::filesystem::path& path) {
    const int code = errno;
    throw Error(
        ErrorCode::unavailable, "The server cannot reach its files. Try again in a moment.",
        {.detail = std::string(what) + " " + path.string() + ": " + std::generic_category().message(code),
         .retry_after = std::chrono::seconds(1)});
}

std::optional<File> File::open_to_read(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) return File(descriptor, path);
    // A file where a folder should be cannot happen by keys: ENOTDIR is somebody else's file, and no blob
    // either.
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    fail("open", path);
}

File File::create(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (descriptor < 0) fail("create", path);
    return File(descriptor, path);
}

File::~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

void File::read_at(std::uint64_t offset, std::span<char> into) const {
    while (!into.empty()) {
        const auto count = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) errno = EIO;
        if (count <= 0) fail("read", path_);
        offset += static_cast<std::uint64_t>(count);
        into = into.subspan(static_cast<std::size_t>(count));
    }
}

void File::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::write(descriptor_, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("write", path_);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void File::sync() const {
    if (::fsync(descriptor_) != 0) fail("fsync", path_);
}

File::Status File::status() const {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) fail("stat", path_);
    return {.size_bytes = static_cast<std::uint64_t>(status.st_size),
            .modified_at = from_unix_milliseconds(std::int64_t{status.st_mtim.tv_sec} * 1000 +
                                                  status.st_mtim.tv_nsec / 1'000'000)};
}

void sync_folder(const std::filesystem::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) return;  // removed by another thread since: no names left to keep
    if (descriptor < 0) fail("open", folder);
    const int result = ::fsync(descriptor);
    ::close(descriptor);
    if (result != 0) fail("fsync", folder);
}

void create_folders(const std::filesystem::path& folder) {
    std::error_code error;
    if (folder.empty() || std::filesystem::is_directory(folder, error)) return;
    create_folders(folder.parent_path());
    if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) {
        if (errno == ENOENT)
            return;  // the one above was removed again: the caller's rename says so, and it tries again
        fail("create folder", folder);
    }
    sync_folder(folder.has_parent_path() ? folder.parent_path() : ".");
}

}  // namespace spaktok::blob::directory
