// Streams that another node of this community has on air, for the viewers of this one: each file is fetched
// from there once, however many ask for it, and shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/io_threads.h"
#include "base/random.h"
#include "base/uuid.h"
#include "http/request.h"

namespace spaktok::media {

// Thread-safe. What belongs to one stream lives on one I/O thread.
class Edge {
  public:
    Edge(IoThreads& threads, const Clock& clock, Random& random);
    ~Edge();

    // As hls::Channel::answer there does. `origin`: that node's "http://host:port". Throws Error{not_found}
    // for a name that no stream has, Error{unavailable} where the node cannot be reached.
    boost::asio::awaitable<http::Response> answer(StreamId stream, std::string origin,
                                                  const http::Request& request, std::string file);
    // Players of this node without a socket, as LiveHub::uncounted_players.
    std::int64_t uncounted_players(StreamId stream) const;
    // Not from an I/O thread. Whoever waits is answered with Error{unavailable}.
    void stop();

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::media
