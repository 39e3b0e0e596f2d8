// Time as a parameter, so that in tests it is a variable.
#pragma once

#include <atomic>
#include <chrono>

#include "base/timestamp.h"

namespace spaktok {

// Thread-safe. Whoever needs the time holds a reference that outlives it.
class Clock {
  public:
    virtual ~Clock() = default;
    // Wall-clock time: may jump.
    virtual Timestamp now() const = 0;
    // For durations and deadlines: never goes back.
    virtual std::chrono::steady_clock::time_point steady_now() const = 0;
};

class SystemClock final : public Clock {
  public:
    Timestamp now() const override;
    std::chrono::steady_clock::time_point steady_now() const override;
};

// Stands still until told to advance.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(Timestamp start) : milliseconds_(start.time_since_epoch().count()) {}
    Timestamp now() const override { return Timestamp{std::chrono::milliseconds{milliseconds_.load()}}; }
    std::chrono::steady_clock::time_point steady_now() const override {
        return std::chrono::steady_clock::time_point{std::chrono::milliseconds{milliseconds_.load()}};
    }
    void advance(std::chrono::milliseconds by) { milliseconds_ += by.count(); }

  private:
    std::atomic<std::int64_t> milliseconds_;
};

}  // namespace spaktok
