#include "engines/realtime/redis/redis_engine.h"

#include <utility>

namespace spaktok::realtime::redis {

namespace asio = boost::asio;

RedisEngine::RedisEngine(const std::string& url, Options options)
    : client_(std::make_unique<Client>(parse_address(url), options.client)),
      topics_(*client_, options.random != nullptr ? *options.random : system_random_),
      key_values_(*client_),
      counters_(*client_),
      rankings_(*client_),
      presence_(*client_, std::move(options.node_id)) {}

// Its thread first, which uses the others.
RedisEngine::~RedisEngine() {
    client_.reset();
}

asio::awaitable<void> RedisEngine::check() {
    const Masters masters = co_await client_->masters(false);
    for (const auto& server : masters.servers) {
        co_await client_->run(
            {.name = "check", .key = "", .words = {"PING"}, .reads = true, .server = server});
    }
}

asio::awaitable<void> RedisEngine::stop() {
    topics_.close();
    co_return;
}

}  // namespace spaktok::realtime::redis
