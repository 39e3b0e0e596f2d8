#include "media/cmaf/muxer.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "media/cmaf/mp4_writer.h"

namespace spaktok::media::cmaf {
namespace {

using std::chrono::microseconds;

constexpr int video_timescale =
    90'000;  // as in MPEG-2 systems: a multiple of the millisecond and of the usual rates
// Without a picture for this long, audio goes on alone.
constexpr microseconds video_stall_max{1'000'000};
// RTMP rounds to milliseconds: an audio frame this close to where the last one ended begins exactly there.
// More is a gap.
constexpr int audio_snap_ms = 12;

struct Unit {
    AccessUnit access_unit;
    std::int64_t dts = 0;
    std::int64_t pts = 0;
    std::int64_t duration = 0;
};

struct Track {
    std::size_t index = 0;
    int timescale = 0;
    std::optional<Unit> held;    // its duration is not known yet
    std::vector<Unit> complete;  // in the fragment to come
    std::int64_t last_duration = 0;

    microseconds time(std::int64_t ticks) const {
        return microseconds{ticks / timescale * 1'000'000 + ticks % timescale * 1'000'000 / timescale};
    }
};

}  // namespace

struct Muxer::State {
    Options options;
    std::optional<TrackDescription> video_description;
    std::optional<TrackDescription> audio_description;
    std::optional<Track> video;
    std::optional<Track> audio;
    std::unique_ptr<Mp4Writer> writer;
    SharedBytes init;
    std::optional<microseconds> fragment_start;
    std::size_t pending_bytes = 0;

    std::optional<Fragment> push_video(AccessUnit unit);
    std::optional<Fragment> push_audio(AccessUnit unit);
    std::int64_t audio_samples(const AccessUnit& unit) const;
    Unit timed_audio(AccessUnit unit) const;
    void hold(Track& track, Unit unit);
    void complete_held(Track& track, std::int64_t duration);
    bool is_due(microseconds at, microseconds unit_duration) const;
    std::size_t write(Track& track, microseconds end);
    struct Cut {
        microseconds end{};
        bool before_keyframe = false;
        bool everything = false;  // audio beyond the end, too: nothing follows
    };
    Fragment cut(Cut at);
};

Muxer::Muxer(Options options, std::optional<TrackConfig> video, std::optional<TrackConfig> audio)
    : state_(std::make_unique<State>()) {
    SPAKTOK_ASSERT(video || audio);
    state_->options = options;
    std::vector<Mp4Track> tracks;
    if (video) {
        state_->video_description = describe_track(true, *video);
        state_->video = Track{.index = tracks.size(), .timescale = video_timescale};
        tracks.push_back({std::move(*video), *state_->video_description, video_timescale});
    }
    if (audio) {
        state_->audio_description = describe_track(false, *audio);
        const int rate = state_->audio_description->sample_rate;
        state_->audio = Track{.index = tracks.size(), .timescale = rate};
        tracks.push_back({std::move(*audio), *state_->audio_description, rate});
    }
    state_->writer = std::make_unique<Mp4Writer>(tracks);
    state_->init = std::make_shared<const std::string>(state_->writer->take_init());
}

Muxer::~Muxer() = default;

const SharedBytes& Muxer::init() const {
    return state_->init;
}
const std::optional<TrackDescription>& Muxer::video() const {
    return state_->video_description;
}
const std::optional<TrackDescription>& Muxer::audio() const {
    return state_->audio_description;
}

std::optional<Fragment> Muxer::push(AccessUnit unit) {
    return unit.video ? state_->push_video(std::move(unit)) : state_->push_audio(std::move(unit));
}

std::optional<Fragment> Muxer::finish() {
    State& state = *state_;
    if (!state.fragment_start) return std::nullopt;  // no picture came
    microseconds end = *state.fragment_start;
    if (state.video && state.video->held) {
        Track& track = *state.video;
        const std::int64_t duration = track.last_duration > 0 ? track.last_duration : track.timescale / 30;
        end = std::max(end, track.time(track.held->dts + duration));
        state.complete_held(track, duration);
    }
    if (state.audio && state.audio->held) {
        Track& track = *state.audio;
        const std::int64_t duration = std::max<std::int64_t>(1, state.audio_samples(track.held->access_unit));
        if (!state.video) end = std::max(end, track.time(track.held->dts + duration));
        state.complete_held(track, duration);
    }
    const bool empty =
        (!state.video || state.video->complete.empty()) && (!state.audio || state.audio->complete.empty());
    if (empty) return std::nullopt;
    return state.cut({.end = end, .before_keyframe = true, .everything = true});
}

void Muxer::State::hold(Track& track, Unit unit) {
    if (!fragment_start && (&track == &*video || !video)) fragment_start = track.time(unit.dts);
    track.held = std::move(unit);
}

void Muxer::State::complete_held(Track& track, std::int64_t duration) {
    Unit unit = std::move(*track.held);
    track.held.reset();
    unit.duration = duration;
    track.last_duration = duration;
    pending_bytes += unit.access_unit.data.size();
    track.complete.push_back(std::move(unit));
}

bool Muxer::State::is_due(microseconds at, microseconds unit_duration) const {
    // A third of a unit early rather than nearly a whole one late: timestamps are rounded.
    return at - *fragment_start + unit_duration / 3 >= options.fragment_target ||
           pending_bytes >= options.fragment_bytes_max;
}

std::optional<Fragment> Muxer::State::push_video(AccessUnit unit) {
    SPAKTOK_ASSERT(video);
    constexpr std::int64_t ticks = video_timescale / 1000;
    Unit next{.dts = unit.dts_ms * ticks, .pts = unit.pts_ms * ticks};
    const bool keyframe = unit.keyframe;
    next.access_unit = std::move(unit);
    std::optional<Fragment> fragment;
    if (video->held) {
        const std::int64_t duration = next.dts - video->held->dts;
        SPAKTOK_ASSERT(duration > 0);
        complete_held(*video, duration);
        const auto at = video->time(next.dts);
        if (keyframe || is_due(at, video->time(duration)))
            fragment = cut({.end = at, .before_keyframe = keyframe});
    }
    hold(*video, std::move(next));
    return fragment;
}

std::int64_t Muxer::State::audio_samples(const AccessUnit& unit) const {
    if (audio_description->frame_samples != 0) return audio_description->frame_samples;
    return opus_packet_samples(unit.data);
}

Unit Muxer::State::timed_audio(AccessUnit unit) const {
    std::int64_t at = unit.dts_ms * audio->timescale / 1000;
    if (audio->held) {
        const std::int64_t expected = audio->held->dts + audio_samples(audio->held->access_unit);
        const std::int64_t snap = std::int64_t{audio->timescale} * audio_snap_ms / 1000;
        at = std::abs(at - expected) <= snap ? expected : at;
        at = std::max(at, audio->held->dts + 1);
    }
    Unit timed{.dts = at, .pts = at};
    timed.access_unit = std::move(unit);
    return timed;
}

std::optional<Fragment> Muxer::State::push_audio(AccessUnit unit) {
    SPAKTOK_ASSERT(audio);
    Unit next = timed_audio(std::move(unit));
    std::optional<Fragment> fragment;
    if (audio->held) {
        const std::int64_t duration = next.dts - audio->held->dts;
        complete_held(*audio, duration);
        const auto at = audio->time(next.dts);
        const bool stalled =
            fragment_start && at - *fragment_start >= video_stall_max + options.fragment_target;
        const bool full = fragment_start && pending_bytes >= options.fragment_bytes_max;
        if (video ? stalled || full : is_due(at, audio->time(duration)))
            fragment = cut({.end = at, .before_keyframe = !video});
    }
    hold(*audio, std::move(next));
    return fragment;
}

// Writes what begins before `end`; pictures are all before it, audio may have run ahead.
std::size_t Muxer::State::write(Track& track, microseconds end) {
    const bool is_video = video && &track == &*video;
    std::size_t written = 0;
    for (; written < track.complete.size(); ++written) {
        const auto& unit = track.complete[written];
        if (!is_video && track.time(unit.dts) >= end) break;
        writer->write({.track = track.index,
                       .dts = unit.dts,
                       .pts = unit.pts,
                       .duration = unit.duration,
                       .keyframe = unit.access_unit.keyframe || !is_video,
                       .data = &unit.access_unit.data});
        pending_bytes -= unit.access_unit.data.size();
    }
    track.complete.erase(track.complete.begin(),
                         track.complete.begin() + static_cast<std::ptrdiff_t>(written));
    return written;
}

Fragment Muxer::State::cut(Cut at) {
    Fragment fragment;
    fragment.start = *fragment_start;
    // Audio that went on alone may have carried the fragments past the picture that comes now.
    const auto end = std::max(at.end, fragment.start + std::chrono::milliseconds(1));
    fragment.duration = end - fragment.start;
    fragment.before_keyframe = at.before_keyframe;
    fragment.independent =
        !video || (!video->complete.empty() && video->complete.front().access_unit.keyframe);
    if (video) fragment.pictures = static_cast<int>(write(*video, end));
    if (audio) write(*audio, at.everything ? microseconds::max() : end);
    fragment.bytes = std::make_shared<const std::string>(writer->take_fragment());
    fragment_start = end;
    return fragment;
}

}  // namespace spaktok::media::cmaf
