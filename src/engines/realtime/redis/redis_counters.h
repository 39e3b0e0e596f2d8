// Counters, rankings and presence in Redis, shared by all nodes.
#pragma once

#include "engines/realtime/realtime.h"
#include "engines/realtime/redis/client.h"

namespace spaktok::realtime::redis {

class RedisCounters final : public Counters {
  public:
    explicit RedisCounters(Client& client) : client_(client) {}
    // The sum stays within 64 bits: it sticks at the end it reaches.
    boost::asio::awaitable<std::int64_t> add(std::string key, std::int64_t by,
                                             std::optional<std::chrono::milliseconds> expires_after) override;
    boost::asio::awaitable<std::int64_t> get(std::string key) override;
    boost::asio::awaitable<std::int64_t> take(std::string key) override;

  private:
    Client& client_;
};

class RedisRankings final : public Rankings {
  public:
    explicit RedisRankings(Client& client) : client_(client) {}
    boost::asio::awaitable<void> set(std::string board, std::string member, double score) override;
    boost::asio::awaitable<double> add(std::string board, std::string member, double by,
                                       std::string event_id) override;
    boost::asio::awaitable<void> remove(std::string board, std::string member) override;
    boost::asio::awaitable<std::vector<Ranked>> top(std::string board, std::size_t offset,
                                                    std::size_t limit) override;
    boost::asio::awaitable<std::optional<double>> score(std::string board, std::string member) override;
    boost::asio::awaitable<std::size_t> size(std::string board) override;
    boost::asio::awaitable<void> expire(std::string board, std::chrono::milliseconds after) override;
    boost::asio::awaitable<void> clear(std::string board) override;

  private:
    Client& client_;
};

class RedisPresence final : public Presence {
  public:
    RedisPresence(Client& client, std::string node_id) : client_(client), node_id_(std::move(node_id)) {}
    boost::asio::awaitable<void> report(std::string place, std::int64_t count) override;
    boost::asio::awaitable<std::int64_t> total(std::string place) override;

  private:
    Client& client_;
    const std::string node_id_;
};

}  // namespace spaktok::realtime::redis
