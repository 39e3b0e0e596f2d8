// The door between an ingest protocol (RTMP now) and the live hub.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "media/access_unit.h"

namespace spaktok::media {

// Given by the ingest connection when it asks to publish. `disconnect` may be called from any thread and more
// than once: the connection ends soon after with `reason` in its log (key rotated, broadcast ended, a newer
// publisher took over).
struct PublisherRequest {
    std::string protocol;  // "rtmp"
    std::string stream_key;
    std::string remote_address;
    std::size_t io_thread = 0;  // where the connection lives; the sink is used only there
    std::function<void(std::string reason)> disconnect;
};

class PublisherGate {
  public:
    virtual ~PublisherGate() = default;
    // Asks the Authority; the newest authenticated publisher of a stream takes over. Throws what the
    // Authority throws and Error{unavailable} at `publishers_max`. Call on the connection's I/O thread.
    virtual boost::asio::awaitable<std::shared_ptr<PublisherSink>> open(PublisherRequest request) = 0;
};

}  // namespace spaktok::media
