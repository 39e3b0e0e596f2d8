// The keys of all blobs, for copies of a whole place.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace spaktok::blob {

class BlobStore;

// Every adapter is one; apart from the port, as features never need it.
class Lister {
  public:
    virtual ~Lister() = default;
    // At most `limit` (1 to list_keys_max) keys that follow `after` (empty: from the first) in an order of
    // the engine's own; fewer only at the end. What is put or removed meanwhile may be in it or not,
    // everything else is, once. Throws what the port does.
    virtual boost::asio::awaitable<std::vector<std::string>> list(std::string after, std::size_t limit) = 0;
};

// Asserts that it is an adapter.
Lister& lister_of(BlobStore& store);

}  // namespace spaktok::blob
