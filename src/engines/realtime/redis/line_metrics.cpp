#include "engines/realtime/redis/line_metrics.h"

namespace spaktok::realtime::redis {

LineMetrics::LineMetrics(const std::string& use)
    : open(metrics::gauge("spaktok_redis_connections", "Open connections with Redis.", {{"use", use}})),
      missing(metrics::gauge("spaktok_redis_connections_missing",
                             "Connections with Redis that are on their way back.", {{"use", use}})),
      opened(metrics::counter("spaktok_redis_connections_opened_total",
                              "Connections opened, at first and again.", {{"use", use}})),
      refused(metrics::counter("spaktok_redis_connections_refused_total",
                               "Attempts to open a connection that failed.", {{"use", use}})),
      lost(metrics::counter("spaktok_redis_connections_lost_total",
                            "Connections that ended other than by this node's will.", {{"use", use}})) {}

}  // namespace spaktok::realtime::redis
