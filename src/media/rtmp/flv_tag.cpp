#include "media/rtmp/flv_tag.h"

#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "media/rtmp/failure.h"

namespace spaktok::media::rtmp {

namespace {

constexpr std::uint8_t ex_video_flag = 0x80;
constexpr int audio_format_aac = 10;
constexpr int audio_format_ex = 9;
constexpr int video_codec_avc = 7;
constexpr int frame_type_key = 1;
constexpr int frame_type_command = 5;

// Enhanced RTMP v2, "Enhanced Video" and "Enhanced Audio".
enum class VideoPacket {
    sequence_start,
    coded_frames,
    sequence_end,
    coded_frames_x,
    metadata,
    mpeg2ts_start,
    multitrack,
    mod_ex
};
enum class AudioPacket {
    sequence_start = 0,
    coded_frames = 1,
    sequence_end = 2,
    multichannel = 4,
    multitrack = 5,
    mod_ex = 7
};

constexpr std::uint32_t four_cc(std::string_view name) {
    return std::uint32_t{static_cast<std::uint8_t>(name[0])} << 24 |
           std::uint32_t{static_cast<std::uint8_t>(name[1])} << 16 |
           std::uint32_t{static_cast<std::uint8_t>(name[2])} << 8 | static_cast<std::uint8_t>(name[3]);
}

class HeaderReader {
  public:
    explicit HeaderReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    const std::uint8_t* take(std::size_t size) {
        if (size > bytes_.size() - position_)
            fail(reason::malformed, "An audio or video message is cut off.");
        const std::uint8_t* at = bytes_.data() + position_;
        position_ += size;
        return at;
    }
    std::size_t position() const { return position_; }

    // The packet type behind any number of modifiers, each of which says what follows it. Of those, the
    // specification knows only nanoseconds to be added to the timestamp, which the milliseconds of an access
    // unit cannot hold.
    int skip_modifiers(int packet_type) {
        while (packet_type == static_cast<int>(VideoPacket::mod_ex)) {
            std::size_t size = std::size_t{*take(1)} + 1;
            if (size == 256) size = std::size_t{read_u16(take(2))} + 1;
            take(size);
            packet_type = *take(1) & 0x0F;
        }
        return packet_type;
    }

  private:
    std::span<const std::uint8_t> bytes_;
    std::size_t position_ = 0;
};

std::int32_t read_i24(const std::uint8_t* at) {
    return static_cast<std::int32_t>(read_u24(at) << 8) >> 8;
}

[[noreturn]] void refuse_codec(std::string_view what, std::string_view instead) {
    fail(reason::unsupported, fmt::format("{} is not supported; send {}.", what, instead));
}
constexpr std::string_view video_instead = "H.264, or HEVC or AV1 by Enhanced RTMP";
constexpr std::string_view audio_instead = "AAC, or Opus by Enhanced RTMP";

std::string printable(std::uint32_t code) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        const char letter = static_cast<char>(code >> shift & 0xFF);
        text += letter >= ' ' && letter <= '~' ? letter : '?';
    }
    return text;
}

[[noreturn]] void refuse_legacy_video(int codec) {
    static constexpr std::array<std::string_view, 16> names{"",
                                                            "JPEG",
                                                            "Sorenson H.263",
                                                            "Screen video",
                                                            "VP6",
                                                            "VP6 with alpha",
                                                            "Screen video 2",
                                                            "",
                                                            "H.263",
                                                            "MPEG-4 part 2",
                                                            "",
                                                            "",
                                                            "HEVC without Enhanced RTMP",
                                                            "AV1 without Enhanced RTMP",
                                                            "VP8 or VP9",
                                                            ""};
    const auto name = names[static_cast<std::size_t>(codec)];
    refuse_codec(name.empty() ? fmt::format("Video codec {}", codec) : std::string{name}, video_instead);
}

[[noreturn]] void refuse_legacy_audio(int format) {
    static constexpr std::array<std::string_view, 16> names{
        "PCM",   "ADPCM", "MP3", "PCM", "Nellymoser", "Nellymoser", "Nellymoser",
        "G.711", "G.711", "",    "",    "Speex",      "",           "Opus without Enhanced RTMP",
        "MP3",   ""};
    const auto name = names[static_cast<std::size_t>(format)];
    refuse_codec(name.empty() ? fmt::format("Audio format {}", format) : std::string{name}, audio_instead);
}

Codec video_codec(std::uint32_t code) {
    if (code == four_cc("avc1")) return Codec::h264;
    if (code == four_cc("hvc1")) return Codec::hevc;
    if (code == four_cc("av01")) return Codec::av1;
    refuse_codec(fmt::format("Video codec \"{}\"", printable(code)), video_instead);
}

Codec audio_codec(std::uint32_t code) {
    if (code == four_cc("mp4a")) return Codec::aac;
    if (code == four_cc("Opus")) return Codec::opus;
    refuse_codec(fmt::format("Audio codec \"{}\"", printable(code)), audio_instead);
}

TagHeader read_ex_video(HeaderReader& reader, int frame_type, int first_packet_type) {
    const int packet_type = reader.skip_modifiers(first_packet_type);
    const auto packet = static_cast<VideoPacket>(packet_type);
    TagHeader header{.keyframe = frame_type == frame_type_key};
    if (packet == VideoPacket::multitrack) {
        fail(reason::unsupported,
             "Several video tracks in one stream (Enhanced RTMP multitrack) are not supported.");
    }
    if (frame_type == frame_type_command && packet != VideoPacket::metadata) {
        reader.take(1);  // a command to a player instead of a codec
        return header;
    }
    header.codec = video_codec(read_u32(reader.take(4)));
    switch (packet) {
        case VideoPacket::sequence_start:
            header.kind = TagKind::sequence_start;
            break;
        case VideoPacket::sequence_end:
            header.kind = TagKind::sequence_end;
            break;
        case VideoPacket::metadata:
            header.kind = TagKind::ignored;
            break;
        case VideoPacket::coded_frames_x:
            header.kind = TagKind::coded_frames;
            break;
        case VideoPacket::coded_frames:
            header.kind = TagKind::coded_frames;
            if (header.codec != Codec::av1) header.composition_offset_ms = read_i24(reader.take(3));
            break;
        default:
            fail(reason::unsupported,
                 fmt::format("Video packets of type {} are not supported.", packet_type));
    }
    return header;
}

TagKind avc_packet_kind(int type) {
    switch (type) {
        case 0:
            return TagKind::sequence_start;
        case 1:
            return TagKind::coded_frames;
        case 2:
            return TagKind::sequence_end;
        default:
            fail(reason::malformed, fmt::format("There is no AVC packet type {}.", type));
    }
}

TagHeader read_ex_audio(HeaderReader& reader, int first_packet_type) {
    const int packet_type = reader.skip_modifiers(first_packet_type);
    TagHeader header{.keyframe = true};
    const auto packet = static_cast<AudioPacket>(packet_type);
    if (packet == AudioPacket::multitrack) {
        fail(reason::unsupported,
             "Several audio tracks in one stream (Enhanced RTMP multitrack) are not supported.");
    }
    header.codec = audio_codec(read_u32(reader.take(4)));
    switch (packet) {
        case AudioPacket::sequence_start:
            header.kind = TagKind::sequence_start;
            break;
        case AudioPacket::coded_frames:
            header.kind = TagKind::coded_frames;
            break;
        case AudioPacket::sequence_end:
            header.kind = TagKind::sequence_end;
            break;
        case AudioPacket::multichannel:
            header.kind = TagKind::ignored;
            break;
        default:
            fail(reason::unsupported,
                 fmt::format("Audio packets of type {} are not supported.", packet_type));
    }
    return header;
}

}  // namespace

std::size_t tag_head_size(MessageType type, std::span<const std::uint8_t> first_bytes) {
    if (first_bytes.empty()) return 0;
    const std::uint8_t first = first_bytes[0];
    if (type == MessageType::audio) {
        const int format = first >> 4;
        if (format == audio_format_aac) return 2;
        return format == audio_format_ex && (first & 0x0F) != static_cast<int>(AudioPacket::mod_ex) ? 5 : 0;
    }
    if ((first & ex_video_flag) == 0) return (first & 0x0F) == video_codec_avc ? 5 : 0;
    const auto packet = static_cast<VideoPacket>(first & 0x0F);
    if (packet == VideoPacket::mod_ex || packet == VideoPacket::multitrack) return 0;
    if (((first >> 4) & 7) == frame_type_command) return 0;
    if (packet != VideoPacket::coded_frames || first_bytes.size() < 8) return 5;
    return read_u32(first_bytes.data() + 1) == four_cc("av01") ? 5 : 8;
}

std::optional<TagHeader> read_video_header(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return std::nullopt;
    HeaderReader reader(bytes);
    const std::uint8_t first = *reader.take(1);
    const int frame_type = first >> 4 & 7;
    TagHeader header;
    if ((first & ex_video_flag) != 0) {
        header = read_ex_video(reader, frame_type, first & 0x0F);
    } else if (frame_type == frame_type_command) {
        return std::nullopt;
    } else if ((first & 0x0F) != video_codec_avc) {
        refuse_legacy_video(first & 0x0F);
    } else {
        const std::uint8_t* packet = reader.take(4);
        header = {.kind = avc_packet_kind(packet[0]),
                  .codec = Codec::h264,
                  .keyframe = frame_type == frame_type_key,
                  .composition_offset_ms = read_i24(packet + 1)};
    }
    header.size = reader.position();
    return header;
}

std::optional<TagHeader> read_audio_header(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return std::nullopt;
    HeaderReader reader(bytes);
    const std::uint8_t first = *reader.take(1);
    const int format = first >> 4;
    TagHeader header;
    if (format == audio_format_ex) {
        header = read_ex_audio(reader, first & 0x0F);
    } else if (format != audio_format_aac) {
        refuse_legacy_audio(format);
    } else {
        const int packet_type = *reader.take(1);
        if (packet_type > 1)
            fail(reason::malformed, fmt::format("There is no AAC packet type {}.", packet_type));
        header = {.kind = packet_type == 0 ? TagKind::sequence_start : TagKind::coded_frames,
                  .codec = Codec::aac,
                  .keyframe = true};
    }
    header.size = reader.position();
    return header;
}

}  // namespace spaktok::media::rtmp
