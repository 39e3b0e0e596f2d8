// What all shards share. Filled before the server starts, then only read, but for the parts that are
// thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/io_threads.h"
#include "base/metrics.h"
#include "engines/realtime/realtime.h"
#include "gateway/admission.h"
#include "gateway/gateway.h"
#include "gateway/topic_counts.h"

namespace spaktok::gateway {

class Shard;

struct GatewayMetrics {
    metrics::Gauge connections = metrics::gauge("spaktok_gateway_connections", "Open WebSocket connections.");
    metrics::Counter deliveries =
        metrics::counter("spaktok_gateway_deliveries_total", "Topic events queued for a subscriber.");
    metrics::Counter slow_consumers = metrics::counter("spaktok_gateway_slow_consumers_total",
                                                       "Connections closed because they read too slowly.");
};

// Kept alive by whatever is posted to the I/O threads.
struct Core : std::enable_shared_from_this<Core> {
    Core(GatewayOptions gateway_options, realtime::Engine& engine, IoThreads& io_threads,
         const Clock& gateway_clock);
    ~Core();

    // Before the first connection: makes the shards.
    void begin();
    // On the connection's I/O thread. Throws what refuses the handshake.
    void accept(http::Upgrade upgrade);

    GatewayOptions options;
    realtime::Engine& realtime;
    IoThreads& threads;
    const Clock& clock;
    GatewayMetrics metrics;
    std::map<std::string, RequestHandler, std::less<>> handlers;
    std::map<std::string, TopicKind, std::less<>> kinds;
    Admission admission;
    std::shared_ptr<TopicCounts> counts;
    std::atomic<std::uint64_t> next_connection_id{1};
    std::vector<std::unique_ptr<Shard>> shards;
};

}  // namespace spaktok::gateway
