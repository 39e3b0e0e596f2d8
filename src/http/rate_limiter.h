// Token buckets for requests, on this node.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/router.h"

namespace spaktok::http {

// Thread-safe (sharded locks). Remembers at most `keys_max` keys; beyond that the fullest buckets are
// forgotten first.
class RateLimiter {
  public:
    struct Options {
        std::size_t keys_max = 100'000;
        double scale = 1.0;  // multiplies every limit; setting `rate_limit_scale` (load tests raise it)
    };
    RateLimiter(const Clock& clock, Options options);
    ~RateLimiter();

    // nullopt: allowed, and counted. Otherwise how long until the next one would be.
    std::optional<std::chrono::milliseconds> take(const RateLimit& limit, std::string_view key);
    std::size_t keys() const;  // remembered now, at most keys_max

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// What a client's address counts as: itself, or the /64 of an IPv6 address (one subscriber usually has a
// whole /64).
std::string rate_key(std::string_view address);

}  // namespace spaktok::http
