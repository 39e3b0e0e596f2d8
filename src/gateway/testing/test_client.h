// A WebSocket client for tests: blocking, with a deadline on every wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "gateway/testing/client_frames.h"

namespace spaktok::gateway {

class TestClient {
  public:
    static constexpr std::chrono::seconds patience{10};

    explicit TestClient(int socket) : socket_(socket) {}
    TestClient(TestClient&& other) noexcept
        : socket_(std::exchange(other.socket_, -1)),
          buffer_(std::move(other.buffer_)),
          next_id_(other.next_id_) {}
    TestClient& operator=(TestClient&&) = delete;
    ~TestClient() { disconnect(); }

    void disconnect() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }
    int native_handle() const { return socket_; }

    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (written <= 0) throw std::runtime_error("the server does not take what the client writes");
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    void send_text(std::string_view text) { write(client_text(text)); }
    // Sends a request and returns its id.
    std::int64_t request(std::string_view type, json::Object members = {}) {
        const std::int64_t id = next_id_++;
        members["id"] = id;
        members["type"] = type;
        send_text(boost::json::serialize(members));
        return id;
    }

    // The bytes of an HTTP answer's head, up to its empty line.
    std::string read_head() {
        while (buffer_.find("\r\n\r\n") == std::string::npos) {
            if (!read_more()) throw std::runtime_error("closed before the head's end: " + buffer_);
        }
        const auto end = buffer_.find("\r\n\r\n") + 4;
        std::string head = buffer_.substr(0, end);
        buffer_.erase(0, end);
        return head;
    }
    // The next frame; nullopt at the end of the connection.
    std::optional<ServerFrame> read_frame() {
        while (true) {
            if (auto frame = take_server_frame(buffer_)) return frame;
            if (!read_more()) return std::nullopt;
        }
    }
    // The next message; pings are answered on the way. Throws at a close frame.
    json::Value read_json() {
        while (true) {
            const auto frame = read_frame();
            if (!frame) throw std::runtime_error("the connection ended");
            if (frame->first_byte == 0x89) {
                write(client_frame(0x8A, frame->payload));
            } else if (frame->first_byte == 0x81) {
                return boost::json::parse(frame->payload);
            } else {
                throw std::runtime_error("unexpected frame " + std::to_string(frame->first_byte) + " " +
                                         close_text(*frame));
            }
        }
    }
    // Sends a request and returns its answer; what comes before that is dropped.
    json::Value ask(std::string_view type, json::Object members = {}) {
        const std::int64_t id = request(type, std::move(members));
        return answer(id);
    }
    json::Value answer(std::int64_t id) {
        while (true) {
            auto message = read_json();
            if (message.at("type") == "answer" && message.at("id") == id) return message;
        }
    }
    // Reads on to the close frame and answers it; returns its code, 1006 where the connection ended without.
    int read_close() {
        while (auto frame = read_frame()) {
            if (frame->first_byte != 0x88) continue;
            const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(frame->payload[i]); };
            const int code = frame->payload.size() < 2 ? 1005 : byte(0) << 8 | byte(1);
            const std::string answer = client_frame(0x88, frame->payload);
            [[maybe_unused]] const auto sent = ::send(socket_, answer.data(), answer.size(), MSG_NOSIGNAL);
            return code;
        }
        return 1006;
    }
    // Whether the server has closed the connection, or does within the deadline.
    bool is_ended() {
        while (read_more())
            buffer_.clear();
        return true;
    }

  private:
    static std::string close_text(const ServerFrame& frame) {
        return frame.payload.size() > 2 ? frame.payload.substr(2) : std::string();
    }
    // False at the end of the connection.
    bool read_more() {
        pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
        const auto limit = std::chrono::milliseconds(patience).count();
        if (::poll(&waiting, 1, static_cast<int>(limit)) <= 0) {
            throw std::runtime_error("nothing came in time; unread: " + buffer_.substr(0, 200));
        }
        char bytes[65536];
        const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
        if (count <= 0) return false;
        buffer_.append(bytes, static_cast<std::size_t>(count));
        return true;
    }

    int socket_;
    std::string buffer_;
    std::int64_t next_id_ = 1;
};

}  // namespace spaktok::gateway
