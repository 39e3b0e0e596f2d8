// Redis 7 behind the realtime port: one server, the master that Sentinels name, or a cluster.
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "engines/realtime/realtime.h"
#include "engines/realtime/redis/client.h"
#include "engines/realtime/redis/redis_counters.h"
#include "engines/realtime/redis/redis_key_values.h"
#include "engines/realtime/redis/redis_topics.h"

namespace spaktok::realtime::redis {

// Thread-safe; callers on any thread. All connections live on one thread of its own. A server that is gone is
// an Error{unavailable} of each call within two seconds, and used again within one of its return. Destroy it
// before the io_contexts of its callers: it first runs what is under way.
class RedisEngine final : public Engine {
  public:
    struct Options {
        std::string node_id{};
        Random* random = nullptr;
        Client::Options client{};
    };
    // Throws Error{invalid_argument} where the URL is none; see parse_address. Connects in the background.
    RedisEngine(const std::string& url, Options options);
    ~RedisEngine() override;

    Topics& topics() override { return topics_; }
    KeyValues& key_values() override { return key_values_; }
    Counters& counters() override { return counters_; }
    Rankings& rankings() override { return rankings_; }
    Presence& presence() override { return presence_; }
    boost::asio::awaitable<void> check() override;
    boost::asio::awaitable<void> stop() override;

  private:
    SystemRandom system_random_;
    std::unique_ptr<Client> client_;
    RedisTopics topics_;
    RedisKeyValues key_values_;
    RedisCounters counters_;
    RedisRankings rankings_;
    RedisPresence presence_;
};

}  // namespace spaktok::realtime::redis
