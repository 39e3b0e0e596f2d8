#include "gateway/admission.h"

#include "base/assert.h"
#include "base/error.h"
#include "http/rate_limiter.h"

namespace spaktok::gateway {
namespace {
// A handshake is registered microseconds after it was authenticated; a minute is beyond every stall that it
// may survive.
constexpr std::chrono::minutes ended_kept{1};
constexpr std::size_t ended_kept_max = 10'000;
}  // namespace

void Admission::admit(const std::string& remote_address, const std::string& session_id) {
    const std::string key = http::rate_key(remote_address);
    const std::lock_guard lock(mutex_);
    if (closed_ || connections_ >= options_.connections_max) {
        throw Error(ErrorCode::unavailable, "The server takes no more connections at the moment.",
                    {.reason = "too_many_connections", .retry_after = std::chrono::seconds(5)});
    }
    if (!session_id.empty() && has_ended(session_id)) {
        throw Error(ErrorCode::unauthenticated, "This session has ended. Please sign in again.");
    }
    const auto found = by_address_.find(key);
    if (found != by_address_.end() && found->second >= options_.connections_per_address_max) {
        throw Error(ErrorCode::rate_limited, "There are too many connections from your address.",
                    {.reason = "too_many_connections", .retry_after = std::chrono::seconds(30)});
    }
    ++by_address_[key];
    ++connections_;
}

void Admission::release(const std::string& remote_address) {
    const std::string key = http::rate_key(remote_address);
    const std::lock_guard lock(mutex_);
    const auto found = by_address_.find(key);
    SPAKTOK_ASSERT(found != by_address_.end() && connections_ > 0);
    if (--found->second == 0) by_address_.erase(found);
    --connections_;
}

void Admission::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
}

void Admission::session_ended(const std::string& session_id) {
    const std::lock_guard lock(mutex_);
    if (!ended_.insert(session_id).second) return;
    ended_in_order_.emplace_back(clock_.steady_now(), session_id);
    if (ended_in_order_.size() > ended_kept_max) {
        ended_.erase(ended_in_order_.front().second);
        ended_in_order_.pop_front();
    }
}

bool Admission::has_ended(const std::string& session_id) {
    const auto oldest = clock_.steady_now() - ended_kept;
    while (!ended_in_order_.empty() && ended_in_order_.front().first < oldest) {
        ended_.erase(ended_in_order_.front().second);
        ended_in_order_.pop_front();
    }
    return ended_.contains(session_id);
}

std::size_t Admission::connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
}

}  // namespace spaktok::gateway
