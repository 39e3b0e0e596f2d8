// A hash map split into shards with a lock each, so that threads that touch different keys seldom meet.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace spaktok::realtime::local {

// Lets maps keyed by std::string be searched by std::string_view without a copy.
struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};
template <class T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

// Shard: a struct with a member `std::mutex mutex`.
template <class Shard>
class Sharded {
  public:
    Shard& of(std::string_view key) {
        // The maps inside use the low bits of the same hash: shards take higher ones, or each map's buckets
        // would be uneven.
        return shards_[(StringHash{}(key) >> 48) % shards_.size()];
    }
    auto begin() { return shards_.begin(); }
    auto end() { return shards_.end(); }

  private:
    // A cache line each, so that one shard's lock does not slow its neighbour's.
    struct alignas(64) Aligned : Shard {};
    std::array<Aligned, 64> shards_;
};

}  // namespace spaktok::realtime::local
