// A stream: one broadcast, from its announcement to its end. Values and pure rules, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/describe.hpp>

#include "base/json.h"
#include "base/object_id.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok::streams {

inline constexpr std::size_t title_length_max = 100;         // code points
inline constexpr std::size_t description_length_max = 5000;  // code points
inline constexpr std::int64_t not_yet_live_max = 20;         // prepared or scheduled streams a user may have
inline constexpr std::chrono::days schedule_ahead_max{366};
// A publish goes to a scheduled stream from this long before its time on.
inline constexpr std::chrono::hours publish_before_schedule{1};

enum class Status { scheduled, live, ended };
BOOST_DESCRIBE_ENUM(Status, scheduled, live, ended)

// A row of `streams`.
struct Stream {
    StreamId id;
    UserId user_id;
    std::string title;
    std::string description;
    Status status = Status::scheduled;
    std::optional<Timestamp> scheduled_for;
    std::optional<Timestamp> started_at;
    std::optional<Timestamp> ended_at;
    std::int64_t viewers_count = 0;  // the peak, once ended
    Timestamp created_at{};
    Timestamp updated_at{};
};

// What arrives from the publisher, as `live_streams.ingest` keeps it.
struct Ingest {
    std::string protocol;
    std::string video_codec;
    std::string audio_codec;
    int width = 0;
    int height = 0;
    double fps = 0;
    std::int64_t bitrate = 0;
    double keyframe_interval_seconds = 0;
    bool connected = false;
};
BOOST_DESCRIBE_STRUCT(Ingest, (),
                      (protocol, video_codec, audio_codec, width, height, fps, bitrate,
                       keyframe_interval_seconds, connected))

// A document of `live_streams`: what is on air. Follows `streams` by event.
struct LiveStream {
    ObjectId _id;
    StreamId stream_id;
    UserId streamer_id;
    std::string title;
    std::string description;
    std::optional<Timestamp> start_time;
    std::optional<Timestamp> end_time;
    std::string status;  // scheduled, live, ended
    std::int64_t viewer_count = 0;
    std::int64_t peak_viewers = 0;
    std::vector<UserId> participants;
    std::string stream_url;
    std::optional<std::string> thumbnail_url;
    std::optional<Ingest> ingest;
};
BOOST_DESCRIBE_STRUCT(LiveStream, (),
                      (_id, stream_id, streamer_id, title, description, start_time, end_time, status,
                       viewer_count, peak_viewers, participants, stream_url, thumbnail_url, ingest))

struct NewStream {
    std::string title;
    std::string description;
    std::optional<Timestamp> scheduled_for;
};

// Absent: stays. `scheduled_for` may be set to nothing.
struct StreamChange {
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::optional<Timestamp>> scheduled_for;
};

// Each returns the value as it is stored, or throws Error{invalid_argument} naming the field.
std::string checked_title(std::string_view title);
std::string checked_description(std::string_view description);
Timestamp checked_schedule(Timestamp scheduled_for, Timestamp now);

// Throws Error{conflict} where `change` does not fit a stream in that status.
void check_change(const Stream& stream, const StreamChange& change);

// Which of a user's streams that have not yet ended a publish goes to: the live one; else the newest one
// without a time; else the one scheduled soonest, from an hour before its time on; else none, and a new one
// is made.
std::optional<Stream> publish_target(const std::vector<Stream>& not_ended, Timestamp now);

std::string playback_path(StreamId id);

}  // namespace spaktok::streams
