// Broadcasts on air, from ingest to viewers: who may publish is asked of an Authority (a feature implements
// it), what is published becomes HLS (media/hls), what viewers fetch is served from memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/io_threads.h"
#include "base/random.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "engines/blob/blob_store.h"
#include "http/router.h"

namespace spaktok::media {

// What is known of a running ingest; refreshed about every two seconds.
struct IngestStatus {
    StreamId stream_id;
    std::string protocol;     // "rtmp"
    std::string video_codec;  // "avc1.64001f"; empty without video
    std::string audio_codec;  // "mp4a.40.2"; empty without audio
    int width = 0;
    int height = 0;
    double fps = 0;
    std::int64_t bitrate = 0;  // bits a second, over the last five seconds
    double keyframe_interval_seconds = 0;
    std::int64_t dropped_access_units = 0;  // that came out of order or broken
    bool connected = false;                 // false within the 30 s in which the publisher may return
    Timestamp started_at{};
};

struct Publication {
    StreamId stream_id;
    UserId user_id;
    // Since when it is on air, where it is already: viewers may have been shown numbers that a hub which has
    // no window of it does not know.
    std::optional<Timestamp> live_since = std::nullopt;
};

// Implemented by the streams feature. Called on I/O threads.
class Authority {
  public:
    virtual ~Authority() = default;
    // Who publishes with this key, and to which stream. Throws Error{unauthenticated} for an unknown key,
    // Error{forbidden} …
    virtual boost::asio::awaitable<Publication> authorize(std::string stream_key,
                                                          std::string remote_address) = 0;
    // First playable picture of a broadcast (again after a return within the grace only where the process was
    // restarted).
    virtual boost::asio::awaitable<void> on_air(IngestStatus status) = 0;
    // About every two seconds while on air.
    virtual boost::asio::awaitable<void> on_status(IngestStatus status) = 0;
    // The publisher has gone and did not return within the grace, or the broadcast was ended.
    virtual boost::asio::awaitable<void> off_air(StreamId stream, std::string reason) = 0;
    // Which other node has the stream on air: its "http://host:port"; nullopt for none.
    virtual boost::asio::awaitable<std::optional<std::string>> origin_of(StreamId stream) = 0;
    // A new thumbnail was written to the blob store under this key.
    virtual boost::asio::awaitable<void> on_thumbnail(StreamId stream, std::string blob_key) = 0;
};

struct LiveOptions {
    std::string rtmp_listen = "0.0.0.0:1935";  // empty: no RTMP
    std::chrono::milliseconds reconnect_grace{30'000};
    std::chrono::milliseconds publisher_silence_max{10'000};
    std::chrono::milliseconds fragment_target{300};
    std::chrono::milliseconds segment_target{2'000};   // cut at the first keyframe after it
    std::chrono::milliseconds window{60'000};          // kept in memory
    std::size_t window_bytes_max = 96u * 1024 * 1024;  // a stream
    std::size_t publishers_max = 200;
    std::chrono::milliseconds thumbnail_interval{10'000};  // 0: none
    std::string ffmpeg = "ffmpeg";
    std::string state_directory;  // where a graceful stop keeps the windows; empty: nowhere
};

class PublisherGate;

class LiveHub {
  public:
    LiveHub(LiveOptions options, Authority& authority, blob::BlobStore& blobs, IoThreads& threads,
            const Clock& clock, Random& random);
    ~LiveHub();

    // GET /live/{stream_id}/master.m3u8, media.m3u8, init.mp4, segments and parts; of streams that another
    // node has on air, from there.
    void add_routes(http::Router& router);
    // Starts the RTMP listener; loads windows that a graceful stop kept.
    void start();
    std::uint16_t rtmp_port() const;
    // For ingest protocols other than the hub's own RTMP listener.
    PublisherGate& gate();
    // Ends the publish and the broadcast at once: the playlist is closed. No-op where it is not on air.
    // Thread-safe.
    boost::asio::awaitable<void> end(StreamId stream, std::string reason);
    // Another node has the broadcast now: its publisher, if any, is cut, the Authority is not told of an end,
    // and viewers are served from there. Thread-safe.
    void hand_over(StreamId stream);
    // Closes the publisher's connection (key rotated) but leaves the broadcast its grace. Thread-safe.
    boost::asio::awaitable<void> disconnect_publisher(UserId user, std::string reason);
    std::optional<IngestStatus> status(StreamId stream) const;  // thread-safe
    // Players without a socket that fetched the playlist within the last 15 s (page players mark their
    // fetches `?counted=0`).
    std::int64_t uncounted_players(StreamId stream) const;
    // Closes publishers, writes windows to the state directory. Not from an I/O thread.
    void stop(std::chrono::milliseconds grace);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::media
