// Counts failed proofs of a password, so that guessing one gets slow long before it succeeds.
#pragma once

#include <chrono>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "engines/realtime/realtime.h"

namespace spaktok::accounts {

// Thread-safe. `subject` is whose password is guessed: a user's id, or what was typed where there is no such
// user (so that both are refused alike).
class SignInGuard {
  public:
    static constexpr std::chrono::minutes window{15};
    // One address may be wrong this often; the second limit stops guessing from many addresses. It is the
    // higher one, because reaching it keeps the owner out as well.
    static constexpr std::int64_t failures_per_address_max = 10;
    static constexpr std::int64_t failures_max = 100;

    explicit SignInGuard(realtime::Counters& counters) : counters_(counters) {}

    struct Attempt {
        std::string subject;
        std::string remote_address;
    };
    // Counts the attempt as a failure until `succeeded` takes it back, so that attempts at the same moment
    // count too. Throws Error{rate_limited, "too_many_attempts"}.
    boost::asio::awaitable<void> begin(Attempt attempt);
    boost::asio::awaitable<void> succeeded(Attempt attempt);

  private:
    realtime::Counters& counters_;
};

// The address, or an IPv6 address's /64, which is what one household or server has.
std::string network_of(const std::string& address);

}  // namespace spaktok::accounts
