// From the 32-bit clock of RTMP to the continuous one of access units.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace spaktok::media::rtmp {

// One for a publish, shared by its tracks. The rules:
// - The first access unit keeps the publisher's time; a wrap of the 32 bits is undone.
// - dts rises strictly within a track, as MP4 requires: one that does not is moved to a millisecond after the
// one before.
// - Where a track's clock jumps forward by more than `forward_jump_max` or back by more than
// `backward_jump_max` (an encoder
//   that restarted its clock, a file that loops), its output goes on where the tracks have come to, and the
//   other track, when it reaches the same jump, is moved by the same amount, so that sound and picture stay
//   together. A gap in one track that ends where the other has come to is kept.
// - pts keeps its distance to the publisher's clock, not to a moved dts, and is never before dts; where the
// publisher
//   puts pts before dts (a negative composition offset), dts goes down as far as its track allows.
class Timeline {
  public:
    static constexpr std::int64_t forward_jump_max_ms = 10'000;
    static constexpr std::int64_t backward_jump_max_ms = 1'000;

    struct Times {
        std::int64_t dts_ms = 0;
        std::int64_t pts_ms = 0;
    };
    enum Track : std::size_t { audio = 0, video = 1 };

    Times place(Track track, std::uint32_t timestamp, std::int32_t composition_offset_ms);

  private:
    struct TrackClock {
        bool started = false;
        std::int64_t raw = 0;     // the publisher's clock, unwrapped
        std::int64_t offset = 0;  // output = raw + offset
        std::int64_t dts = 0;
        std::int64_t step = 0;  // between the last two, to go on with after a jump
    };

    void start(TrackClock& clock, const TrackClock& other, std::uint32_t timestamp);
    void rebase(TrackClock& clock, const TrackClock& other);

    std::array<TrackClock, 2> clocks_;
};

}  // namespace spaktok::media::rtmp
