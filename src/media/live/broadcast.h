// One broadcast, from its first publisher to its end: who publishes it now, what viewers see of it, and when
// the Authority is told.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock.h"
#include "base/io_threads.h"
#include "base/random.h"
#include "media/hls/channel.h"
#include "media/live/live_hub.h"
#include "media/live/publisher_gate.h"
#include "media/transcode/thumbnailer.h"

namespace spaktok::media {

// Kept by the hub. Its course (`run`) lives on one I/O thread, that of the first publisher; its state has a
// lock, so that publishers may come on any thread: a fragment takes it three times a second.
class Broadcast : public std::enable_shared_from_this<Broadcast> {
  public:
    // Whose turn it is to publish. A turn that is over is ignored: no message between threads has to arrive
    // first.
    struct Turn {
        std::uint64_t number = 0;
        bool operator==(const Turn&) const = default;
    };
    struct Tracks {
        http::SharedBytes init;
        std::string video_codec;
        std::string audio_codec;
        int width = 0;
        int height = 0;
    };
    struct Measurements {
        std::int64_t dropped = 0;
        double keyframe_interval_seconds = 0;
    };
    // What a graceful stop keeps of it.
    struct Kept {
        Publication publication;
        Timestamp started_at{};
        hls::Contents contents;
        Thumbnailer::Keys thumbnails;
    };
    struct Environment {
        IoThreads& threads;
        const Clock& clock;
        Random& random;
        std::chrono::milliseconds reconnect_grace{};
        std::chrono::milliseconds linger{};  // how long an ended playlist stays
        hls::WindowOptions window;
    };

    Broadcast(Environment environment, Publication publication, std::size_t home_thread);
    // In the state of one whose publisher has just left.
    Broadcast(Environment environment, Kept kept, std::size_t home_thread);

    const StreamId& stream_id() const { return publication_.stream_id; }
    const UserId& user_id() const { return publication_.user_id; }
    std::size_t home_thread() const { return home_thread_; }
    const std::shared_ptr<hls::Channel>& channel() const { return channel_; }
    Thumbnailer::Keys& thumbnails() {
        return thumbnails_;
    }  // on the home thread, or when nothing runs any more

    // From any thread.
    std::optional<Turn> take_over(PublisherRequest request);  // nullopt: it has ended
    void begin_timeline(Turn turn, Tracks tracks);
    void add(Turn turn, const cmaf::Fragment& fragment, const Measurements& measured);
    void publisher_left(Turn turn, std::string reason);
    void disconnect_publisher(const std::string& reason);
    void end(std::string reason);
    // Ends it here, without closing its playlist and unannounced: another node goes on with it.
    void hand_over();
    bool has_publisher() const;
    bool ended() const;
    IngestStatus status() const;
    // nullopt where it has ended or nothing was ever on air.
    std::optional<Kept> keep() const;

    // The course: tells the Authority, watches the grace. Ends when the broadcast has ended and its playlist
    // has lingered. On the home thread.
    boost::asio::awaitable<void> run(Authority& authority);

  private:
    struct Publisher {
        Turn turn;
        std::string protocol;
        std::function<void(std::string)> disconnect;
    };
    struct Weighed {  // a fragment of the last seconds
        std::chrono::steady_clock::time_point at;
        std::size_t bytes = 0;
        std::chrono::microseconds duration{};
    };
    std::function<void(std::string)> release_publisher(std::string reason);
    void notify();
    boost::asio::awaitable<void> sleep(std::chrono::milliseconds at_most);
    boost::asio::awaitable<void> announce(Authority& authority);
    boost::asio::awaitable<void> report(Authority& authority);
    boost::asio::awaitable<void> take_off_air(Authority& authority);
    bool expire();
    bool is_showing() const;
    bool is_handed_over() const;
    std::chrono::milliseconds until_expiry() const;
    std::string end_reason() const;

    Environment environment_;
    const Publication publication_;
    const std::size_t home_thread_;
    const std::shared_ptr<hls::Channel> channel_;
    Thumbnailer::Keys thumbnails_;

    mutable std::mutex mutex_;
    std::optional<Publisher> publisher_;
    std::uint64_t turns_ = 0;
    std::chrono::steady_clock::time_point left_at_{};
    std::string left_because_;
    std::optional<std::string> end_reason_;
    bool is_handed_over_ = false;
    Timestamp started_at_{};
    std::string protocol_;
    Tracks tracks_;
    Measurements measured_;
    std::deque<Weighed> weighed_;

    // Of the course, on the home thread.
    boost::asio::steady_timer wake_;
    bool notified_ = false;
    bool announced_ = false;
    const bool restored_;
};

}  // namespace spaktok::media
