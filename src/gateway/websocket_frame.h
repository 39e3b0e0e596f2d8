// RFC 6455 frames, without I/O: client bytes in, events out; server frames out as finished bytes.
//
// Only what this server speaks: text messages and control frames. No extension is negotiated
// (permessage-deflate would need a compressed copy for each subscriber, which is what sharing one frame
// avoids), so the reserved bits must be zero.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/utf8_validator.h"

namespace spaktok::gateway {

// The codes that this server sends (api/realtime.md says what a client does on each).
enum class CloseCode : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    invalid_payload = 1007,
    message_too_big = 1009,
    restart = 1012,
    session_ended = 4401,
    too_slow = 4408,
    too_many_requests = 4429,
};

enum class Opcode : std::uint8_t {
    continuation = 0x0,
    text = 0x1,
    binary = 0x2,
    close = 0x8,
    ping = 0x9,
    pong = 0xA,
};

// A control frame's payload, section 5.5; a close reason has two bytes less.
inline constexpr std::size_t control_payload_bytes_max = 125;
inline constexpr std::size_t close_reason_bytes_max = control_payload_bytes_max - 2;
// Frames of one message. Real clients send a message of our size limit in one frame; a stream of empty
// fragments costs its sender six bytes each and us a turn of the decoder, so it has an end.
inline constexpr std::size_t fragments_max = 256;

struct FrameEvent {
    enum class Kind {
        text,  // a whole message, valid UTF-8
        ping,  // answer with a pong of the same payload
        pong,
        close,    // `code` as the peer sent it, nullopt where it sent none; payload is the reason
        failure,  // close with `code`, payload says why; the decoder takes nothing more
    };
    Kind kind{};
    std::string_view payload;  // valid until the next call of the decoder
    std::optional<std::uint16_t> code{};
};

// The server's side: takes masked frames. Holds no buffer between messages; a message that lies wholly in the
// bytes of one call is handed out where it lies. The same bytes give the same events, however they are cut.
class FrameDecoder {
  public:
    // `message_bytes_max`: of a whole message, over all its fragments; one more is a failure with 1009, told
    // by the header of the frame that passes it.
    explicit FrameDecoder(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

    // Takes bytes from the front of `bytes` (unmasking them in place) up to the end of the next event.
    // nullopt: all were taken and there is no further event in them. After a close or a failure everything is
    // taken and ignored.
    std::optional<FrameEvent> next(std::span<char>& bytes);

  private:
    bool take_header(std::span<char>& bytes);
    std::optional<FrameEvent> begin_frame();
    std::optional<FrameEvent> check_first_bytes();
    std::optional<FrameEvent> take_payload(std::span<char>& bytes);
    std::optional<FrameEvent> end_control(std::string_view payload);
    std::optional<FrameEvent> end_close(std::string_view payload);
    FrameEvent fail(CloseCode code, std::string_view why);
    void release();

    bool is_final() const { return (header_[0] & 0x80) != 0; }
    Opcode opcode() const { return static_cast<Opcode>(header_[0] & 0x0F); }
    bool is_control() const { return (header_[0] & 0x08) != 0; }

    std::size_t message_bytes_max_;
    std::array<std::uint8_t, 14> header_{};
    std::uint8_t header_size_ = 0;
    bool in_payload_ = false;
    bool in_message_ = false;  // a fragment without FIN came, its continuation is awaited
    bool finished_ = false;    // after a close or a failure
    bool handed_out_ = false;  // the last event's payload lies in message_ or control_
    Utf8Validator utf8_;
    std::uint8_t mask_offset_ = 0;
    std::array<std::uint8_t, 4> mask_{};
    std::uint16_t fragments_ = 0;
    std::size_t remaining_ = 0;      // of the frame's payload
    std::size_t message_bytes_ = 0;  // of the fragments so far
    std::string message_;            // what of an unfinished message has arrived
    std::string control_;            // what of an unfinished control frame has arrived
};

// Whether a peer may send this code in a close frame (section 7.4, IANA's registry).
bool is_valid_close_code(std::uint16_t code);

// The header of an unmasked, unfragmented frame.
void append_frame_header(std::string& out, Opcode opcode, std::size_t payload_bytes);
std::string encode_frame(Opcode opcode, std::string_view payload);
// `reason` is cut at a character's boundary to what a control frame may carry.
std::string encode_close(std::uint16_t code, std::string_view reason);
inline std::string encode_close(CloseCode code, std::string_view reason) {
    return encode_close(static_cast<std::uint16_t>(code), reason);
}

}  // namespace spaktok::gateway
