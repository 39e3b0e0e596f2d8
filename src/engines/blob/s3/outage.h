// What is known of a server that cannot be reached: while it is gone, callers are refused at once, but for
// one at a time that looks whether it is back.
#pragma once

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

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
    bool is_gone() const {
        const std::scoped_lock lock(mutex_);
        return pause_ != Clock::duration::zero();
    }
    // Whether the server was gone until now.
    bool reached() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(pause_, Clock::duration::zero()) != Clock::duration::zero();
    }
    struct Missed {
        Clock::time_point next_look;
        bool is_first = false;  // since the server was there
    };
    Missed missed(Clock::time_point now) {
        const std::scoped_lock lock(mutex_);
        const bool is_first = pause_ == Clock::duration::zero();
        pause_ = std::clamp<Clock::duration>(2 * pause_, pause_min, pause_max);
        next_look_ = now + pause_;
        return {.next_look = next_look_, .is_first = is_first};
    }

  private:
    const Clock::duration look_max_;
    mutable std::mutex mutex_;
    Clock::duration pause_{0};  // zero while the server is there
    Clock::time_point next_look_{};
};

}  // namespace spaktok::blob::s3
