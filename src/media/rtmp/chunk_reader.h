// Chunks in, messages out (specification 1.0, section 5.3), without I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "media/rtmp/message.h"

namespace spaktok::media::rtmp {

// Bytes may be cut anywhere. Each payload byte is copied once, from the input into the message that it
// belongs to. Applies Set Chunk Size and Abort itself; every other message is the caller's.
class ChunkReader {
  public:
    explicit ChunkReader(const Limits& limits) : limits_(limits) {
        streams_.reserve(limits.chunk_streams_max);
    }

    // Consumes from the front of `bytes` until a message is whole; nothing when all was consumed first.
    // Throws Error{malformed, too_large, unsupported} and is not to be used afterwards.
    std::optional<Message> next(std::span<const std::uint8_t>& bytes);

    std::size_t chunk_size() const { return chunk_size_; }
    std::size_t pending_bytes() const { return pending_bytes_; }

    static constexpr std::size_t chunk_size_at_start = 128;
    static constexpr std::size_t chunk_size_max = 0xFFFFFF;  // no message is longer

  private:
    struct ChunkStream {
        std::uint32_t id = 0;
        std::uint32_t timestamp = 0;
        std::uint32_t timestamp_field = 0;  // as sent last: absolute after format 0, a delta after 1 and 2
        bool extended = false;              // the field stood in the four extra bytes
        std::uint32_t length = 0;
        MessageType type = MessageType::command_amf0;
        std::uint32_t stream_id = 0;
        bool in_message = false;
        bool head_gathered = false;  // the tag's header is cut off; the rest goes to the body
        std::uint32_t missing = 0;
        Message message;
    };

    // Basic header of up to 3 bytes, message header of up to 11, extended timestamp of 4.
    static constexpr std::size_t header_bytes_max = 18;

    bool read_header(std::span<const std::uint8_t>& bytes);
    bool gather(std::span<const std::uint8_t>& bytes, std::size_t size);
    bool expects_extended(int format, std::size_t basic_size);
    void apply_header(int format, std::size_t basic_size, std::size_t plain_size);
    void apply_new_message(ChunkStream& stream, int format, std::size_t basic_size, std::size_t plain_size);
    void begin_message(ChunkStream& stream);
    void read_payload(std::span<const std::uint8_t>& bytes);
    void append(ChunkStream& stream, std::span<const std::uint8_t> payload);
    void cut_head(ChunkStream& stream);
    Message finish(ChunkStream& stream);
    bool applied(const Message& message);
    ChunkStream* find(std::uint32_t id);
    ChunkStream& find_or_add(std::uint32_t id);
    std::size_t message_bytes_max(MessageType type) const;

    Limits limits_;
    std::size_t chunk_size_ = chunk_size_at_start;
    std::vector<ChunkStream> streams_;
    std::size_t pending_bytes_ = 0;

    std::array<std::uint8_t, header_bytes_max> header_{};
    std::size_t header_size_ = 0;
    std::uint32_t chunk_stream_id_ = 0;  // of the chunk being read
    ChunkStream* current_ = nullptr;
    bool in_payload_ = false;
    std::size_t chunk_missing_ = 0;  // payload bytes of this chunk
    bool repeats_extended_ = true;   // what the peer does on continuing chunks
};

}  // namespace spaktok::media::rtmp
