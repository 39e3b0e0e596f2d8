// Audio and video messages in, track configurations and access units out.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <variant>

#include "media/access_unit.h"
#include "media/rtmp/codec_config.h"
#include "media/rtmp/flv_tag.h"
#include "media/rtmp/message.h"
#include "media/rtmp/timeline.h"

namespace spaktok::media::rtmp {

// The first configuration of a track, or one that differs from the one before.
struct TrackConfigured {
    bool video = false;
    TrackConfig config;
};

using TrackEvent = std::variant<TrackConfigured, AccessUnit>;

// One for a publish. Access units that cannot be used (before a configuration, of another codec, with NAL
// units whose lengths do not add up) are left out and counted, as a transmission error upstream of the
// encoder should not end a broadcast; a publisher that sends nothing else is refused.
class TrackReader {
  public:
    static constexpr std::size_t unusable_in_a_row_max = 100;
    static constexpr std::int32_t composition_offset_max_ms =
        10'000;  // a second of B-frames is already extreme

    // Takes the payload out of `message`. Throws Error{malformed, unsupported, too_large}.
    std::optional<TrackEvent> read(Message&& message);

    std::size_t unusable() const { return unusable_; }

  private:
    std::optional<TrackEvent> configure(Timeline::Track track, Codec codec, const Message& message);
    std::optional<TrackEvent> deliver(Timeline::Track track, const TagHeader& header, Message&& message);
    std::optional<TrackEvent> leave_out();

    std::array<std::optional<TrackSetup>, 2> setups_;
    Timeline timeline_;
    std::size_t unusable_ = 0;
    std::size_t unusable_in_a_row_ = 0;
};

}  // namespace spaktok::media::rtmp
