// The RTMP door of the live hub: accepts connections, spreads them over the I/O threads and hands what they
// publish to the PublisherGate. The protocol itself is in media/rtmp and does no I/O.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/io_threads.h"
#include "base/random.h"
#include "media/live/publisher_gate.h"

namespace spaktok::media {

struct RtmpListenerOptions {
    std::string listen = "0.0.0.0:1935";  // "host:port", "[v6]:port"; port 0 lets the system choose
    // Connections in any state. What is unauthenticated costs a few kilobytes and is gone after fifteen
    // seconds.
    std::size_t connections_max = 1'024;
    // Of one IPv4 address or IPv6 /64 network: a studio behind one address fits, one stranger cannot take
    // all.
    std::size_t connections_per_address_max = 128;
    std::chrono::milliseconds handshake_max{5'000};  // from accept to the end of the handshake
    std::chrono::milliseconds publish_max{
        10'000};  // from there to the publish command, and for the gate's answer
    std::chrono::milliseconds publisher_silence_max{10'000};  // without audio or video
    std::chrono::milliseconds write_max{5'000};               // for a peer that does not read its answers
};

// Owned by the live hub. start() and stop() are called from a thread that is not one of `threads`, which run
// throughout. `gate`, `threads` and `random` outlive it.
class RtmpListener {
  public:
    RtmpListener(RtmpListenerOptions options, PublisherGate& gate, IoThreads& threads, Random& random);
    ~RtmpListener();  // stop(0) where it runs
    RtmpListener(const RtmpListener&) = delete;
    RtmpListener& operator=(const RtmpListener&) = delete;

    // Binds and listens. Throws Error{invalid_argument} for a bad address, Error{unavailable} where it is
    // taken.
    void start();
    // The port in use, once started.
    std::uint16_t port() const;
    // Connections in any state, now.
    std::size_t connections() const;
    // Accepts no more, tells each publisher, and closes: politely within `grace`, then at once. Every sink
    // has been told `disconnected` when it returns.
    void stop(std::chrono::milliseconds grace);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::media
