// Key-values and sets in Redis. How durable they are is the server's setting: `appendfsync always` is what
// the port promises.
#pragma once

#include "engines/realtime/realtime.h"
#include "engines/realtime/redis/client.h"
#include "engines/realtime/scan.h"

namespace spaktok::realtime::redis {

class RedisKeyValues final : public KeyValues, public Scanner {
  public:
    explicit RedisKeyValues(Client& client) : client_(client) {}

    boost::asio::awaitable<bool> put(std::string key, std::string value, PutOptions options) override;
    boost::asio::awaitable<std::optional<std::string>> get(std::string key) override;
    boost::asio::awaitable<bool> touch(std::string key, std::chrono::milliseconds expires_after) override;
    boost::asio::awaitable<bool> remove(std::string key) override;
    boost::asio::awaitable<std::optional<std::string>> take(std::string key) override;
    boost::asio::awaitable<void> set_add(std::string key, std::string member) override;
    boost::asio::awaitable<void> set_remove(std::string key, std::string member) override;
    boost::asio::awaitable<std::vector<std::string>> set_members(std::string key) override;
    boost::asio::awaitable<ScanPage> scan(std::string cursor) override;

  private:
    boost::asio::awaitable<std::optional<StoredValue>> stored_value(std::string key);

    Client& client_;
};

// A life as Redis counts it: a key lives through the millisecond in which it ends, the port's do not.
std::chrono::milliseconds life_of(std::chrono::milliseconds expires_after);

}  // namespace spaktok::realtime::redis
