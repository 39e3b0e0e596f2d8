// For tests: a publisher's side of the protocol, written independently of the reader that it tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "media/rtmp/amf0.h"
#include "media/rtmp/message.h"

namespace spaktok::media::rtmp::testing {

using Bytes = std::vector<std::uint8_t>;

inline void append(Bytes& to, std::span<const std::uint8_t> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}
inline void append_number(Bytes& to, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        to.push_back(static_cast<std::uint8_t>(value >> shift));
}
inline Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts)
        append(all, part);
    return all;
}
inline Bytes text_bytes(std::string_view text) {
    return {text.begin(), text.end()};
}

struct ChunkHeader {
    int format = 0;
    std::uint32_t chunk_stream_id = 3;
    std::uint32_t timestamp = 0;  // absolute or a delta, as the format has it
    std::uint32_t length = 0;
    MessageType type = MessageType::command_amf0;
    std::uint32_t stream_id = 0;
};

inline void append_basic_header(Bytes& to, int format, std::uint32_t id) {
    const auto top = static_cast<std::uint8_t>(format << 6);
    if (id < 64) {
        to.push_back(static_cast<std::uint8_t>(top | id));
    } else if (id < 320) {
        to.push_back(top);
        append_number(to, id - 64, 1);
    } else {
        to.push_back(static_cast<std::uint8_t>(top | 1));
        to.push_back(static_cast<std::uint8_t>((id - 64) & 0xFF));
        to.push_back(static_cast<std::uint8_t>((id - 64) >> 8));
    }
}

inline Bytes chunk_header(const ChunkHeader& header) {
    Bytes bytes;
    append_basic_header(bytes, header.format, header.chunk_stream_id);
    const bool extended = header.timestamp >= 0xFFFFFF;
    if (header.format < 3) append_number(bytes, extended ? 0xFFFFFF : header.timestamp, 3);
    if (header.format < 2) {
        append_number(bytes, header.length, 3);
        bytes.push_back(static_cast<std::uint8_t>(header.type));
    }
    if (header.format == 0) {
        for (int shift = 0; shift < 32; shift += 8)
            bytes.push_back(static_cast<std::uint8_t>(header.stream_id >> shift));
    }
    if (extended) append_number(bytes, header.timestamp, 4);
    return bytes;
}

// What a client sends, one message after the other.
class ClientBytes {
  public:
    Bytes bytes;
    std::size_t chunk_size = 128;
    bool repeats_extended = true;

    ClientBytes& handshake(std::uint8_t version = 3) {
        bytes.push_back(version);
        for (int i = 0; i < 2 * 1'536; ++i)
            bytes.push_back(static_cast<std::uint8_t>(i * 7));
        return *this;
    }

    ClientBytes& message(ChunkHeader header, std::span<const std::uint8_t> body) {
        header.length = static_cast<std::uint32_t>(body.size());
        append(bytes, chunk_header(header));
        while (true) {
            const auto chunk = body.first(std::min(body.size(), chunk_size));
            append(bytes, chunk);
            body = body.subspan(chunk.size());
            if (body.empty()) return *this;
            append_basic_header(bytes, 3, header.chunk_stream_id);
            if (header.timestamp >= 0xFFFFFF && repeats_extended) append_number(bytes, header.timestamp, 4);
        }
    }

    ClientBytes& set_chunk_size(std::uint32_t size) {
        Bytes body;
        append_number(body, size, 4);
        message({.chunk_stream_id = 2, .type = MessageType::set_chunk_size}, body);
        chunk_size = size;
        return *this;
    }

    ClientBytes& command(std::initializer_list<amf0::Value> values, std::uint32_t stream_id = 0) {
        Bytes body;
        amf0::encode(body, std::span{values.begin(), values.size()});
        return message({.type = MessageType::command_amf0, .stream_id = stream_id}, body);
    }

    ClientBytes& connect(const std::string& app = "live") {
        amf0::Object options{.members = {{"app", app},
                                         {"type", "nonprivate"},
                                         {"flashVer", "FMLE/3.0 (compatible; test)"},
                                         {"fourCcList", amf0::Array{.items = {"hvc1", "av01", "Opus"}}}}};
        return command({"connect", 1.0, std::move(options)});
    }
    ClientBytes& create_stream() { return command({"createStream", 4.0, amf0::Null{}}); }
    ClientBytes& publish(const std::string& name) {
        return command({"publish", 5.0, amf0::Null{}, name, "live"}, 1);
    }
    // Everything up to the server's answer.
    ClientBytes& begin(const std::string& key = "KEY") {
        handshake().connect();
        command({"releaseStream", 2.0, amf0::Null{}, key}).command({"FCPublish", 3.0, amf0::Null{}, key});
        return create_stream().publish(key);
    }

    ClientBytes& video(std::uint32_t timestamp, const Bytes& tag) {
        return message(
            {.chunk_stream_id = 6, .timestamp = timestamp, .type = MessageType::video, .stream_id = 1}, tag);
    }
    ClientBytes& audio(std::uint32_t timestamp, const Bytes& tag) {
        return message(
            {.chunk_stream_id = 4, .timestamp = timestamp, .type = MessageType::audio, .stream_id = 1}, tag);
    }
};

// Configurations that are well-formed, and as small as they can be.
inline const Bytes avcc{1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 4, 0x67, 0x64, 0, 0x1F, 1, 0, 2, 0x68, 0xEE};
inline const Bytes asc{0x12, 0x10};
inline const Bytes av1c{0x81, 0x08, 0x0C, 0x00};
inline const Bytes opus_head{1, 2, 0x38, 1, 0x80, 0xBB, 0, 0, 0, 0, 0};

inline Bytes hvcc() {
    Bytes bytes(23, 0);
    bytes[0] = 1;
    bytes[21] = 0x0F;
    bytes[22] = 1;  // one array of one unit
    append(bytes, Bytes{0xA0, 0, 1, 0, 3, 0x40, 1, 0x0C});
    return bytes;
}

inline Bytes nal_unit(const Bytes& payload, int length_bytes = 4) {
    Bytes bytes;
    append_number(bytes, payload.size(), length_bytes);
    append(bytes, payload);
    return bytes;
}
inline Bytes idr_picture(std::size_t size = 100) {
    Bytes payload(size, 0xAB);
    payload[0] = 0x65;
    return nal_unit(payload);
}
inline Bytes other_picture(std::size_t size = 40) {
    Bytes payload(size, 0xCD);
    payload[0] = 0x41;
    return nal_unit(payload);
}

inline Bytes avc_tag(std::uint8_t packet_type, bool key, std::int32_t composition_offset,
                     const Bytes& payload) {
    Bytes bytes{static_cast<std::uint8_t>((key ? 0x10 : 0x20) | 7), packet_type};
    append_number(bytes, static_cast<std::uint32_t>(composition_offset) & 0xFFFFFF, 3);
    append(bytes, payload);
    return bytes;
}
inline Bytes avc_config() {
    return avc_tag(0, true, 0, avcc);
}
inline Bytes avc_frame(bool key, std::int32_t composition_offset = 0) {
    return avc_tag(1, key, composition_offset, key ? idr_picture() : other_picture());
}
inline Bytes aac_config() {
    return joined({{0xAF, 0}, asc});
}
inline Bytes aac_frame(std::size_t size = 50) {
    return joined({{0xAF, 1}, Bytes(size, 0x21)});
}

inline Bytes ex_video_tag(std::uint8_t packet_type, bool key, std::string_view code, const Bytes& rest) {
    return joined(
        {{static_cast<std::uint8_t>(0x80 | (key ? 0x10 : 0x20) | packet_type)}, text_bytes(code), rest});
}
inline Bytes ex_audio_tag(std::uint8_t packet_type, std::string_view code, const Bytes& rest) {
    return joined({{static_cast<std::uint8_t>(0x90 | packet_type)}, text_bytes(code), rest});
}

}  // namespace spaktok::media::rtmp::testing
