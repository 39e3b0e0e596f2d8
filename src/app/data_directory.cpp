#include "app/data_directory.h"

#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"

namespace spaktok::app {

DataDirectory::DataDirectory(const std::filesystem::path& path) {
    std::error_code error;
    const bool created = std::filesystem::create_directories(path, error);
    if (created) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
    lock_ = ::open((path / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0) {
        throw Error(ErrorCode::unavailable,
                    "cannot write to the data directory " + path.string() + ": " + std::strerror(errno));
    }
    // The kernel lets go of it however the process ends.
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        ::close(lock_);
        throw Error(ErrorCode::conflict, "another process uses the data directory " + path.string());
    }
}

DataDirectory::~DataDirectory() {
    ::close(lock_);
}

}  // namespace spaktok::app
