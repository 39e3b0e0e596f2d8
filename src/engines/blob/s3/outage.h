// What is known of a server that cannot be reached: while it is gone, callers are refused at once, but for
// one at a time that looks whether it is back.
#pragma once

#include <algorithm>
#include <chrono>
#include <mutex>

namespace spaktok::blob::s3 {

// Thread-safe.
class Outage {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds pause_min{100};
    static constexpr std::chrono::milliseconds pause_max{1'000};

    // How long a look at the server may take before another caller may have one.
    explicit Outage(Clock::duration look_max) : look_max_(look_max) {}

    // False where the server is gone and it is not yet time to look again.
    bool admits(Clock::time_point now) {
        const std::scoped_lock lock(mutex_);
        if (pause_ == Clock::duration::zero()) return true;
        if (now < next_look_) return false;
        next_look_ = now + look_max_;
        return true;
    }
    void reached() {
        const std::scoped_lock lock(mutex_);
        pause_ = Clock::duration::zero();
    }
    // Returns when to look again.
    Clock::time_point missed(Clock::time_point now) {
        const std::scoped_lock lock(mutex_);
        pause_ = std::clamp<Clock::duration>(2 * pause_, pause_min, pause_max);
        next_look_ = now + pause_;
        return next_look_;
    }

  private:
    const Clock::duration look_max_;
    std::mutex mutex_;
    Clock::duration pause_{0};  // zero while the server is there
    Clock::time_point next_look_{};
};

}  // namespace spaktok::blob::s3
