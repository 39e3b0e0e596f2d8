#include "media/rtmp/timeline.h"

#include <algorithm>

namespace spaktok::media::rtmp {

namespace {

// The difference of two wrapping clocks, in (-2^31, 2^31].
std::int64_t difference(std::uint32_t later, std::int64_t earlier) {
    return static_cast<std::int32_t>(later - static_cast<std::uint32_t>(earlier));
}

bool is_jump(std::int64_t by) {
    return by > Timeline::forward_jump_max_ms || by < -Timeline::backward_jump_max_ms;
}

}  // namespace

Timeline::Times Timeline::place(Track track, std::uint32_t timestamp, std::int32_t composition_offset_ms) {
    TrackClock& clock = clocks_[track];
    const TrackClock& other = clocks_[1 - track];
    const bool first = !clock.started;
    if (first) {
        start(clock, other, timestamp);
    } else {
        const std::int64_t passed = difference(timestamp, clock.raw);
        clock.raw += passed;
        if (is_jump(passed)) rebase(clock, other);
    }
    const std::int64_t placed = clock.raw + clock.offset;
    const std::int64_t wanted_pts = placed + composition_offset_ms;
    std::int64_t dts = std::min(placed, wanted_pts);
    if (!first) {
        dts = std::max(dts, clock.dts + 1);
        clock.step = std::min(dts - clock.dts, forward_jump_max_ms);
    }
    clock.dts = dts;
    return {.dts_ms = dts, .pts_ms = std::max(wanted_pts, dts)};
}

void Timeline::start(TrackClock& clock, const TrackClock& other, std::uint32_t timestamp) {
    clock.started = true;
    if (!other.started) {
        clock.raw = timestamp;
        return;
    }
    const std::int64_t apart = difference(timestamp, other.raw);
    clock.raw = other.raw + apart;
    clock.offset = other.offset;
    // A track whose clock has nothing to do with the other's begins where that one is.
    if (apart > forward_jump_max_ms || apart < -forward_jump_max_ms) clock.offset = other.dts - clock.raw;
}

void Timeline::rebase(TrackClock& clock, const TrackClock& other) {
    const std::int64_t unmoved = clock.raw + clock.offset;
    // A pause of this track alone (a still picture, a muted microphone) is no jump: the other is where this
    // one comes to.
    if (other.started && unmoved > clock.dts && !is_jump(unmoved - other.dts)) return;
    // The other track has jumped to the same place before: what moved it moves this one.
    const std::int64_t by_other = clock.raw + other.offset;
    const bool same_jump = other.started && other.offset != clock.offset && !is_jump(by_other - clock.dts);
    if (same_jump) {
        clock.offset = other.offset;
        return;
    }
    const std::int64_t last = other.started ? std::max(clock.dts, other.dts) : clock.dts;
    clock.offset = last + std::max<std::int64_t>(clock.step, 1) - clock.raw;
}

}  // namespace spaktok::media::rtmp
