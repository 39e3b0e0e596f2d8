// A bounded read-through cache in the process whose entries live for a short, fixed time.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"

namespace spaktok::cache {

// Thread-safe (sharded locks). Of what another node changes, it is stale for at most `life`. The oldest entry
// goes first, which is also the one that expires first.
//
// A load that began before a drop must not bring the old value back, so it takes a ticket first:
//   if (auto hit = cache.get(id)) co_return *hit;
//   const auto ticket = cache.ticket(id);
//   auto value = co_await load(id);
//   cache.put(id, value, ticket);
template <class Key, class Value>
class ExpiringCache {
  public:
    struct Options {
        std::chrono::milliseconds life{10'000};
        std::size_t entries_max = 10'000;  // over all shards
    };
    ExpiringCache(const Clock& clock, Options options) : clock_(clock), options_(options) {}

    std::optional<Value> get(const Key& key) {
        auto& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.entries.find(key);
        if (found == shard.entries.end()) return std::nullopt;
        if (found->second.expires_at <= clock_.steady_now()) {
            erase(shard, found);
            return std::nullopt;
        }
        return found->second.value;
    }

    std::uint64_t ticket(const Key& key) {
        auto& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        return shard.drops;
    }

    // Keeps nothing where something of the key's shard was dropped since the ticket was taken.
    void put(const Key& key, Value value, std::uint64_t ticket) {
        auto& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        if (shard.drops != ticket) return;
        if (const auto found = shard.entries.find(key); found != shard.entries.end()) erase(shard, found);
        const std::size_t entries_max = std::max<std::size_t>(1, options_.entries_max / shards_.size());
        while (shard.entries.size() >= entries_max)
            erase(shard, shard.entries.find(shard.by_age.front()));
        shard.by_age.push_back(key);
        shard.entries.emplace(
            key, Entry{std::move(value), clock_.steady_now() + options_.life, std::prev(shard.by_age.end())});
    }

    void drop(const Key& key) {
        auto& shard = shard_of(key);
        const std::lock_guard lock(shard.mutex);
        ++shard.drops;
        if (const auto found = shard.entries.find(key); found != shard.entries.end()) erase(shard, found);
    }

  private:
    struct Entry {
        Value value;
        std::chrono::steady_clock::time_point expires_at;
        typename std::list<Key>::iterator place;
    };
    struct Shard {
        std::mutex mutex;
        std::unordered_map<Key, Entry> entries;
        std::list<Key> by_age;
        std::uint64_t drops = 0;
    };

    Shard& shard_of(const Key& key) { return shards_[std::hash<Key>{}(key) % shards_.size()]; }
    static void erase(Shard& shard, typename std::unordered_map<Key, Entry>::iterator entry) {
        shard.by_age.erase(entry->second.place);
        shard.entries.erase(entry);
    }

    const Clock& clock_;
    Options options_;
    std::array<Shard, 16> shards_;
};

// The values of those `keys` that have one: from the cache, and what it lacks by one
// `load` (std::vector<Key>) -> awaitable<std::unordered_map<Key, Value>>.
template <class Key, class Value, class Load>
boost::asio::awaitable<std::unordered_map<Key, Value>> get_all(ExpiringCache<Key, Value>& cache,
                                                               std::vector<Key> keys, Load load) {
    std::unordered_map<Key, Value> found;
    std::unordered_map<Key, std::uint64_t> tickets;
    std::vector<Key> missing;
    for (const auto& key : keys) {
        if (auto hit = cache.get(key)) {
            found.emplace(key, std::move(*hit));
        } else if (tickets.emplace(key, cache.ticket(key)).second) {
            missing.push_back(key);
        }
    }
    if (missing.empty()) co_return found;
    for (auto& [key, value] : co_await load(std::move(missing))) {
        cache.put(key, value, tickets.at(key));
        found.emplace(key, std::move(value));
    }
    co_return found;
}

}  // namespace spaktok::cache
