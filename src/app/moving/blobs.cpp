#include "app/moving/blobs.h"

#include "engines/blob/limits.h"
#include "engines/blob/listing.h"

namespace spaktok::moving {

namespace asio = boost::asio;
using blob::BlobStore;

namespace {
constexpr const char* part = "files";
}

asio::awaitable<bool> is_empty(BlobStore& store) {
    const auto keys = co_await lister_of(store).list("", 1);
    co_return keys.empty();
}

asio::awaitable<void> copy_blobs(BlobStore& source, BlobStore& target, Journal& journal,
                                 const Progress& progress) {
    const auto position = journal.position(part);
    std::string after = position.is_string() ? std::string(position.as_string()) : "";
    std::int64_t copied = 0;
    for (bool done = false; !done;) {
        const auto keys = co_await lister_of(source).list(after, blob::list_keys_max);
        done = keys.size() < blob::list_keys_max;
        for (const auto& key : keys) {
            auto found = co_await source.get(key);
            if (!found)
                throw Error(ErrorCode::conflict, "The file " + key + " went away while it was copied.");
            co_await target.put(key, std::move(found->bytes), found->metadata.content_type);
            after = key;
            progress("copying files", ++copied);
            journal.record(part, json::Value(boost::json::string(after)));
        }
    }
}

asio::awaitable<Checksum> checksum_of(BlobStore& store, const Progress& progress) {
    Checksum sum;
    std::string after;
    for (bool done = false; !done;) {
        const auto keys = co_await lister_of(store).list(after, blob::list_keys_max);
        done = keys.size() < blob::list_keys_max;
        if (!keys.empty()) after = keys.back();
        for (const auto& key : keys) {
            const auto found = co_await store.get(key);
            if (!found) throw Error(ErrorCode::conflict, "The file " + key + " went away while it was read.");
            // Neither keys nor types have a line feed.
            sum.add(key + "\n" + found->metadata.content_type + "\n" + found->bytes);
            progress("comparing files", sum.count());
        }
    }
    co_return sum;
}

}  // namespace spaktok::moving
