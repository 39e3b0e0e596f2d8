#include "base/memory_file.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

namespace spaktok {

namespace {

// Extents begin and end with a page: only whole pages are given back without writing into them, and a page
// may still be on its way to a client.
std::uint64_t whole_pages(std::uint64_t bytes) {
    static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

void give_back(int descriptor, std::uint64_t begin, std::size_t size) {
    // Without success the memory is given back with the file.
    ::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
                static_cast<off_t>(whole_pages(size)));
}

}  // namespace

std::shared_ptr<MemoryFile> MemoryFile::make() {
    const int descriptor = ::memfd_create("spaktok", MFD_CLOEXEC);
    return descriptor < 0 ? nullptr : std::make_shared<MemoryFile>(descriptor);
}

MemoryFile::~MemoryFile() {
    ::close(descriptor_);
}

std::shared_ptr<const MemoryFile::Extent> MemoryFile::append(std::string_view bytes) {
    const auto begin = end_.fetch_add(whole_pages(bytes.size()));
    for (std::size_t done = 0; done < bytes.size();) {
        const auto written =
            ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(begin + done));
        if (written > 0) {
            done += static_cast<std::size_t>(written);
        } else if (errno != EINTR) {
            give_back(descriptor_, begin, bytes.size());
            return nullptr;
        }
    }
    return std::make_shared<const Extent>(shared_from_this(), begin, bytes.size());
}

MemoryFile::Extent::~Extent() {
    give_back(descriptor(), begin_, size_);
}

std::string MemoryFile::Extent::read(std::size_t offset, std::size_t length) const {
    SPAKTOK_ASSERT(offset <= size_ && length <= size_ - offset);
    std::string bytes(length, '\0');
    for (std::size_t done = 0; done < length;) {
        const auto count = ::pread(descriptor(), bytes.data() + done, length - done,
                                   static_cast<off_t>(begin_ + offset + done));
        SPAKTOK_ASSERT(count > 0 || (count < 0 && errno == EINTR));
        if (count > 0) done += static_cast<std::size_t>(count);
    }
    return bytes;
}

}  // namespace spaktok
