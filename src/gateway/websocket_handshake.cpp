#include "gateway/websocket_handshake.h"

#include <algorithm>
#include <array>

#include <openssl/evp.h>

#include "base/assert.h"

namespace spaktok::gateway {
namespace {

constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // section 1.3
constexpr std::size_t key_characters = 24;                                 // base64 of 16 bytes
constexpr std::size_t sha1_bytes = 20;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_without_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Whether a comma-separated list has the token; browsers send "Connection: keep-alive, Upgrade".
bool has_token(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (equal_without_case(trim(list.substr(0, comma)), token)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
    return false;
}

bool is_base64(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool is_key(std::string_view key) {
    return key.size() == key_characters && key.ends_with("==") &&
           std::ranges::all_of(key.substr(0, key_characters - 2), is_base64);
}

}  // namespace

HandshakeResult check_handshake(const HandshakeFields& fields) {
    if (!fields.upgrade || !has_token(*fields.upgrade, "websocket")) return HandshakeResult::no_upgrade;
    if (!fields.connection || !has_token(*fields.connection, "upgrade")) return HandshakeResult::no_upgrade;
    if (!fields.version || trim(*fields.version) != "13") return HandshakeResult::unsupported_version;
    if (!fields.key || !is_key(trim(*fields.key))) return HandshakeResult::bad_key;
    return HandshakeResult::accepted;
}

std::string accept_key(std::string_view key) {
    const std::string input = std::string(trim(key)).append(guid);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    // SHA-1 is what the protocol fixes; it protects nothing here but proves that this is a WebSocket server.
    SPAKTOK_ASSERT(EVP_Digest(input.data(), input.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1);
    SPAKTOK_ASSERT(size == sha1_bytes);
    std::array<unsigned char, 4 * ((sha1_bytes + 2) / 3) + 1> text{};
    const int length = EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(size));
    return {text.begin(), text.begin() + length};
}

std::string handshake_answer(std::string_view key) {
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
           "Upgrade\r\nSec-WebSocket-Accept: " +
           accept_key(key) + "\r\n\r\n";
}

std::string unsupported_version_answer() {
    return "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
           "Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
}

}  // namespace spaktok::gateway
