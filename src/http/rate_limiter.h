// Token buckets for requests. Nodes tell each other what was taken of the shared ones, a few times a second:
// what one node lets through in between is its own.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/router.h"

namespace spaktok::http {

// Thread-safe (sharded locks). Remembers at most `keys_max` keys; beyond that the fullest buckets are
// forgotten first.
class RateLimiter {
  public:
    struct Options {
        std::size_t keys_max = 100'000;
        double scale = 1.0;      // multiplies every limit; setting `rate_limit_scale` (load tests raise it)
        bool has_peers = false;  // whether `spent` is asked for
    };
    RateLimiter(const Clock& clock, Options options);
    ~RateLimiter();

    // nullopt: allowed, and counted. Otherwise how long until the next one would be.
    std::optional<std::chrono::milliseconds> take(const RateLimit& limit, std::string_view key);

    // What was taken from one bucket.
    struct Spent {
        std::string key;
        std::chrono::nanoseconds time{};    // in which that comes back
        std::chrono::nanoseconds refill{};  // from empty to full
    };
    // What was taken here of shared limits since the last call; of at most so many buckets, the others wait.
    std::vector<Spent> spent(std::size_t buckets_max);
    // What was taken at another node.
    void spend(const Spent& spent);

    std::size_t keys() const;  // remembered now, at most keys_max

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// What a client's address counts as: itself, or the /64 of an IPv6 address (one subscriber usually has a
// whole /64).
std::string rate_key(std::string_view address);

}  // namespace spaktok::http
