// Checks of what a decoder is configured with and of the access units behind it: only as deep as the muxer
// and the viewers' demuxers rely on, since nothing here decodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "media/access_unit.h"

namespace spaktok::media::rtmp {

inline constexpr std::size_t extradata_bytes_max = 16 * 1024;  // parameter sets are some hundred bytes

struct TrackSetup {
    TrackConfig config;
    std::size_t nal_length_bytes = 4;  // as the publisher sends; H.264 and HEVC only
};

// From the payload of a sequence start. Lengths of NAL units are said to be four bytes, which is what
// `normalize` makes them. OpusHead loses its magic. Throws Error{malformed, too_large}.
TrackSetup read_config(Codec codec, std::span<const std::uint8_t> payload);

struct AccessUnitCheck {
    bool valid = false;
    bool random_access =
        false;  // contains an IDR (H.264) or IRAP (HEVC) picture, whatever the publisher's flag says
};

// Walks the NAL units, giving each a length of four bytes. For other codecs only emptiness and reserved bits
// are looked at.
AccessUnitCheck normalize(const TrackSetup& setup, std::vector<std::uint8_t>& data);

}  // namespace spaktok::media::rtmp
