// The directory of the embedded engines, held by one process at a time.
#pragma once

#include <filesystem>

namespace spaktok::app {

class DataDirectory {
  public:
    // Creates it where missing (mode 700) and takes its lock. Throws Error{unavailable} where it cannot be
    // written, and Error{conflict} where another process holds it.
    explicit DataDirectory(const std::filesystem::path& path);
    ~DataDirectory();
    DataDirectory(const DataDirectory&) = delete;
    DataDirectory& operator=(const DataDirectory&) = delete;

  private:
    int lock_;
};

}  // namespace spaktok::app
