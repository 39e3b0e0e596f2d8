// The rolling window of one stream: what its publisher wrote in the last minute, bounded by time and by
// bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "media/cmaf/muxer.h"
#include "media/hls/arrivals.h"
#include "media/hls/window_contents.h"

namespace spaktok::media::hls {

struct WindowOptions {
    std::chrono::milliseconds fragment_target{300};
    std::chrono::milliseconds segment_target{2'000};
    std::chrono::milliseconds window{60'000};
    std::size_t bytes_max = 96u * 1024 * 1024;
    // Without a keyframe for this long a segment is cut anyway: it bounds what one may weigh, and the target
    // duration.
    std::chrono::milliseconds segment_max{10'000};
    // RFC 8216, 6.2.2 wants a segment to live on after it left the playlist: players that read an older one
    // ask for it.
    std::size_t unlisted_segments = 4;
    std::size_t waiters_max = 10'000;
};

// A decoder configuration with which a timeline begins.
struct TimelineStart {
    http::SharedBytes init;
    std::string codecs;
    int width = 0;
    int height = 0;
};

// Thread-safe: the publisher's thread writes, every I/O thread reads. Bytes are shared, never copied; those
// of parts lie in a file in memory, from which the kernel sends them.
class Window {
  public:
    // The first segment gets the number `first_sequence`, the first timeline `first_timeline`.
    struct First {
        std::int64_t sequence = 0;
        std::int64_t timeline = 0;
    };
    Window(WindowOptions options, First first, IoThreads& threads);
    // Goes on where `contents` stopped: what was open is complete now.
    Window(WindowOptions options, Contents contents, IoThreads& threads);

    // Writing. A new timeline is a discontinuity, but for the first one.
    void begin_timeline(TimelineStart start, Timestamp now);
    void add(const cmaf::Fragment& fragment);
    void close_segment();  // the publisher has gone: what there is of a segment is one
    void end();            // no more will come: the playlist says so, everyone who waits is answered

    // Reading.
    bool has_parts() const;
    bool ended() const;
    // nullptr until a first segment is complete. Made once after each change, by the first who asks.
    enum class Encoding { plain, gzip };
    http::SharedBytes playlist(Encoding encoding) const;
    // Before any part has come: empty.
    std::string master_playlist(std::string_view media_uri) const;
    http::SharedBytes init(std::int64_t timeline) const;               // nullptr: no such thing here
    std::vector<http::BodyPart> segment(std::int64_t sequence) const;  // empty: likewise
    std::optional<http::BodyPart> part(std::int64_t sequence, std::size_t part) const;  // nullopt: likewise
    int target_duration_seconds() const;
    // The newest part that begins with a keyframe, with its init segment; nullopt without video.
    struct Picture {
        http::SharedBytes init;
        http::BodyPart part;
    };
    std::optional<Picture> newest_picture() const;
    double fps() const;
    Contents contents() const;  // shares the bytes

    // What to wait for (RFC 8216bis, 6.2.5.2).
    Arrivals& arrivals() const { return *arrivals_; }
    static std::uint64_t mark_of_segment(std::int64_t sequence);                  // it is complete
    static std::uint64_t mark_of_part(std::int64_t sequence, std::int64_t part);  // it is there
    static constexpr std::uint64_t mark_of_anything = 1;
    static constexpr std::int64_t parts_max = 1 << 12;  // in a segment: more than a fragment every 3 ms
    // The segment being written, or the next one.
    std::int64_t live_sequence() const;

  private:
    http::BodyPart store(const http::SharedBytes& bytes) const;
    void add_part(const cmaf::Fragment& fragment, http::BodyPart bytes);
    void close_open();
    void drop_unused_timeline();
    void choose_targets();
    void evict();
    void changed();
    std::size_t first_listed() const;

    const WindowOptions options_;
    const std::shared_ptr<Arrivals> arrivals_;
    const std::shared_ptr<MemoryFile> file_ = MemoryFile::make();
    mutable std::mutex mutex_;
    Contents contents_;
    mutable http::SharedBytes playlist_;  // both are null after a change
    mutable http::SharedBytes playlist_gzipped_;
};

}  // namespace spaktok::media::hls
