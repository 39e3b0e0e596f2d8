// Headers of FLV audio and video tags, in the form of FLV 10.1 (annex E.4) and of Enhanced RTMP v1 and v2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "media/access_unit.h"
#include "media/rtmp/message.h"

namespace spaktok::media::rtmp {

enum class TagKind {
    sequence_start,  // the payload is the track's configuration
    coded_frames,
    sequence_end,
    ignored,  // metadata (HDR colour info), commands to a player, multichannel layout
};

struct TagHeader {
    TagKind kind = TagKind::ignored;
    Codec codec = Codec::h264;
    bool keyframe = false;
    std::int32_t composition_offset_ms = 0;  // pts - dts, signed 24 bits
    std::size_t size = 0;                    // the payload begins here
};

// How many of the first bytes of a message are the header; 0 where it has to be searched in the whole message
// (ModEx) or is refused anyway. `first_bytes` holds up to Message::head_bytes_max bytes, fewer only where the
// message is shorter.
std::size_t tag_head_size(MessageType type, std::span<const std::uint8_t> first_bytes);

// Throw Error{malformed} where the header is cut off and Error{unsupported} for codecs that are not carried
// and for several tracks in one message. Nothing for an empty message, which some encoders send to keep the
// connection alive.
std::optional<TagHeader> read_video_header(std::span<const std::uint8_t> bytes);
std::optional<TagHeader> read_audio_header(std::span<const std::uint8_t> bytes);

}  // namespace spaktok::media::rtmp
