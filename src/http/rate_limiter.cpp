#include "http/rate_limiter.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "base/assert.h"

namespace spaktok::http {

namespace {

using Nanoseconds = std::chrono::nanoseconds;

// The bucket as the one moment at which it will be full again (the generic cell rate algorithm): no refill to
// compute, and a bucket whose moment has passed is the same as none.
struct Bucket {
    Nanoseconds full_at{0};
    Nanoseconds refill{0};  // from empty to full

    double emptiness(Nanoseconds now) const {
        if (full_at <= now || refill.count() == 0) return 0;
        return static_cast<double>((full_at - now).count()) / static_cast<double>(refill.count());
    }
};

struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
};
using Buckets = std::unordered_map<std::string, Bucket, KeyHash, std::equal_to<>>;

struct Shard {
    std::mutex mutex;
    Buckets buckets;
};

constexpr std::size_t shards_count = 16;

// Forgets the fullest quarter, so that each sweep of the shard pays for many insertions.
void forget_fullest(Buckets& buckets, Nanoseconds now) {
    std::vector<double> emptiness;
    emptiness.reserve(buckets.size());
    for (const auto& [key, bucket] : buckets)
        emptiness.push_back(bucket.emptiness(now));
    const auto quarter = emptiness.begin() + static_cast<std::ptrdiff_t>(emptiness.size() / 4);
    std::nth_element(emptiness.begin(), quarter, emptiness.end());
    const double threshold = *quarter;
    std::size_t left = buckets.size() / 4 + 1;
    for (auto it = buckets.begin(); it != buckets.end();) {
        const double value = it->second.emptiness(now);
        // Whoever is full goes in any case; of those at the threshold only as many as are needed.
        const bool forget = value == 0 || (value <= threshold && left > 0);
        if (forget && left > 0) --left;
        it = forget ? buckets.erase(it) : std::next(it);
    }
}

}  // namespace

struct RateLimiter::State {
    const Clock& clock;
    Options options;
    std::size_t shard_keys_max;
    std::array<Shard, shards_count> shards;
};

RateLimiter::RateLimiter(const Clock& clock, Options options)
    : state_(new State{clock, options, std::max<std::size_t>(1, options.keys_max / shards_count), {}}) {
    SPAKTOK_ASSERT(options.scale > 0);
}
RateLimiter::~RateLimiter() = default;

std::optional<std::chrono::milliseconds> RateLimiter::take(const RateLimit& limit, std::string_view key) {
    SPAKTOK_ASSERT(limit.per_minute > 0 && limit.burst > 0);
    thread_local std::string full_key;
    full_key.assign(limit.name);
    full_key.push_back('\n');
    full_key.append(key);

    const Nanoseconds interval{static_cast<std::int64_t>(60e9 / (limit.per_minute * state_->options.scale))};
    const auto burst =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(limit.burst * state_->options.scale));
    const Nanoseconds refill = interval * burst;
    const Nanoseconds now = state_->clock.steady_now().time_since_epoch();

    auto& shard = state_->shards[KeyHash{}(full_key) / 7 % shards_count];
    const std::lock_guard lock(shard.mutex);
    auto it = shard.buckets.find(std::string_view(full_key));
    if (it == shard.buckets.end()) {
        if (shard.buckets.size() >= state_->shard_keys_max) forget_fullest(shard.buckets, now);
        it = shard.buckets.emplace(full_key, Bucket{now, refill}).first;
    }
    auto& bucket = it->second;
    const auto full_at = std::max(bucket.full_at, now) + interval;
    if (full_at > now + refill) return std::chrono::ceil<std::chrono::milliseconds>(full_at - refill - now);
    bucket = {full_at, refill};
    return std::nullopt;
}

std::size_t RateLimiter::keys() const {
    std::size_t count = 0;
    for (auto& shard : state_->shards) {
        const std::lock_guard lock(shard.mutex);
        count += shard.buckets.size();
    }
    return count;
}

std::string rate_key(std::string_view address) {
    if (address.find(':') == std::string_view::npos) return std::string(address);  // IPv4: nothing to cut
    boost::system::error_code error;
    const auto parsed = boost::asio::ip::make_address_v6(address, error);
    if (error) return std::string(address);
    auto bytes = parsed.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return boost::asio::ip::address_v6(bytes).to_string() + "/64";
}

}  // namespace spaktok::http
