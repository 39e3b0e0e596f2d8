// What a publisher's protocol yields and the muxer takes: one coded picture or one coded audio frame.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"

namespace spaktok::media {

enum class Codec { h264, hevc, av1, aac, opus };

// Decoder configuration of a track, as MP4 carries it: avcC (ISO/IEC 14496-15), hvcC, av1C,
// AudioSpecificConfig (ISO/IEC 14496-3), OpusHead without its magic (RFC 7845 as dOps).
struct TrackConfig {
    Codec codec = Codec::h264;
    std::vector<std::uint8_t> extradata;
    bool operator==(const TrackConfig&) const = default;
};

struct AccessUnit {
    bool video = false;
    bool keyframe = false;  // a decoder can start here; true for all audio
    std::int64_t dts_ms =
        0;  // the publisher's clock, made monotonic per track by the ingest (32-bit wrap undone)
    std::int64_t pts_ms = 0;
    std::vector<std::uint8_t> data;  // H.264/HEVC: length-prefixed NAL units (4 bytes); AAC: raw frames
};

// Where an ingest protocol hands what it reads. All calls on the publisher's I/O thread, in order; none
// blocks.
class PublisherSink {
  public:
    virtual ~PublisherSink() = default;
    // A (new) configuration; a changed one while on air starts a new discontinuity. Throws
    // Error{unsupported_media} where the muxer cannot carry it: the ingest refuses the publisher with that
    // message.
    virtual void configure(bool video, TrackConfig config) = 0;
    virtual void push(AccessUnit unit) = 0;
    // The publisher has gone: cleanly (`FCUnpublish`, `deleteStream`) or not. Either way it may return within
    // the grace.
    virtual void disconnected(std::string reason) = 0;
};

}  // namespace spaktok::media
