// An RTMP message, whole: what the chunk reader yields and what the limits are about.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spaktok::media::rtmp {

// Adobe's RTMP specification 1.0, sections 5.4 and 7.1.
enum class MessageType : std::uint8_t {
    set_chunk_size = 1,
    abort = 2,
    acknowledgement = 3,
    user_control = 4,
    window_acknowledgement_size = 5,
    set_peer_bandwidth = 6,
    audio = 8,
    video = 9,
    data_amf3 = 15,
    shared_object_amf3 = 16,
    command_amf3 = 17,
    data_amf0 = 18,
    shared_object_amf0 = 19,
    command_amf0 = 20,
    aggregate = 22,
};

// What one connection may make the server hold. Each has a test at the limit and one past it.
struct Limits {
    std::size_t chunk_streams_max = 32;         // encoders use up to eight
    std::size_t control_bytes_max = 64;         // types 1–6: the longest that is defined has ten
    std::size_t command_bytes_max = 64 * 1024;  // commands, metadata, shared objects
    std::size_t audio_bytes_max = 64 * 1024;    // one frame; AAC's and Opus' longest are below 8 KiB
    std::size_t video_bytes_max =
        8 * 1024 * 1024;  // one picture; a keyframe in 4K at 80 Mbit/s has about 3 MiB
    std::size_t pending_bytes_max =
        10 * 1024 * 1024;                      // announced by messages that have begun on all chunk streams
    std::size_t output_bytes_max = 64 * 1024;  // answers that the peer has not read
};

// A tag's header is kept apart from its payload, so that the payload is gathered where the access unit will
// keep it.
struct Message {
    static constexpr std::size_t head_bytes_max = 8;

    MessageType type = MessageType::command_amf0;
    std::uint32_t stream_id = 0;
    std::uint32_t timestamp = 0;  // milliseconds, wraps after 49.7 days
    std::array<std::uint8_t, head_bytes_max> head{};
    std::size_t head_size = 0;  // 0 for all but audio and video
    std::vector<std::uint8_t> body;

    std::span<const std::uint8_t> head_bytes() const { return {head.data(), head_size}; }
};

// Big-endian, as everywhere in RTMP but for the message stream id.
inline std::uint32_t read_u16(const std::uint8_t* at) {
    return std::uint32_t{at[0]} << 8 | at[1];
}
inline std::uint32_t read_u24(const std::uint8_t* at) {
    return read_u16(at) << 8 | at[2];
}
inline std::uint32_t read_u32(const std::uint8_t* at) {
    return read_u24(at) << 8 | at[3];
}

}  // namespace spaktok::media::rtmp
