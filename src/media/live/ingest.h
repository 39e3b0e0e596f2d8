// From one publisher's access units to fragments of its broadcast.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "media/access_unit.h"
#include "media/cmaf/muxer.h"
#include "media/live/broadcast.h"

namespace spaktok::media {

// Owned by the publisher's connection, used on its thread only. It waits for what a timeline needs (a
// keyframe, and the configuration of both tracks where two are to be expected), and begins a new one where
// the configuration changes or the publisher's clock jumps. Once another publisher took over, or the
// broadcast has ended, what comes is dropped.
class Ingest final : public PublisherSink {
  public:
    Ingest(std::shared_ptr<Broadcast> broadcast, Broadcast::Turn turn, cmaf::Muxer::Options options);
    ~Ingest() override;

    void configure(bool video, TrackConfig config) override;
    void push(AccessUnit unit) override;
    void disconnected(std::string reason) override;

    // Limits, with their reasons in ingest.cpp.
    static constexpr std::int64_t clock_jump_max_ms = 5'000;
    static constexpr std::int64_t tracks_apart_max_ms = 10'000;
    static constexpr std::int64_t composition_max_ms = 5'000;
    static constexpr std::int64_t wait_for_audio_ms = 500;
    static constexpr std::int64_t wait_for_video_ms = 1'000;
    static constexpr std::int64_t clock_max_ms = std::int64_t{1} << 40;
    static constexpr std::size_t waiting_bytes_max = 24u << 20;

  private:
    struct Track {
        std::optional<TrackConfig> config;
        std::optional<std::int64_t> last_dts_ms;  // of what was muxed
    };
    Track& track_of(const AccessUnit& unit) { return unit.video ? video_ : audio_; }
    bool acceptable(const AccessUnit& unit) const;
    void wait_with(AccessUnit unit);
    bool ready() const;
    void begin();
    void mux(AccessUnit unit);
    void stop_timeline();
    void publish(std::optional<cmaf::Fragment> fragment);
    void measure_keyframes(const AccessUnit& unit);

    const std::shared_ptr<Broadcast> broadcast_;
    const Broadcast::Turn turn_;
    const cmaf::Muxer::Options options_;
    Track video_;
    Track audio_;
    std::vector<AccessUnit> waiting_;  // until a timeline can begin
    std::size_t waiting_bytes_ = 0;
    std::unique_ptr<cmaf::Muxer> muxer_;
    bool timeline_announced_ = false;
    bool gone_ = false;
    Broadcast::Measurements measured_;
    std::optional<std::int64_t> last_keyframe_ms_;
};

}  // namespace spaktok::media
