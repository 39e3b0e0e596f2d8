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
    std::unordered_map<std::string, std::int64_t> spent;  // of shared limits, untold
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

    Shard& shard_of(std::string_view key) { return shards[KeyHash{}(key) / 7 % shards_count]; }
    // With the shard's lock held.
    Bucket& bucket(Shard& shard, std::string_view key, Nanoseconds refill, Nanoseconds now) {
        auto it = shard.buckets.find(key);
        if (it == shard.buckets.end()) {
            if (shard.buckets.size() >= shard_keys_max) forget_fullest(shard.buckets, now);
            it = shard.buckets.emplace(key, Bucket{now, refill}).first;
        }
        return it->second;
    }
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

    auto& shard = state_->shard_of(full_key);
    const std::lock_guard lock(shard.mutex);
    auto& bucket = state_->bucket(shard, full_key, refill, now);
    const auto full_at = std::max(bucket.full_at, now) + interval;
    if (full_at > now + refill) return std::chrono::ceil<std::chrono::milliseconds>(full_at - refill - now);
    bucket = {full_at, refill};
    const bool is_told = limit.shared && state_->options.has_peers;
    if (is_told && shard.spent.size() < state_->shard_keys_max) shard.spent[full_key] += interval.count();
    return std::nullopt;
}

std::vector<RateLimiter::Spent> RateLimiter::spent(std::size_t buckets_max) {
    std::vector<Spent> all;
    for (auto& shard : state_->shards) {
        const std::lock_guard lock(shard.mutex);
        while (!shard.spent.empty() && all.size() < buckets_max) {
            const auto one = shard.spent.extract(shard.spent.begin());
            const auto bucket = shard.buckets.find(one.key());
            if (bucket == shard.buckets.end()) continue;
            all.push_back({one.key(), Nanoseconds(one.mapped()), bucket->second.refill});
        }
    }
    return all;
}

void RateLimiter::spend(const Spent& spent) {
    const Nanoseconds now = state_->clock.steady_now().time_since_epoch();
    auto& shard = state_->shard_of(spent.key);
    const std::lock_guard lock(shard.mutex);
    auto& bucket = state_->bucket(shard, spent.key, spent.refill, now);
    bucket = {std::min(std::max(bucket.full_at, now) + spent.time, now + spent.refill), spent.refill};
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
