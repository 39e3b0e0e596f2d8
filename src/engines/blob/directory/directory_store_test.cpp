#include "engines/blob/directory/directory_store.h"

#include <chrono>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "engines/blob/directory/header.h"
#include "engines/testing/testing.h"

namespace spaktok::blob::directory {

namespace fs = std::filesystem;
using engines::testing::error_of;
using engines::testing::FolderPlace;
using engines::testing::run;

namespace {

std::size_t files_below(const fs::path& folder) {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        count += entry.is_regular_file() ? 1 : 0;
    return count;
}

void write_file(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace

class DirectoryStoreTest : public testing::Test {
  protected:
    FolderPlace place_{"file:", ""};
    const fs::path& folder() const { return place_.folder(); }
    DirectoryStore::Options options(std::size_t bytes_max = 1'000) const {
        return {.directory = folder().string(), .threads = 1, .blob_bytes_max = bytes_max};
    }
};

TEST_F(DirectoryStoreTest, KeepsOneFileABlobWhoseBytesFollowTheHeader) {
    DirectoryStore store(options());
    run(store.put("pictures/a.webp", "bytes", "image/webp"));
    std::ifstream file(folder() / "pictures" / "a.webp~blob", std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(text.substr(header_bytes), "bytes");
    EXPECT_EQ(files_below(folder()), 1u);
}

TEST_F(DirectoryStoreTest, TakesABlobAtTheLimitAndRefusesOnePastIt) {
    DirectoryStore store(options(10));
    run(store.put("a", std::string(10, 'x'), "text/plain"));
    EXPECT_EQ(run(store.stat("a"))->size_bytes, 10u);
    EXPECT_EQ(error_of(store.put("a", std::string(11, 'x'), "text/plain")), ErrorCode::payload_too_large);
    EXPECT_EQ(run(store.stat("a"))->size_bytes, 10u);
}

TEST_F(DirectoryStoreTest, TellsADamagedFileFromAMissingOne) {
    DirectoryStore store(options());
    run(store.put("a", "bytes", "text/plain"));
    const fs::path path = folder() / "a~blob";
    fs::resize_file(path, header_bytes + 2);
    EXPECT_EQ(error_of(store.get("a", {})), ErrorCode::internal);
    write_file(path, "no header");
    EXPECT_EQ(error_of(store.stat("a")), ErrorCode::internal);
    write_file(path, std::string(header_bytes - 1, ' ') + "\n");
    EXPECT_EQ(error_of(store.stat("a")), ErrorCode::internal);
}

TEST_F(DirectoryStoreTest, RemovesWhatOldInterruptedWritesLeft) {
    const fs::path temporary = folder() / "temporary~";
    fs::create_directories(temporary);
    write_file(temporary / "old", "x");
    write_file(temporary / "new", "x");
    fs::last_write_time(temporary / "old", fs::file_time_type::clock::now() - std::chrono::hours(2));
    DirectoryStore store(options());
    EXPECT_FALSE(fs::exists(temporary / "old"));
    EXPECT_TRUE(fs::exists(temporary / "new"));
}

TEST_F(DirectoryStoreTest, RemovesFoldersThatAreEmpty) {
    DirectoryStore store(options());
    run(store.put("a/b/c", "bytes", "text/plain"));
    run(store.put("a/d", "bytes", "text/plain"));
    run(store.remove("a/b/c"));
    EXPECT_FALSE(fs::exists(folder() / "a" / "b"));
    EXPECT_TRUE(fs::exists(folder() / "a"));
    run(store.remove("a/d"));
    EXPECT_FALSE(fs::exists(folder() / "a"));
}

TEST_F(DirectoryStoreTest, AWriteThatFailsLeavesNothingAndTheOldBlob) {
    DirectoryStore store(options());
    run(store.put("a", "old", "text/plain"));
    // A folder where the new file belongs: the rename is refused whoever runs the test.
    fs::create_directories(folder() / "b~blob" / "inner");
    EXPECT_EQ(error_of(store.put("b", "new", "text/plain")), ErrorCode::unavailable);
    EXPECT_EQ(files_below(folder()), 1u);
    EXPECT_EQ(run(store.get("a", {}))->bytes, "old");
}

TEST_F(DirectoryStoreTest, CheckFailsWhereTheDirectoryIsGone) {
    DirectoryStore store(options());
    EXPECT_NO_THROW(run(store.check()));
    fs::remove_all(folder());
    EXPECT_EQ(error_of(store.check()), ErrorCode::unavailable);
}

TEST_F(DirectoryStoreTest, OtherUrlsAreRefused) {
    EXPECT_THROW(open("s3://bucket"), Error);
    EXPECT_THROW(open("file:"), Error);
}

}  // namespace spaktok::blob::directory
