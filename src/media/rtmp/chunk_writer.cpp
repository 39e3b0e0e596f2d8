#include "media/rtmp/chunk_writer.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace spaktok::media::rtmp {

namespace {

constexpr std::uint8_t limit_dynamic = 2;  // section 5.4.5

std::uint8_t byte(std::uint32_t value, int shift) {
    return static_cast<std::uint8_t>(value >> shift);
}

std::array<std::uint8_t, 4> big_endian(std::uint32_t value) {
    return {byte(value, 24), byte(value, 16), byte(value, 8), byte(value, 0)};
}

}  // namespace

void ChunkWriter::write(std::vector<std::uint8_t>& output, Destination to, MessageType type,
                        std::span<const std::uint8_t> body) {
    SPAKTOK_ASSERT(to.chunk_stream_id >= 2 && to.chunk_stream_id < 64 && body.size() <= 0xFFFFFF);
    const auto length = static_cast<std::uint32_t>(body.size());
    const std::array<std::uint8_t, 12> header{static_cast<std::uint8_t>(to.chunk_stream_id),
                                              0,
                                              0,
                                              0,  // format 0, timestamp 0
                                              byte(length, 16),
                                              byte(length, 8),
                                              byte(length, 0),
                                              static_cast<std::uint8_t>(type),
                                              byte(to.stream_id, 0),
                                              byte(to.stream_id, 8),
                                              byte(to.stream_id, 16),
                                              byte(to.stream_id, 24)};
    output.insert(output.end(), header.begin(), header.end());
    while (true) {
        const auto chunk = body.first(std::min(body.size(), chunk_size_));
        output.insert(output.end(), chunk.begin(), chunk.end());
        body = body.subspan(chunk.size());
        if (body.empty()) return;
        output.push_back(static_cast<std::uint8_t>(0xC0 | to.chunk_stream_id));
    }
}

void ChunkWriter::write_u32(std::vector<std::uint8_t>& output, MessageType type, std::uint32_t value) {
    write(output, {}, type, big_endian(value));
}

void ChunkWriter::set_chunk_size(std::vector<std::uint8_t>& output, std::uint32_t bytes) {
    write_u32(output, MessageType::set_chunk_size, bytes);
    chunk_size_ = bytes;
}

void ChunkWriter::window_acknowledgement_size(std::vector<std::uint8_t>& output, std::uint32_t bytes) {
    write_u32(output, MessageType::window_acknowledgement_size, bytes);
}

void ChunkWriter::set_peer_bandwidth(std::vector<std::uint8_t>& output, std::uint32_t bytes) {
    const auto size = big_endian(bytes);
    const std::array<std::uint8_t, 5> body{size[0], size[1], size[2], size[3], limit_dynamic};
    write(output, {}, MessageType::set_peer_bandwidth, body);
}

void ChunkWriter::acknowledgement(std::vector<std::uint8_t>& output, std::uint32_t sequence) {
    write_u32(output, MessageType::acknowledgement, sequence);
}

void ChunkWriter::user_control(std::vector<std::uint8_t>& output, std::uint16_t event, std::uint32_t value) {
    const auto parameter = big_endian(value);
    const std::array<std::uint8_t, 6> body{byte(event, 8), byte(event, 0), parameter[0],
                                           parameter[1],   parameter[2],   parameter[3]};
    write(output, {}, MessageType::user_control, body);
}

}  // namespace spaktok::media::rtmp
