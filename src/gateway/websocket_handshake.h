// RFC 6455 section 4: what makes an HTTP request a WebSocket handshake, and its answer. No I/O here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spaktok::gateway {

// The request's header fields that matter, where present.
struct HandshakeFields {
    std::optional<std::string_view> upgrade;
    std::optional<std::string_view> connection;
    std::optional<std::string_view> version;  // Sec-WebSocket-Version
    std::optional<std::string_view> key;      // Sec-WebSocket-Key
};

enum class HandshakeResult {
    accepted,
    no_upgrade,           // 400: not a WebSocket handshake at all
    unsupported_version,  // 426 with Sec-WebSocket-Version: 13
    bad_key,              // 400
};
HandshakeResult check_handshake(const HandshakeFields& fields);

// Sec-WebSocket-Accept of a key (section 4.2.2, step 5.4).
std::string accept_key(std::string_view key);
// 101 Switching Protocols, to the empty line.
std::string handshake_answer(std::string_view key);
// 426 Upgrade Required for a version that is not spoken here, to the end of its body.
std::string unsupported_version_answer();

}  // namespace spaktok::gateway
