// Who may connect: the limits over all I/O threads, and the sessions that ended a moment ago.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/clock.h"

namespace spaktok::gateway {

// Thread-safe; touched when a connection comes and goes, never for a message.
class Admission {
  public:
    struct Options {
        std::size_t connections_max;
        std::size_t connections_per_address_max;
    };
    Admission(const Clock& clock, Options options) : clock_(clock), options_(options) {}

    // Counts the connection, or throws Error{unavailable} (full, stopping), {rate_limited} (too many from the
    // address), or {unauthenticated} (its session has ended since the request was authenticated).
    void admit(const std::string& remote_address, const std::string& session_id);
    void release(const std::string& remote_address);
    // Nobody is admitted any more.
    void close();

    // Remembers for a while that the session ended: a handshake that was authenticated before and registers
    // after its sockets were closed would otherwise stay for good.
    void session_ended(const std::string& session_id);

    std::size_t connections() const;

  private:
    bool has_ended(const std::string& session_id);

    const Clock& clock_;
    Options options_;
    mutable std::mutex mutex_;
    bool closed_ = false;
    std::size_t connections_ = 0;
    std::unordered_map<std::string, std::size_t> by_address_;  // by http::rate_key
    std::deque<std::pair<std::chrono::steady_clock::time_point, std::string>> ended_in_order_;
    std::unordered_set<std::string> ended_;
};

}  // namespace spaktok::gateway
