#include "media/rtmp/chunk_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "media/rtmp/failure.h"
#include "media/rtmp/flv_tag.h"

namespace spaktok::media::rtmp {

namespace {

constexpr std::uint32_t extended_mark = 0xFFFFFF;
constexpr std::array<std::size_t, 4> message_header_bytes{11, 7, 3, 0};

bool is_media(MessageType type) {
    return type == MessageType::audio || type == MessageType::video;
}

// The message stream id is the one little-endian number of the protocol.
std::uint32_t read_stream_id(const std::uint8_t* at) {
    return std::uint32_t{at[3]} << 24 | std::uint32_t{at[2]} << 16 | std::uint32_t{at[1]} << 8 | at[0];
}

}  // namespace

std::optional<Message> ChunkReader::next(std::span<const std::uint8_t>& bytes) {
    while (true) {
        if (!in_payload_) {
            if (!read_header(bytes)) return std::nullopt;
            in_payload_ = true;
        }
        read_payload(bytes);
        if (chunk_missing_ > 0) return std::nullopt;
        in_payload_ = false;
        header_size_ = 0;
        if (current_->missing > 0) continue;
        Message message = finish(*current_);
        if (!applied(message)) return message;
    }
}

bool ChunkReader::gather(std::span<const std::uint8_t>& bytes, std::size_t size) {
    const std::size_t taken = std::min(bytes.size(), size - std::min(size, header_size_));
    std::copy_n(bytes.begin(), taken, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
    header_size_ += taken;
    bytes = bytes.subspan(taken);
    return header_size_ >= size;
}

bool ChunkReader::read_header(std::span<const std::uint8_t>& bytes) {
    if (!gather(bytes, 1)) return false;
    const int format = header_[0] >> 6;
    const std::uint32_t low = header_[0] & 63u;
    const std::size_t basic_size = low == 0 ? 2 : low == 1 ? 3 : 1;
    if (!gather(bytes, basic_size)) return false;
    chunk_stream_id_ = low > 1 ? low : 64u + header_[1] + (low == 1 ? 256u * header_[2] : 0u);
    const std::size_t plain_size = basic_size + message_header_bytes[static_cast<std::size_t>(format)];
    if (!gather(bytes, plain_size)) return false;
    if (expects_extended(format, basic_size) && !gather(bytes, plain_size + 4)) return false;
    apply_header(format, basic_size, plain_size);
    return true;
}

// The specification has the extended timestamp on every chunk of a message that has one, but some encoders
// send it on the first only. A continuing chunk is read as theirs where its first four bytes are not that
// timestamp.
bool ChunkReader::expects_extended(int format, std::size_t basic_size) {
    if (format < 3) return read_u24(header_.data() + basic_size) == extended_mark;
    const ChunkStream* stream = find(chunk_stream_id_);
    if (stream == nullptr || !stream->extended) return false;
    if (!stream->in_message) return true;
    return repeats_extended_ || std::min<std::size_t>(chunk_size_, stream->missing) >= 4;
}

void ChunkReader::apply_header(int format, std::size_t basic_size, std::size_t plain_size) {
    ChunkStream* known = find(chunk_stream_id_);
    if (format >= 2 && known == nullptr)
        fail(reason::malformed, "A chunk refers to a header that was never sent.");
    current_ = known != nullptr ? known : &find_or_add(chunk_stream_id_);
    ChunkStream& stream = *current_;
    if (!stream.in_message) {
        apply_new_message(stream, format, basic_size, plain_size);
        chunk_missing_ = std::min<std::size_t>(chunk_size_, stream.missing);
        return;
    }
    if (format != 3)
        fail(reason::malformed, "A message begins before the one on its chunk stream has ended.");
    chunk_missing_ = std::min<std::size_t>(chunk_size_, stream.missing);
    if (header_size_ == plain_size) return;
    const std::uint8_t* extra = header_.data() + plain_size;
    const bool repeated = read_u32(extra) == stream.timestamp_field;
    if (repeated || chunk_missing_ < 4) {
        repeats_extended_ = repeats_extended_ || repeated;
        return;
    }
    repeats_extended_ = false;
    append(stream, {extra, 4});
}

void ChunkReader::apply_new_message(ChunkStream& stream, int format, std::size_t basic_size,
                                    std::size_t plain_size) {
    const std::uint8_t* header = header_.data() + basic_size;
    if (format < 3) {
        stream.extended = header_size_ > plain_size;
        stream.timestamp_field = stream.extended ? read_u32(header_.data() + plain_size) : read_u24(header);
    }
    // A format 3 after a format 0 repeats its timestamp as the delta (section 5.3.1.2.4).
    stream.timestamp = format == 0 ? stream.timestamp_field : stream.timestamp + stream.timestamp_field;
    if (format < 2) {
        stream.length = read_u24(header + 3);
        stream.type = static_cast<MessageType>(header[6]);
    }
    if (format == 0) stream.stream_id = read_stream_id(header + 7);
    begin_message(stream);
}

void ChunkReader::begin_message(ChunkStream& stream) {
    const std::size_t bytes_max = message_bytes_max(stream.type);
    if (stream.length > bytes_max) {
        fail(reason::too_large, fmt::format("A message of type {} has {} bytes; {} are allowed.",
                                            static_cast<int>(stream.type), stream.length, bytes_max));
    }
    if (pending_bytes_ + stream.length > limits_.pending_bytes_max) {
        fail(reason::too_large, "Too many long messages are sent at once.");
    }
    pending_bytes_ += stream.length;
    stream.in_message = true;
    stream.missing = stream.length;
    stream.head_gathered = !is_media(stream.type);
    stream.message =
        Message{.type = stream.type, .stream_id = stream.stream_id, .timestamp = stream.timestamp};
    if (stream.head_gathered) stream.message.body.reserve(stream.length);
}

void ChunkReader::read_payload(std::span<const std::uint8_t>& bytes) {
    const std::size_t taken = std::min(bytes.size(), chunk_missing_);
    append(*current_, bytes.first(taken));
    bytes = bytes.subspan(taken);
}

void ChunkReader::append(ChunkStream& stream, std::span<const std::uint8_t> payload) {
    chunk_missing_ -= payload.size();
    stream.missing -= static_cast<std::uint32_t>(payload.size());
    Message& message = stream.message;
    if (!stream.head_gathered) {
        const std::size_t taken = std::min(payload.size(), Message::head_bytes_max - message.head_size);
        std::copy_n(payload.begin(), taken,
                    message.head.begin() + static_cast<std::ptrdiff_t>(message.head_size));
        message.head_size += taken;
        payload = payload.subspan(taken);
        if (message.head_size < Message::head_bytes_max) return;
        cut_head(stream);
    }
    message.body.insert(message.body.end(), payload.begin(), payload.end());
}

void ChunkReader::cut_head(ChunkStream& stream) {
    Message& message = stream.message;
    const std::size_t gathered = message.head_size;
    message.head_size = std::min(gathered, tag_head_size(message.type, message.head_bytes()));
    message.body.reserve(stream.length - message.head_size);
    message.body.insert(message.body.end(),
                        message.head.begin() + static_cast<std::ptrdiff_t>(message.head_size),
                        message.head.begin() + static_cast<std::ptrdiff_t>(gathered));
    stream.head_gathered = true;
}

Message ChunkReader::finish(ChunkStream& stream) {
    if (!stream.head_gathered) cut_head(stream);
    stream.in_message = false;
    pending_bytes_ -= stream.length;
    return std::move(stream.message);
}

bool ChunkReader::applied(const Message& message) {
    if (message.type != MessageType::set_chunk_size && message.type != MessageType::abort) return false;
    if (message.body.size() < 4) fail(reason::malformed, "A control message is too short.");
    const std::uint32_t value = read_u32(message.body.data());
    if (message.type == MessageType::set_chunk_size) {
        if (value == 0 || value > 0x7FFFFFFF) fail(reason::malformed, "A chunk size is out of range.");
        chunk_size_ = std::min<std::size_t>(value, chunk_size_max);
        return true;
    }
    ChunkStream* stream = find(value);
    if (stream != nullptr && stream->in_message) {
        stream->in_message = false;
        pending_bytes_ -= stream->length;
        stream->message = {};
    }
    return true;
}

ChunkReader::ChunkStream* ChunkReader::find(std::uint32_t id) {
    const auto found = std::ranges::find(streams_, id, &ChunkStream::id);
    return found == streams_.end() ? nullptr : &*found;
}

ChunkReader::ChunkStream& ChunkReader::find_or_add(std::uint32_t id) {
    if (ChunkStream* known = find(id)) return *known;
    if (streams_.size() >= limits_.chunk_streams_max) {
        fail(reason::too_large,
             fmt::format("More than {} chunk streams are in use.", limits_.chunk_streams_max));
    }
    SPAKTOK_ASSERT(streams_.capacity() > streams_.size());  // `current_` points into it
    streams_.emplace_back().id = id;
    return streams_.back();
}

std::size_t ChunkReader::message_bytes_max(MessageType type) const {
    switch (type) {
        case MessageType::set_chunk_size:
        case MessageType::abort:
        case MessageType::acknowledgement:
        case MessageType::user_control:
        case MessageType::window_acknowledgement_size:
        case MessageType::set_peer_bandwidth:
            return limits_.control_bytes_max;
        case MessageType::audio:
            return limits_.audio_bytes_max;
        case MessageType::video:
            return limits_.video_bytes_max;
        case MessageType::data_amf3:
        case MessageType::shared_object_amf3:
        case MessageType::command_amf3:
        case MessageType::data_amf0:
        case MessageType::shared_object_amf0:
        case MessageType::command_amf0:
            return limits_.command_bytes_max;
        case MessageType::aggregate:
            fail(reason::unsupported, "Aggregate messages are not supported.");
    }
    fail(reason::malformed, fmt::format("There is no message type {}.", static_cast<int>(type)));
}

}  // namespace spaktok::media::rtmp
