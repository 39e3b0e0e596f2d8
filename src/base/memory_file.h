// Bytes in memory that the kernel can send to many sockets without copying them: an anonymous file, for
// sendfile(2).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace spaktok {

// Grows at its end and gives memory back in the middle. Lives as long as the last of its extents.
// Thread-safe.
class MemoryFile : public std::enable_shared_from_this<MemoryFile> {
  public:
    // Bytes of the file, unchanged for as long as somebody holds them. Their memory is given back with the
    // last holder; what the kernel has still to send of them it keeps for itself.
    class Extent {
      public:
        Extent(std::shared_ptr<const MemoryFile> file, std::uint64_t begin, std::size_t size)
            : file_(std::move(file)), begin_(begin), size_(size) {}
        ~Extent();
        Extent(const Extent&) = delete;
        Extent& operator=(const Extent&) = delete;

        int descriptor() const { return file_->descriptor_; }
        std::uint64_t begin() const { return begin_; }  // in the file
        std::size_t size() const { return size_; }
        // A copy. [offset, offset + length) lies within.
        std::string read(std::size_t offset, std::size_t length) const;

      private:
        const std::shared_ptr<const MemoryFile> file_;
        const std::uint64_t begin_;
        const std::size_t size_;
    };

    // nullptr where the process has no descriptor left.
    static std::shared_ptr<MemoryFile> make();
    explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}
    ~MemoryFile();
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    // nullptr where there is no memory left.
    std::shared_ptr<const Extent> append(std::string_view bytes);

  private:
    const int descriptor_;
    std::atomic<std::uint64_t> end_{0};
};

}  // namespace spaktok
