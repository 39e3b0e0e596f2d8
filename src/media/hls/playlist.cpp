#include "media/hls/playlist.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "base/assert.h"

namespace spaktok::media::hls {
namespace {

using std::chrono::microseconds;
using Text = std::back_insert_iterator<std::string>;

double seconds(microseconds duration) {
    return static_cast<double>(duration.count()) / 1e6;
}

std::int64_t bit_rate(std::size_t bytes, microseconds duration) {
    if (duration.count() <= 0) return 0;
    return static_cast<std::int64_t>(std::ceil(static_cast<double>(bytes) * 8.0 / seconds(duration)));
}

struct Bandwidth {
    std::int64_t peak = 0;
    std::int64_t average = 0;
};

// Of complete segments (RFC 8216, 4.3.4.2); until there is one, of what has come.
Bandwidth measure(const Contents& contents) {
    Bandwidth bandwidth;
    std::size_t bytes = 0;
    microseconds duration{};
    const auto count = [&](const Segment& segment) {
        bandwidth.peak = std::max(bandwidth.peak, bit_rate(segment.bytes, segment.duration));
        bytes += segment.bytes;
        duration += segment.duration;
    };
    std::ranges::for_each(contents.segments, count);
    if (contents.segments.empty() && contents.open) count(*contents.open);
    bandwidth.average = bit_rate(bytes, duration);
    return bandwidth;
}

// Only parts of the last three target durations are worth their lines (RFC 8216bis, 6.2.2 allows to drop
// older ones).
std::size_t first_with_parts(const Contents& contents) {
    microseconds recent = contents.open ? contents.open->duration : microseconds{0};
    const microseconds wanted = std::chrono::seconds(3 * contents.target_duration_seconds);
    std::size_t index = contents.segments.size();
    while (index > 0 && recent < wanted)
        recent += contents.segments[--index].duration;
    return index;
}

void append_parts(Text out, const Segment& segment) {
    for (std::size_t i = 0; i < segment.parts.size(); ++i) {
        fmt::format_to(out, "#EXT-X-PART:DURATION={:.5f},URI=\"{}\"{}\n", seconds(segment.parts[i].duration),
                       part_name(segment.sequence, i),
                       segment.parts[i].independent ? ",INDEPENDENT=YES" : "");
    }
}

// What stands before a segment's first line; `previous` is its predecessor's timeline.
void append_segment_head(Text out, const Contents& contents, const Segment& segment,
                         std::optional<std::int64_t> previous) {
    if (previous && *previous != segment.timeline) fmt::format_to(out, "#EXT-X-DISCONTINUITY\n");
    if (previous != segment.timeline)
        fmt::format_to(out, "#EXT-X-MAP:URI=\"{}\"\n", init_name(segment.timeline));
    const auto at = program_date_time(contents.timelines.at(segment.timeline), segment);
    fmt::format_to(out, "#EXT-X-PROGRAM-DATE-TIME:{}\n", to_rfc3339(at));
}

void append_header(Text out, const Contents& contents, std::size_t first_index) {
    fmt::format_to(out, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{}\n",
                   contents.target_duration_seconds);
    const auto begin = contents.segments.begin() + static_cast<std::ptrdiff_t>(first_index);
    const bool independent =
        std::all_of(begin, contents.segments.end(), [](const auto& s) { return s.independent(); }) &&
        (!contents.open || contents.open->parts.empty() || contents.open->independent());
    if (independent) fmt::format_to(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (!contents.ended) {
        // Three part targets is the least that a playlist may ask for, and three target durations (4.4.3.8).
        fmt::format_to(out,
                       "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK={:.3f},PART-HOLD-BACK={:.3f}\n",
                       3.0 * contents.target_duration_seconds, 3.0 * seconds(contents.part_target));
        fmt::format_to(out, "#EXT-X-PART-INF:PART-TARGET={:.3f}\n", seconds(contents.part_target));
    }
    const auto* first = begin != contents.segments.end() ? &*begin
                        : contents.open                  ? &*contents.open
                                                         : nullptr;
    fmt::format_to(out, "#EXT-X-MEDIA-SEQUENCE:{}\n",
                   first != nullptr ? first->sequence : contents.next_sequence);
    fmt::format_to(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
                   first != nullptr ? first->timeline : contents.next_timeline);
}

}  // namespace

double frame_rate(const Timeline& timeline) {
    if (timeline.pictures == 0 || timeline.duration.count() <= 0) return 0;
    const double measured = static_cast<double>(timeline.pictures) / seconds(timeline.duration);
    // RTMP's timestamps are whole milliseconds: a third of a second cannot tell 29.97 from 30, five seconds
    // can.
    const double tolerance = timeline.duration < std::chrono::seconds(5) ? 0.01 : 0.0004;
    constexpr double common[] = {24, 25, 30, 48, 50, 60, 24000.0 / 1001, 30000.0 / 1001, 60000.0 / 1001};
    for (const double rate : common) {
        if (std::abs(measured - rate) <= tolerance * rate) return rate;
    }
    return std::round(measured * 100) / 100;
}

Timestamp program_date_time(const Timeline& timeline, const Segment& segment) {
    return timeline.wall_start +
           std::chrono::round<std::chrono::milliseconds>(segment.start - timeline.media_start);
}

std::string init_name(std::int64_t timeline) {
    return fmt::format("init-{}.mp4", timeline);
}
std::string segment_name(std::int64_t sequence) {
    return fmt::format("{}.m4s", sequence);
}
std::string part_name(std::int64_t sequence, std::size_t part) {
    return fmt::format("{}.{}.m4s", sequence, part);
}

std::string master_playlist(const Contents& contents, std::string_view media_uri) {
    SPAKTOK_ASSERT(contents.open || !contents.segments.empty());
    const auto& newest = contents.open ? *contents.open : contents.segments.back();
    const auto& timeline = contents.timelines.at(newest.timeline);
    const auto bandwidth = measure(contents);
    std::string text = "#EXTM3U\n#EXT-X-VERSION:9\n";
    const Text out(text);
    fmt::format_to(out, "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"", bandwidth.peak,
                   bandwidth.average, timeline.codecs);
    if (timeline.width > 0) fmt::format_to(out, ",RESOLUTION={}x{}", timeline.width, timeline.height);
    if (const double rate = frame_rate(timeline); rate > 0) fmt::format_to(out, ",FRAME-RATE={:.3f}", rate);
    fmt::format_to(out, "\n{}\n", media_uri);
    return text;
}

std::string media_playlist(const Contents& contents, std::size_t first) {
    SPAKTOK_ASSERT(contents.target_duration_seconds > 0);
    std::string text;
    text.reserve(4096);
    const Text out(text);
    append_header(out, contents, first);
    std::optional<std::int64_t> timeline;
    const std::size_t with_parts = contents.ended ? contents.segments.size() : first_with_parts(contents);
    for (std::size_t i = first; i < contents.segments.size(); ++i) {
        const auto& segment = contents.segments[i];
        append_segment_head(out, contents, segment, timeline);
        if (i >= with_parts) append_parts(out, segment);
        fmt::format_to(out, "#EXTINF:{:.5f},\n{}\n", seconds(segment.duration),
                       segment_name(segment.sequence));
        timeline = segment.timeline;
    }
    if (contents.ended) {
        text += "#EXT-X-ENDLIST\n";
        return text;
    }
    if (contents.open) {
        append_segment_head(out, contents, *contents.open, timeline);
        append_parts(out, *contents.open);
    }
    const auto next = contents.open ? contents.open->sequence : contents.next_sequence;
    fmt::format_to(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}\"\n",
                   part_name(next, contents.open ? contents.open->parts.size() : 0));
    return text;
}

}  // namespace spaktok::media::hls
