// How many connections a server has, for its limit and for its stop.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/metrics.h"

namespace spaktok::http {

// Thread-safe.
class ConnectionCount {
  public:
    ConnectionCount();
    // False at the limit, which is counted.
    bool enter(std::size_t connections_max);
    void leave();
    bool wait_until_none(std::chrono::milliseconds limit);

  private:
    std::mutex mutex_;
    std::condition_variable none_;
    std::size_t count_ = 0;
    metrics::Gauge gauge_;
    metrics::Counter refused_;
};

}  // namespace spaktok::http
