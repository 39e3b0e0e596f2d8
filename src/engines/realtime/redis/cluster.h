// What clients of a Redis Cluster have to know (https://redis.io/docs/reference/cluster-spec/): which slot a
// key is in, which server has a slot, and where an answer sends them.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "engines/realtime/redis/address.h"
#include "engines/realtime/redis/reply.h"

namespace spaktok::realtime::redis {

inline constexpr std::size_t slots = 16'384;

// Of what stands between the key's first braces, or of all of it.
std::size_t slot_of(std::string_view key);

struct SlotRange {
    std::size_t first = 0;
    std::size_t last = 0;
    Endpoint master;
    bool operator==(const SlotRange&) const = default;
};
struct ClusterMap {
    std::vector<SlotRange> ranges;
    std::vector<Endpoint> servers;  // masters and replicas
};
// The answer to CLUSTER SLOTS of the server at `asked`, which may not know its own name. Throws
// Error{unavailable} where it is no map.
ClusterMap parse_map(const Reply& answer, const Endpoint& asked);

struct Redirection {
    bool is_moved = false;  // for good; else for this command only
    std::size_t slot = 0;
    Endpoint server;
    bool operator==(const Redirection&) const = default;
};
// Of an error that says MOVED or ASK; nullopt of any other.
std::optional<Redirection> parse_redirection(std::string_view error, const Endpoint& asked);

}  // namespace spaktok::realtime::redis
