#include "media/live/ingest.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/log.h"

namespace spaktok::media {

// - A clock that jumps further than clock_jump_max_ms was restarted, or the publisher was suspended: players
// need a
//   discontinuity. No encoder leaves such a gap between two pictures.
// - tracks_apart_max_ms: what is further from the other track would make one fragment as long as the
// distance.
// - composition_max_ms: B-frames reorder by some frames; more is nonsense that would break a player's buffer.
// - wait_for_audio_ms, wait_for_video_ms: encoders send both configurations before the first picture; one
// that does not
//   has only one track.
// - clock_max_ms: 34 years; ticks of 1/90,000 s stay far from overflowing.

Ingest::Ingest(std::shared_ptr<Broadcast> broadcast, Broadcast::Turn turn, cmaf::Muxer::Options options)
    : broadcast_(std::move(broadcast)), turn_(turn), options_(options) {}

Ingest::~Ingest() {
    if (!gone_) disconnected("the connection was dropped");
}

void Ingest::configure(bool video, TrackConfig config) {
    const auto description = cmaf::describe_track(video, config);  // throws what the publisher is told
    Track& track = video ? video_ : audio_;
    if (track.config == config) return;
    log::info("ingest configured", {{"stream", broadcast_->stream_id().to_string()},
                                    {"track", video ? "video" : "audio"},
                                    {"codec", description.codecs}});
    stop_timeline();
    track.config = std::move(config);
}

bool Ingest::acceptable(const AccessUnit& unit) const {
    const Track& track = unit.video ? video_ : audio_;
    if (!track.config || unit.data.empty() || unit.data.size() > options_.fragment_bytes_max) return false;
    if (unit.dts_ms < 0 || unit.dts_ms > clock_max_ms) return false;
    return std::abs(unit.pts_ms - unit.dts_ms) <= composition_max_ms;
}

void Ingest::push(AccessUnit unit) {
    if (gone_) return;
    if (!acceptable(unit)) {
        ++measured_.dropped;
        return;
    }
    const Track& track = track_of(unit);
    if (muxer_ && track.last_dts_ms && std::abs(unit.dts_ms - *track.last_dts_ms) > clock_jump_max_ms) {
        log::info("ingest clock jumped", {{"stream", broadcast_->stream_id().to_string()},
                                          {"from_ms", *track.last_dts_ms},
                                          {"to_ms", unit.dts_ms}});
        stop_timeline();
    }
    try {
        muxer_ ? mux(std::move(unit)) : wait_with(std::move(unit));
    } catch (const Error& error) {
        log::warning("ingest cannot be packaged",
                     {{"stream", broadcast_->stream_id().to_string()}, {"detail", error.detail()}});
        ++measured_.dropped;
        muxer_.reset();  // it is spent: go on at the next keyframe
        stop_timeline();
    }
}

void Ingest::wait_with(AccessUnit unit) {
    const bool begun = !waiting_.empty();
    // Nothing can be shown before the first keyframe, and the sound before it would have no picture.
    if (video_.config && !begun && !(unit.video && unit.keyframe)) return;
    if (waiting_bytes_ + unit.data.size() > waiting_bytes_max) {
        measured_.dropped += static_cast<std::int64_t>(waiting_.size()) + 1;
        waiting_.clear();
        waiting_bytes_ = 0;
        return;
    }
    waiting_bytes_ += unit.data.size();
    waiting_.push_back(std::move(unit));
    if (ready()) begin();
}

bool Ingest::ready() const {
    if (video_.config && audio_.config) return true;
    const auto waited = waiting_.back().dts_ms - waiting_.front().dts_ms;
    return waited >= (video_.config ? wait_for_audio_ms : wait_for_video_ms);
}

void Ingest::begin() {
    auto units = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
    muxer_ = std::make_unique<cmaf::Muxer>(options_, video_.config, audio_.config);
    timeline_announced_ = false;
    for (auto& unit : units) {
        if (muxer_) mux(std::move(unit));
    }
}

void Ingest::mux(AccessUnit unit) {
    Track& track = track_of(unit);
    const Track& other = unit.video ? audio_ : video_;
    // Two pictures cannot be shown at one time; audio's own timeline settles what milliseconds cannot tell
    // apart.
    const bool late = track.last_dts_ms &&
                      (unit.video ? unit.dts_ms <= *track.last_dts_ms : unit.dts_ms < *track.last_dts_ms);
    const bool apart =
        !unit.video && other.last_dts_ms && std::abs(unit.dts_ms - *other.last_dts_ms) > tracks_apart_max_ms;
    if (late || apart) {
        ++measured_.dropped;
        return;
    }
    track.last_dts_ms = unit.dts_ms;
    if (unit.video && unit.keyframe) measure_keyframes(unit);
    publish(muxer_->push(std::move(unit)));
}

void Ingest::measure_keyframes(const AccessUnit& unit) {
    if (last_keyframe_ms_) {
        measured_.keyframe_interval_seconds = static_cast<double>(unit.dts_ms - *last_keyframe_ms_) / 1000.0;
    }
    last_keyframe_ms_ = unit.dts_ms;
}

void Ingest::stop_timeline() {
    waiting_.clear();
    waiting_bytes_ = 0;
    if (const auto muxer = std::exchange(muxer_, nullptr)) {
        muxer_ = nullptr;
        try {
            auto last = muxer->finish();
            if (last && timeline_announced_) publish(std::move(last));
        } catch (const Error& error) {
            log::warning("last fragment lost",
                         {{"stream", broadcast_->stream_id().to_string()}, {"detail", error.detail()}});
        }
    }
    video_.last_dts_ms.reset();
    audio_.last_dts_ms.reset();
    last_keyframe_ms_.reset();
}

void Ingest::publish(std::optional<cmaf::Fragment> fragment) {
    if (!fragment) return;
    if (!timeline_announced_) {
        Broadcast::Tracks tracks{.init = muxer_->init()};
        if (muxer_->video()) {
            tracks.video_codec = muxer_->video()->codecs;
            tracks.width = muxer_->video()->width;
            tracks.height = muxer_->video()->height;
        }
        if (muxer_->audio()) tracks.audio_codec = muxer_->audio()->codecs;
        broadcast_->begin_timeline(turn_, std::move(tracks));
        timeline_announced_ = true;
    }
    broadcast_->add(turn_, *fragment, measured_);
}

void Ingest::disconnected(std::string reason) {
    if (gone_) return;
    stop_timeline();
    gone_ = true;
    broadcast_->publisher_left(turn_, std::move(reason));
}

}  // namespace spaktok::media
