// Messages in, chunks out: for the few small answers that the server sends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "media/rtmp/message.h"

namespace spaktok::media::rtmp {

// Writes each message with a full header, so that nothing depends on what was sent before.
class ChunkWriter {
  public:
    struct Destination {
        std::uint32_t chunk_stream_id = 2;  // 2–63
        std::uint32_t stream_id = 0;
    };

    // Appends the chunks of one message to `output`. A Set Chunk Size takes effect from the next message on.
    void write(std::vector<std::uint8_t>& output, Destination to, MessageType type,
               std::span<const std::uint8_t> body);

    void set_chunk_size(std::vector<std::uint8_t>& output, std::uint32_t bytes);
    void window_acknowledgement_size(std::vector<std::uint8_t>& output, std::uint32_t bytes);
    void set_peer_bandwidth(std::vector<std::uint8_t>& output, std::uint32_t bytes);
    void acknowledgement(std::vector<std::uint8_t>& output, std::uint32_t sequence);
    void user_control(std::vector<std::uint8_t>& output, std::uint16_t event, std::uint32_t value);

  private:
    void write_u32(std::vector<std::uint8_t>& output, MessageType type, std::uint32_t value);

    std::size_t chunk_size_ = 128;
};

// User control events, section 7.1.7.
inline constexpr std::uint16_t event_stream_begin = 0;
inline constexpr std::uint16_t event_ping_request = 6;
inline constexpr std::uint16_t event_ping_response = 7;

}  // namespace spaktok::media::rtmp
