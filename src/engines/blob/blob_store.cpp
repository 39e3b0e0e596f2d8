#include "engines/blob/blob_store.h"

#include <cstdlib>

#include "base/error.h"
#include "engines/blob/directory/directory_store.h"
#include "engines/blob/s3/s3_store.h"

namespace spaktok::blob {

namespace {
std::optional<std::string> environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
}
}  // namespace

std::unique_ptr<BlobStore> open(const std::string& url) {
    constexpr std::string_view scheme = "file:";
    if (url.starts_with(scheme) && url.size() > scheme.size()) {
        return std::make_unique<directory::DirectoryStore>(
            directory::DirectoryStore::Options{.directory = url.substr(scheme.size())});
    }
    if (url.starts_with("s3:")) return std::make_unique<s3::S3Store>(s3::parse_address(url, environment));
    throw Error(ErrorCode::invalid_argument, "The blob engine's URL must be file:DIRECTORY or s3://….",
                {.field = "blob"});
}

}  // namespace spaktok::blob
