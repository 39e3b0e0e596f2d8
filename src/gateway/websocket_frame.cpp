#include "gateway/websocket_frame.h"

#include <algorithm>
#include <cstring>

namespace spaktok::gateway {
namespace {

// Size of the extended length that a 7-bit length announces.
std::size_t extended_length_bytes(std::uint8_t short_length) {
    if (short_length == 126) return 2;
    return short_length == 127 ? 8 : 0;
}

// XORs with the mask from `offset` on (section 5.3), eight bytes at a time; returns the offset for the next
// piece.
std::uint8_t unmask(std::span<char> bytes, const std::array<std::uint8_t, 4>& mask, std::uint8_t offset) {
    std::array<char, 8> pattern{};
    for (std::size_t i = 0; i < pattern.size(); ++i)
        pattern[i] = static_cast<char>(mask[(offset + i) % 4]);
    std::uint64_t wide = 0;
    std::memcpy(&wide, pattern.data(), sizeof wide);
    std::size_t done = 0;
    for (; done + sizeof wide <= bytes.size(); done += sizeof wide) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + done, sizeof word);
        word ^= wide;
        std::memcpy(bytes.data() + done, &word, sizeof word);
    }
    for (std::size_t i = 0; done < bytes.size(); ++done, ++i) {
        bytes[done] = static_cast<char>(bytes[done] ^ pattern[i]);
    }
    return static_cast<std::uint8_t>((offset + bytes.size()) % 4);
}

bool is_valid_utf8(std::string_view text) {
    Utf8Validator validator;
    return validator.feed(text) && validator.is_complete();
}

}  // namespace

bool is_valid_close_code(std::uint16_t code) {
    if (code >= 3000 && code <= 4999) return true;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

std::optional<FrameEvent> FrameDecoder::next(std::span<char>& bytes) {
    if (handed_out_) release();
    while (!finished_) {
        if (!in_payload_) {
            const bool whole = take_header(bytes);
            if (auto failure = check_first_bytes()) return failure;
            if (!whole) return std::nullopt;
            if (auto failure = begin_frame()) return failure;
        }
        if (remaining_ > 0 && bytes.empty()) return std::nullopt;
        if (auto event = take_payload(bytes)) return event;
    }
    bytes = {};
    return std::nullopt;
}

// Collects the header, whose size its second byte tells; false where bytes are missing.
bool FrameDecoder::take_header(std::span<char>& bytes) {
    const auto wanted = [this]() -> std::size_t {
        if (header_size_ < 2) return 2;
        return 2 + extended_length_bytes(header_[1] & 0x7F) + mask_.size();
    };
    while (header_size_ < wanted()) {
        if (bytes.empty()) return false;
        header_[header_size_++] = static_cast<std::uint8_t>(bytes.front());
        bytes = bytes.subspan(1);
        // The rest is not taken before the first two bytes were checked: what follows a failure must not
        // matter.
        if (header_size_ == 2 && check_first_bytes()) return false;
    }
    return true;
}

std::optional<FrameEvent> FrameDecoder::check_first_bytes() {
    if (header_size_ < 2) return std::nullopt;
    const std::uint8_t short_length = header_[1] & 0x7F;
    if ((header_[0] & 0x70) != 0) return fail(CloseCode::protocol_error, "reserved bits are set");
    switch (opcode()) {
        case Opcode::continuation:
            if (!in_message_) return fail(CloseCode::protocol_error, "continuation of no message");
            break;
        case Opcode::text:
        case Opcode::binary:
            if (in_message_) return fail(CloseCode::protocol_error, "a message within a message");
            break;
        case Opcode::close:
        case Opcode::ping:
        case Opcode::pong:
            if (!is_final()) return fail(CloseCode::protocol_error, "fragmented control frame");
            if (short_length > control_payload_bytes_max) {
                return fail(CloseCode::protocol_error, "control frame over 125 bytes");
            }
            break;
        default:
            return fail(CloseCode::protocol_error, "reserved opcode");
    }
    if ((header_[1] & 0x80) == 0) return fail(CloseCode::protocol_error, "unmasked frame");
    if (opcode() == Opcode::binary) return fail(CloseCode::unsupported_data, "only text messages");
    return std::nullopt;
}

// The header is whole: reads the length, holds it against the limits.
std::optional<FrameEvent> FrameDecoder::begin_frame() {
    const std::uint8_t short_length = header_[1] & 0x7F;
    const std::size_t extended = extended_length_bytes(short_length);
    std::uint64_t length = extended == 0 ? short_length : 0;
    for (std::size_t i = 0; i < extended; ++i)
        length = length << 8 | header_[2 + i];
    // Section 5.2: the minimal number of bytes must be used, and the 64-bit form's highest bit is zero.
    const bool minimal = extended == 0 || (extended == 2 ? length > 125 : length > 0xFFFF);
    if (!minimal || (length >> 63) != 0) return fail(CloseCode::protocol_error, "malformed length");
    if (!is_control()) {
        if (length > message_bytes_max_ - message_bytes_)
            return fail(CloseCode::message_too_big, "message too big");
        if (++fragments_ > fragments_max) return fail(CloseCode::message_too_big, "too many fragments");
        message_bytes_ += length;
    }
    std::copy_n(header_.begin() + 2 + static_cast<std::ptrdiff_t>(extended), mask_.size(), mask_.begin());
    mask_offset_ = 0;
    remaining_ = length;
    in_payload_ = true;
    return std::nullopt;
}

// Takes what there is of the payload; an event where that ends a message or a control frame.
std::optional<FrameEvent> FrameDecoder::take_payload(std::span<char>& bytes) {
    const auto piece = bytes.first(std::min(remaining_, bytes.size()));
    bytes = bytes.subspan(piece.size());
    mask_offset_ = unmask(piece, mask_, mask_offset_);
    remaining_ -= piece.size();
    const std::string_view text(piece.data(), piece.size());
    if (!is_control() && !utf8_.feed(text)) return fail(CloseCode::invalid_payload, "text is not UTF-8");

    std::string& kept = is_control() ? control_ : message_;
    const bool frame_ends = remaining_ == 0;
    const bool ends = frame_ends && is_final();
    // A message that came in one piece is handed out from the caller's buffer.
    const bool in_place = ends && kept.empty();
    if (!in_place) kept.append(text);
    if (frame_ends) {
        in_payload_ = false;
        header_size_ = 0;
    }
    if (!ends) {
        if (frame_ends) in_message_ = true;
        return std::nullopt;
    }
    handed_out_ = !in_place;
    const std::string_view payload = in_place ? text : std::string_view(kept);
    if (is_control()) return end_control(payload);
    if (!utf8_.is_complete()) return fail(CloseCode::invalid_payload, "text is not UTF-8");
    in_message_ = false;
    message_bytes_ = 0;
    fragments_ = 0;
    return FrameEvent{.kind = FrameEvent::Kind::text, .payload = payload};
}

std::optional<FrameEvent> FrameDecoder::end_control(std::string_view payload) {
    if (opcode() == Opcode::close) return end_close(payload);
    const auto kind = opcode() == Opcode::ping ? FrameEvent::Kind::ping : FrameEvent::Kind::pong;
    return FrameEvent{.kind = kind, .payload = payload};
}

std::optional<FrameEvent> FrameDecoder::end_close(std::string_view payload) {
    if (payload.empty()) {
        finished_ = true;
        return FrameEvent{.kind = FrameEvent::Kind::close, .payload = {}};
    }
    if (payload.size() == 1) return fail(CloseCode::protocol_error, "half a close code");
    const auto code = static_cast<std::uint16_t>(static_cast<std::uint8_t>(payload[0]) << 8 |
                                                 static_cast<std::uint8_t>(payload[1]));
    const auto reason = payload.substr(2);
    if (!is_valid_close_code(code)) return fail(CloseCode::protocol_error, "invalid close code");
    if (!is_valid_utf8(reason)) return fail(CloseCode::invalid_payload, "close reason is not UTF-8");
    finished_ = true;
    return FrameEvent{.kind = FrameEvent::Kind::close, .payload = reason, .code = code};
}

FrameEvent FrameDecoder::fail(CloseCode code, std::string_view why) {
    finished_ = true;
    return {.kind = FrameEvent::Kind::failure, .payload = why, .code = static_cast<std::uint16_t>(code)};
}

// Gives the memory of the message back: between messages a connection holds none.
void FrameDecoder::release() {
    handed_out_ = false;
    (is_control() ? control_ : message_) = std::string();
}

void append_frame_header(std::string& out, Opcode opcode, std::size_t payload_bytes) {
    out.push_back(static_cast<char>(0x80 | static_cast<std::uint8_t>(opcode)));
    const auto append_big_endian = [&](int bytes) {
        for (int i = bytes - 1; i >= 0; --i)
            out.push_back(static_cast<char>(payload_bytes >> (8 * i) & 0xFF));
    };
    if (payload_bytes <= 125) {
        out.push_back(static_cast<char>(payload_bytes));
    } else if (payload_bytes <= 0xFFFF) {
        out.push_back(126);
        append_big_endian(2);
    } else {
        out.push_back(127);
        append_big_endian(8);
    }
}

std::string encode_frame(Opcode opcode, std::string_view payload) {
    std::string frame;
    frame.reserve(10 + payload.size());
    append_frame_header(frame, opcode, payload.size());
    frame.append(payload);
    return frame;
}

std::string encode_close(std::uint16_t code, std::string_view reason) {
    std::size_t size = std::min(reason.size(), close_reason_bytes_max);
    if (size < reason.size()) {
        while (size > 0 && (static_cast<std::uint8_t>(reason[size]) & 0xC0) == 0x80)
            --size;
    }
    std::string payload;
    payload.push_back(static_cast<char>(code >> 8));
    payload.push_back(static_cast<char>(code & 0xFF));
    payload.append(reason.substr(0, size));
    return encode_frame(Opcode::close, payload);
}

}  // namespace spaktok::gateway
