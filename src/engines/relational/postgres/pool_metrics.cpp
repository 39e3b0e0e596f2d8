#include "engines/relational/postgres/pool_metrics.h"

namespace spaktok::relational::postgres {

PoolMetrics::PoolMetrics(const std::string& pool)
    : sessions(
          metrics::gauge("spaktok_postgres_sessions", "Open sessions with PostgreSQL.", {{"pool", pool}})),
      under_way(metrics::gauge("spaktok_postgres_under_way",
                               "Statements, or transactions, that have a session.", {{"pool", pool}})),
      waiting(metrics::gauge("spaktok_postgres_waiting", "Statements, or transactions, that wait for one.",
                             {{"pool", pool}})),
      opened(metrics::counter("spaktok_postgres_sessions_opened_total",
                              "Sessions opened, at first and again.", {{"pool", pool}})),
      refused(metrics::counter("spaktok_postgres_sessions_refused_total",
                               "Attempts to open a session that failed.", {{"pool", pool}})),
      lost(metrics::counter("spaktok_postgres_sessions_lost_total",
                            "Sessions that ended other than by this node's will.", {{"pool", pool}})),
      conflicts(metrics::counter("spaktok_postgres_conflicts_total",
                                 "Transactions that were rolled back for another: they run again.",
                                 {{"pool", pool}})) {}

}  // namespace spaktok::relational::postgres
