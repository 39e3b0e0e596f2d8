// What the sessions of one pool tell Prometheus, each series with the label `pool`.
#pragma once

#include <string>
#include <utility>

#include "base/metrics.h"

namespace spaktok::relational::postgres {

struct PoolMetrics {
    // `pool`: "point", "read", "write", "transaction" or "replica".
    explicit PoolMetrics(const std::string& pool);

    metrics::Gauge sessions;   // that are open
    metrics::Gauge under_way;  // statements, or transactions, that have a session
    metrics::Gauge waiting;    // for one
    metrics::Counter opened;
    metrics::Counter refused;
    metrics::Counter lost;
    metrics::Counter conflicts;
};

// One more, for as long as it lives.
class Counted {
  public:
    explicit Counted(metrics::Gauge gauge) : gauge_(gauge) { gauge_.add(1); }
    Counted(Counted&& other) noexcept
        : gauge_(other.gauge_), is_counted_(std::exchange(other.is_counted_, false)) {}
    Counted& operator=(Counted&&) = delete;
    ~Counted() {
        if (is_counted_) gauge_.add(-1);
    }

  private:
    metrics::Gauge gauge_;
    bool is_counted_ = true;
};

}  // namespace spaktok::relational::postgres
