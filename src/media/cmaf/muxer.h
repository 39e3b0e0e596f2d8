// Access units in, CMAF fragments out (ISO/IEC 23000-19): one muxer for each stretch between two
// discontinuities.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "media/access_unit.h"
#include "media/cmaf/track_description.h"

namespace spaktok::media::cmaf {

using SharedBytes = std::shared_ptr<const std::string>;

// One moof and its mdat, with all tracks: a part of low-latency HLS.
struct Fragment {
    SharedBytes bytes;
    std::chrono::microseconds start{};     // on the publisher's clock
    std::chrono::microseconds duration{};  // up to the next fragment's start; above zero
    bool independent = false;              // its first picture is a keyframe, or the publisher sends no video
    bool before_keyframe = false;          // so is the next one's: a segment may end here
    int pictures = 0;
};

// Owned by one ingest, used on its thread only. Times are exact: one access unit a track is held back until
// the next one says how long it lasts. Video cuts the fragments: before every keyframe, and else where the
// target is reached; audio that has come by then and belongs before the cut is in the same fragment, what
// comes later is in the next.
class Muxer {
  public:
    struct Options {
        std::chrono::milliseconds fragment_target{300};
        // A fragment is cut however short it is where its pictures pass this. One access unit may be as long.
        std::size_t fragment_bytes_max = 16u << 20;
    };
    // At least one of the two. Throws Error{unsupported_media} as describe_track does.
    Muxer(Options options, std::optional<TrackConfig> video, std::optional<TrackConfig> audio);
    ~Muxer();
    Muxer(const Muxer&) = delete;
    Muxer& operator=(const Muxer&) = delete;

    // ftyp and moov.
    const SharedBytes& init() const;
    const std::optional<TrackDescription>& video() const;
    const std::optional<TrackDescription>& audio() const;

    // `dts_ms` must grow from one picture to the next, and must not go back for audio; the track must be
    // configured. Yields the fragment that this unit completes. Throws Error{internal} where libavformat
    // refuses it: the muxer is spent then.
    std::optional<Fragment> push(AccessUnit unit);
    // What is left, held-back units included. Nothing may be pushed afterwards.
    std::optional<Fragment> finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::media::cmaf
