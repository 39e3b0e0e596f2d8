// What a decoder configuration says about its track: the CODECS string (RFC 6381), picture size, sampling.
// Pure.
#pragma once

#include <string>

#include "media/access_unit.h"

namespace spaktok::media::cmaf {

struct TrackDescription {
    std::string codecs;  // "avc1.64001f", "hvc1.1.6.L93.B0", "av01.0.04M.08", "mp4a.40.2", "opus"
    int width = 0;       // video
    int height = 0;
    int sample_rate = 0;  // audio: ticks a second of its timeline
    int channels = 0;
    int frame_samples =
        0;  // of one access unit: AAC 1024 or 960; 0 for Opus, whose packets say it themselves
};

// Throws Error{unsupported_media} with a sentence for the publisher where the track cannot be carried: a
// codec on the wrong track, a configuration that cannot be read, H.264 or HEVC whose NAL units do not have
// 4-byte lengths.
TrackDescription describe_track(bool video, const TrackConfig& config);

// The samples (at 48 kHz) of an Opus packet by its first bytes (RFC 6716, 3.1 and 3.2); 0 where it is none.
int opus_packet_samples(const std::vector<std::uint8_t>& packet);

// The Opus identification header with its magic and little-endian fields, as libavformat takes it, from any
// of the three forms in use: whole, without its magic, or MP4's dOps. Throws Error{unsupported_media}.
std::vector<std::uint8_t> opus_head(const std::vector<std::uint8_t>& extradata);

}  // namespace spaktok::media::cmaf
