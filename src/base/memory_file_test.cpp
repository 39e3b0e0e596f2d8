#include "base/memory_file.h"

#include <gtest/gtest.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace spaktok {
namespace {

std::int64_t bytes_held(int descriptor) {
    struct stat status{};
    ::fstat(descriptor, &status);
    return status.st_blocks * 512;
}

TEST(MemoryFile, gives_back_what_was_put_in) {
    const auto file = MemoryFile::make();
    const auto first = file->append("first");
    const auto second = file->append(std::string(10'000, 'b') + "end");
    EXPECT_EQ(first->read(0, 5), "first");
    EXPECT_EQ(first->read(1, 3), "irs");
    EXPECT_EQ(second->size(), 10'003U);
    EXPECT_EQ(second->read(10'000, 3), "end");
    EXPECT_EQ(second->read(10'003, 0), "");
}

TEST(MemoryFile, gives_its_memory_back_extent_by_extent) {
    auto file = MemoryFile::make();
    auto first = file->append(std::string(100'000, 'a'));
    const auto second = file->append(std::string(50'000, 'b'));
    const auto both = bytes_held(second->descriptor());
    EXPECT_GE(both, 150'000);
    first.reset();
    EXPECT_LE(bytes_held(second->descriptor()), both - 100'000);
    file.reset();
    EXPECT_EQ(second->read(49'999, 1), "b") << "an extent outlives its file's owner";
}

TEST(MemoryFile, what_is_on_its_way_to_a_socket_stays_as_it_was) {
    const auto file = MemoryFile::make();
    auto extent = file->append(std::string(8'000, 'a'));
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    auto at = static_cast<off_t>(extent->begin());
    ASSERT_EQ(::sendfile(ends[0], extent->descriptor(), &at, extent->size()), 8'000);
    extent.reset();
    const auto next = file->append(std::string(8'000, 'b'));
    std::string received(8'000, '\0');
    ASSERT_EQ(::recv(ends[1], received.data(), received.size(), MSG_WAITALL), 8'000);
    EXPECT_EQ(received, std::string(8'000, 'a'));
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace spaktok
