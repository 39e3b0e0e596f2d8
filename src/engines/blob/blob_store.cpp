#include "engines/blob/blob_store.h"

#include "base/error.h"
#include "engines/blob/directory/directory_store.h"

namespace spaktok::blob {

std::unique_ptr<BlobStore> open(const std::string& url) {
    constexpr std::string_view scheme = "file:";
    if (url.starts_with(scheme) && url.size() > scheme.size()) {
        return std::make_unique<directory::DirectoryStore>(
            directory::DirectoryStore::Options{.directory = url.substr(scheme.size())});
    }
    throw Error(ErrorCode::invalid_argument, "The blob engine's URL must be file:DIRECTORY.",
                {.field = "blob"});
}

}  // namespace spaktok::blob
