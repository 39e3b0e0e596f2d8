// What a stream's viewers can fetch now: plain values, without locks and without rules.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "http/request.h"

namespace spaktok::media::hls {

// A stretch between two discontinuities: one decoder configuration, one clock.
struct Timeline {
    http::SharedBytes init;
    std::string codecs;  // "avc1.64001f,mp4a.40.2" (RFC 6381)
    int width = 0;       // 0: no video
    int height = 0;
    std::chrono::microseconds media_start{};  // on the publisher's clock
    Timestamp wall_start{};                   // when that was, on ours
    std::int64_t pictures = 0;                // so far, for the frame rate
    std::chrono::microseconds duration{};
};

struct Part {
    http::BodyPart bytes;
    std::chrono::microseconds duration{};
    bool independent = false;
};

struct Segment {
    std::int64_t sequence = 0;  // media sequence number
    std::int64_t timeline = 0;  // its number, in Contents::timelines
    std::chrono::microseconds start{};
    std::chrono::microseconds duration{};
    std::size_t bytes = 0;
    std::vector<Part> parts;  // one after the other they are the segment
    bool independent() const { return !parts.empty() && parts.front().independent; }
};

struct Contents {
    std::map<std::int64_t, Timeline>
        timelines;                   // by number; a timeline's number is its discontinuity sequence number
    std::deque<Segment> segments;    // complete
    std::optional<Segment> open;     // being written
    std::int64_t next_sequence = 0;  // of the segment that is opened next
    std::int64_t next_timeline = 0;
    std::size_t bytes = 0;  // of all parts
    // Constant once the first playlist was made: players time their reloads by them. 0: not chosen yet.
    int target_duration_seconds = 0;
    std::chrono::microseconds part_target{};
    bool ended = false;
};

// The frame rate of a timeline as measured, rounded to what the publisher most likely means; 0 without video.
double frame_rate(const Timeline& timeline);
// When the segment was, on our clock.
Timestamp program_date_time(const Timeline& timeline, const Segment& segment);

}  // namespace spaktok::media::hls
