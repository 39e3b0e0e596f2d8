// The client's side of RFC 6455, for tests: masked frames out, server frames in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spaktok::gateway {

// A masked frame; `first_byte` is FIN, reserved bits and opcode. The length has its shortest form.
inline std::string client_frame(std::uint8_t first_byte, std::string_view payload) {
    static constexpr std::array<std::uint8_t, 4> mask{0x37, 0xFA, 0x21, 0x3D};
    std::string frame(1, static_cast<char>(first_byte));
    const auto append_big_endian = [&](int bytes) {
        for (int i = bytes - 1; i >= 0; --i)
            frame.push_back(static_cast<char>(payload.size() >> (8 * i) & 0xFF));
    };
    if (payload.size() <= 125) {
        frame.push_back(static_cast<char>(0x80 | payload.size()));
    } else if (payload.size() <= 0xFFFF) {
        frame.push_back(static_cast<char>(0xFE));
        append_big_endian(2);
    } else {
        frame.push_back(static_cast<char>(0xFF));
        append_big_endian(8);
    }
    for (const auto byte : mask)
        frame.push_back(static_cast<char>(byte));
    for (std::size_t i = 0; i < payload.size(); ++i)
        frame.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
    return frame;
}
inline std::string client_text(std::string_view payload) {
    return client_frame(0x81, payload);
}

struct ServerFrame {
    std::uint8_t first_byte = 0;
    std::string payload;
};

// Takes one whole server frame from the front of `buffer`; nullopt where it is not all there yet.
inline std::optional<ServerFrame> take_server_frame(std::string& buffer) {
    if (buffer.size() < 2) return std::nullopt;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(buffer[i]); };
    std::size_t header = 2;
    std::size_t length = byte(1);
    if (length >= 126) {
        const std::size_t extended = length == 126 ? 2 : 8;
        if (buffer.size() < 2 + extended) return std::nullopt;
        length = 0;
        for (std::size_t i = 0; i < extended; ++i)
            length = length << 8 | byte(2 + i);
        header += extended;
    }
    if (buffer.size() < header + length) return std::nullopt;
    ServerFrame frame{byte(0), buffer.substr(header, length)};
    buffer.erase(0, header + length);
    return frame;
}

}  // namespace spaktok::gateway
