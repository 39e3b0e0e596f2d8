// The document part: collections by _id.
#pragma once

#include <cstddef>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "app/moving/checksum.h"
#include "app/moving/journal.h"
#include "engines/document/declaration.h"

namespace spaktok::moving {

// Of all features.
std::vector<document::Declaration> all_collections();

// Makes each where it is missing.
boost::asio::awaitable<void> ensure_collections(document::Store& store);

boost::asio::awaitable<bool> is_empty(document::Store& store, const document::Declaration& collection);

// Goes on where the journal says; a document whose _id is there already is left as it is there. Throws
// document::DuplicateKey where the target has another one that a unique index does not let it stand beside.
boost::asio::awaitable<void> copy_collection(document::Store& source, document::Store& target,
                                             const document::Declaration& collection, Journal& journal,
                                             std::size_t batch_documents, const Progress& progress);

boost::asio::awaitable<Checksum> checksum_of(document::Store& store, const document::Declaration& collection,
                                             std::size_t batch_documents, const Progress& progress);

}  // namespace spaktok::moving
