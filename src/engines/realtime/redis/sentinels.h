// Redis Sentinels, which say where the master is (https://redis.io/docs/reference/sentinel-clients/).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "engines/realtime/redis/address.h"
#include "engines/realtime/redis/connection.h"
#include "engines/realtime/redis/line.h"

namespace spaktok::realtime::redis {

// Lives on its context's only thread, and until that has ended.
class Sentinels {
  public:
    Sentinels(boost::asio::io_context& context, Address address);

    // Where the master is, by the first Sentinel that answers within half a second and knows it. Throws
    // Error{unavailable}.
    boost::asio::awaitable<Endpoint> find_master();
    // Calls it when the Sentinels have made another server the master, until `close`.
    void watch(std::function<void(const Endpoint&)> on_switch);
    void close();

  private:
    boost::asio::awaitable<Endpoint> ask(const Endpoint& sentinel);
    void on_push(const Reply& push);

    boost::asio::io_context& context_;
    const Address address_;
    std::size_t first_ = 0;    // the one to ask first: it answered the last time
    std::size_t watched_ = 0;  // the one to listen to next
    std::function<void(const Endpoint&)> on_switch_;
    std::shared_ptr<Line> line_;
    bool is_closed_ = false;
};

}  // namespace spaktok::realtime::redis
