// One publisher's socket: drives an rtmp::Session with what arrives, keeps its deadlines and answers to the
// PublisherGate.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/metrics.h"
#include "base/random.h"
#include "base/timer_wheel.h"
#include "media/live/publisher_gate.h"
#include "media/live/rtmp_listener.h"
#include "media/rtmp/session.h"

namespace spaktok::media {

// Handles are looked up once; every word that a connection can end with has a series from the start.
class RtmpMetrics {
  public:
    RtmpMetrics();
    void closed(std::string_view reason);

    metrics::Gauge connections;
    metrics::Gauge publishers;
    metrics::Counter received_bytes;
    metrics::Counter unusable_access_units;

  private:
    std::map<std::string, metrics::Counter, std::less<>> closed_;
};

// Why a connection ends: `reason` is a word of the metric `spaktok_rtmp_closed_total`, `message` a sentence
// for the log.
struct RtmpEnding {
    std::string_view reason;
    std::string message;
};

// Lives on one I/O thread, owned by the coroutine that run() is, which ends soon after disconnect().
class RtmpConnection : public std::enable_shared_from_this<RtmpConnection> {
  public:
    // References outlive it; `read_buffer` is shared by the connections of the thread and holds nothing while
    // one waits.
    struct Surroundings {
        const RtmpListenerOptions& options;
        PublisherGate& gate;
        Random& random;
        RtmpMetrics& metrics;
        TimerWheel& wheel;
        std::span<std::uint8_t> read_buffer;
        std::size_t io_thread = 0;
    };

    RtmpConnection(boost::asio::ip::tcp::socket socket, std::string remote_address,
                   Surroundings surroundings);

    // To the end of the connection; throws nothing. The sink, where there is one, has been told by then.
    static boost::asio::awaitable<void> run(std::shared_ptr<RtmpConnection> self);
    // Ends it within a second. On the connection's thread; the function in PublisherRequest is for other
    // threads.
    void disconnect(RtmpEnding ending);

  private:
    boost::asio::awaitable<void> serve();
    boost::asio::awaitable<bool> readable();
    boost::asio::awaitable<void> read_what_is_there();
    std::optional<rtmp::PublishRequested> process(std::span<const std::uint8_t>& bytes);
    void renew_deadline(rtmp::Session::State before);
    boost::asio::awaitable<void> open(rtmp::PublishRequested request);
    std::function<void(std::string)> disconnect_from_anywhere();
    boost::asio::awaitable<void> flush(std::chrono::milliseconds limit);
    boost::asio::awaitable<void> say_goodbye();
    void settle(RtmpEnding ending);
    void release_sink(std::string_view why);
    void log_ending(const RtmpEnding& ending) const;
    void expire(RtmpEnding ending);

    boost::asio::ip::tcp::socket socket_;
    std::string remote_address_;
    Surroundings surroundings_;
    rtmp::Session session_;
    std::shared_ptr<PublisherSink> sink_;
    TimerWheel::Deadline deadline_;  // of the phase that the session is in
    TimerWheel::Deadline write_deadline_;
    std::optional<RtmpEnding> asked_to_end_;  // by a deadline or by disconnect()
    bool peer_gone_ = false;                  // nothing more can be written
    bool has_published_ = false;
    bool delivered_ = false;  // an access unit, since the deadline was set last
    std::string app_;
    std::uint64_t received_bytes_ = 0;
    std::chrono::steady_clock::time_point accepted_at_;
};

}  // namespace spaktok::media
