// The blob part: files by key, with their types.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "app/moving/checksum.h"
#include "app/moving/journal.h"
#include "engines/blob/blob_store.h"

namespace spaktok::moving {

boost::asio::awaitable<bool> is_empty(blob::BlobStore& store);

// One file at a time, so that one is in memory. Goes on where the journal says.
boost::asio::awaitable<void> copy_blobs(blob::BlobStore& source, blob::BlobStore& target, Journal& journal,
                                        const Progress& progress);

// Of keys, types and bytes: reads every file.
boost::asio::awaitable<Checksum> checksum_of(blob::BlobStore& store, const Progress& progress);

}  // namespace spaktok::moving
