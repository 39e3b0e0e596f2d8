// What the connections of one use tell Prometheus, each series with the label `use`.
#pragma once

#include <string>

#include "base/metrics.h"

namespace spaktok::realtime::redis {

struct LineMetrics {
    // `use`: "commands", "topics" or "sentinel".
    explicit LineMetrics(const std::string& use);

    metrics::Gauge open;
    metrics::Gauge missing;  // those that are to be there, and are not
    metrics::Counter opened;
    metrics::Counter refused;
    metrics::Counter lost;
};

}  // namespace spaktok::realtime::redis
