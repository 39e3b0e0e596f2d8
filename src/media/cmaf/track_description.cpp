#include "media/cmaf/track_description.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "media/cmaf/bit_reader.h"
#include "media/cmaf/picture_size.h"

namespace spaktok::media::cmaf {
namespace {

using Bytes = std::span<const std::uint8_t>;

// Real configurations have some hundred bytes.
constexpr std::size_t extradata_bytes_max = 64 * 1024;

[[noreturn]] void refuse(std::string message, std::string detail) {
    throw Error(ErrorCode::unsupported_media, std::move(message),
                {.reason = "unsupported_codec", .detail = std::move(detail)});
}

void check_length_size(std::uint8_t byte, std::string_view codec) {
    if ((byte & 0x03U) == 3) return;
    refuse("This encoder's stream layout is not supported: NAL unit lengths must have four bytes.",
           fmt::format("{}: length size {}", codec, (byte & 0x03U) + 1));
}

// avcC: ISO/IEC 14496-15, 5.3.3.1
TrackDescription describe_h264(Bytes record) {
    constexpr std::string_view unreadable = "The H.264 configuration cannot be read.";
    if (record.size() < 8 || record[0] != 1) refuse(std::string(unreadable), "avcC header");
    check_length_size(record[4], "avcC");
    const std::size_t sps_size = std::size_t{record[6]} << 8U | record[7];
    if ((record[5] & 0x1FU) == 0 || sps_size > record.size() - 8)
        refuse(std::string(unreadable), "avcC without SPS");
    const auto size = h264_picture_size(record.subspan(8, sps_size));
    if (!size) refuse(std::string(unreadable), "SPS");
    return {.codecs = fmt::format("avc1.{:02x}{:02x}{:02x}", record[1], record[2], record[3]),
            .width = size->width,
            .height = size->height};
}

// The first SPS of an hvcC (ISO/IEC 14496-15, 8.3.3.1.2).
std::optional<Bytes> find_hevc_sps(Bytes record) {
    constexpr unsigned sps_type = 33;
    std::size_t position = 23;
    for (unsigned arrays = record[22]; arrays > 0; --arrays) {
        if (record.size() - position < 3) return std::nullopt;
        const unsigned type = record[position] & 0x3FU;
        unsigned count = unsigned{record[position + 1]} << 8U | record[position + 2];
        position += 3;
        for (; count > 0; --count) {
            if (record.size() - position < 2) return std::nullopt;
            const std::size_t size = std::size_t{record[position]} << 8U | record[position + 1];
            position += 2;
            if (record.size() - position < size) return std::nullopt;
            if (type == sps_type) return record.subspan(position, size);
            position += size;
        }
    }
    return std::nullopt;
}

// ISO/IEC 14496-15, annex E.3
std::string hevc_codecs(Bytes record) {
    constexpr std::string_view spaces[] = {"", "A", "B", "C"};
    std::uint32_t flags = 0;
    for (std::size_t i = 0; i < 4; ++i)
        flags = flags << 8U | record[2 + i];
    std::uint32_t reversed = 0;
    for (unsigned i = 0; i < 32; ++i)
        reversed |= ((flags >> i) & 1U) << (31U - i);
    std::string text = fmt::format("hvc1.{}{}.{:X}.{}{}", spaces[record[1] >> 6U], record[1] & 0x1FU,
                                   reversed, (record[1] & 0x20U) != 0 ? 'H' : 'L', record[12]);
    std::size_t constraints = 6;
    while (constraints > 0 && record[6 + constraints - 1] == 0)
        --constraints;
    for (std::size_t i = 0; i < constraints; ++i)
        text += fmt::format(".{:X}", record[6 + i]);
    return text;
}

TrackDescription describe_hevc(Bytes record) {
    constexpr std::string_view unreadable = "The HEVC configuration cannot be read.";
    if (record.size() < 23 || record[0] != 1) refuse(std::string(unreadable), "hvcC header");
    check_length_size(record[21], "hvcC");
    const auto sps = find_hevc_sps(record);
    const auto size = sps ? hevc_picture_size(*sps) : std::nullopt;
    if (!size) refuse(std::string(unreadable), "hvcC without a readable SPS");
    return {.codecs = hevc_codecs(record), .width = size->width, .height = size->height};
}

// av1C: AV1 Codec ISO Media File Format Binding, 2.3
TrackDescription describe_av1(Bytes record) {
    if (record.size() < 4 || record[0] != 0x81)
        refuse("The AV1 configuration cannot be read.", "av1C header");
    const unsigned depth = (record[2] & 0x40U) == 0 ? 8 : (record[2] & 0x20U) == 0 ? 10 : 12;
    const auto size = av1_picture_size(record.subspan(4));
    if (!size) refuse("The AV1 configuration has no sequence header.", "av1C without sequence header");
    return {.codecs = fmt::format("av01.{}.{:02}{}.{:02}", record[1] >> 5U, record[1] & 0x1FU,
                                  (record[2] & 0x80U) != 0 ? 'H' : 'M', depth),
            .width = size->width,
            .height = size->height};
}

// AudioSpecificConfig: ISO/IEC 14496-3, 1.6.2.1
TrackDescription describe_aac(Bytes config) {
    constexpr int rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                             22050, 16000, 12000, 11025, 8000,  7350};
    constexpr int channel_counts[] = {0, 1, 2, 3, 4, 5, 6, 8};
    BitReader reader(config);
    const auto read_type = [&] {
        const std::uint32_t type = reader.bits(5);
        return type == 31 ? 32 + reader.bits(6) : type;
    };
    const auto read_rate = [&]() -> int {
        const std::uint32_t index = reader.bits(4);
        if (index == 15) return static_cast<int>(reader.bits(24));
        return index < std::size(rates) ? rates[index] : 0;
    };
    const std::uint32_t type = read_type();
    const int rate = read_rate();
    const std::uint32_t channels = reader.bits(4);
    std::uint32_t core_type = type;
    if (type == 5 || type == 29) {  // explicit SBR or PS: the core codec follows
        read_rate();
        core_type = read_type();
    }
    if (core_type != 2)
        refuse("Only AAC-LC and HE-AAC audio is supported.", fmt::format("audio object type {}", type));
    const bool short_frames = reader.flag();
    if (reader.exhausted() || rate < 7'350 || rate > 96'000 || channels >= std::size(channel_counts)) {
        refuse("The AAC configuration cannot be read.", "AudioSpecificConfig");
    }
    return {.codecs = fmt::format("mp4a.40.{}", type),
            .sample_rate = rate,
            .channels = channels == 0 ? 2 : channel_counts[channels],  // 0: a program config element says it
            .frame_samples = short_frames ? 960 : 1024};
}

TrackDescription describe_opus(const std::vector<std::uint8_t>& extradata) {
    const auto head = opus_head(extradata);
    return {.codecs = "opus", .sample_rate = 48'000, .channels = head[9]};
}

constexpr std::string_view opus_magic = "OpusHead";

}  // namespace

std::vector<std::uint8_t> opus_head(const std::vector<std::uint8_t>& extradata) {
    std::vector<std::uint8_t> head(extradata);
    if (head.size() < opus_magic.size() || !std::equal(opus_magic.begin(), opus_magic.end(), head.begin())) {
        head.insert(head.begin(), opus_magic.begin(), opus_magic.end());
    }
    if (head.size() < 19 || head[9] == 0 || head[9] > 8)
        refuse("The Opus configuration cannot be read.", "OpusHead");
    if (head[8] ==
        0) {  // dOps has version 0 and big-endian fields, OpusHead version 1 and little-endian ones
        head[8] = 1;
        std::swap(head[10], head[11]);
        std::reverse(head.begin() + 12, head.begin() + 16);
        std::swap(head[16], head[17]);
    }
    if (head[8] > 15) refuse("The Opus configuration cannot be read.", "OpusHead version");
    return head;
}

int opus_packet_samples(const std::vector<std::uint8_t>& packet) {
    if (packet.empty()) return 0;
    const unsigned configuration = packet[0] >> 3U;
    constexpr int silk[] = {480, 960, 1920, 2880};
    constexpr int hybrid[] = {480, 960};
    constexpr int celt[] = {120, 240, 480, 960};
    const int frame = configuration < 12   ? silk[configuration % 4]
                      : configuration < 16 ? hybrid[configuration % 2]
                                           : celt[configuration % 4];
    const unsigned code = packet[0] & 0x03U;
    if (code == 3 && packet.size() < 2) return 0;
    const int frames = code == 0 ? 1 : code < 3 ? 2 : packet[1] & 0x3F;
    constexpr int packet_samples_max = 5760;  // 120 ms
    return frame * frames <= packet_samples_max ? frame * frames : 0;
}

TrackDescription describe_track(bool video, const TrackConfig& config) {
    const bool is_video_codec =
        config.codec == Codec::h264 || config.codec == Codec::hevc || config.codec == Codec::av1;
    if (is_video_codec != video)
        refuse("This codec does not belong on this track.", video ? "video track" : "audio track");
    if (config.extradata.size() > extradata_bytes_max) {
        refuse("The decoder configuration is too long.", fmt::format("{} bytes", config.extradata.size()));
    }
    switch (config.codec) {
        case Codec::h264:
            return describe_h264(config.extradata);
        case Codec::hevc:
            return describe_hevc(config.extradata);
        case Codec::av1:
            return describe_av1(config.extradata);
        case Codec::aac:
            return describe_aac(config.extradata);
        case Codec::opus:
            return describe_opus(config.extradata);
    }
    refuse("This codec is not supported.", "unknown codec");
}

}  // namespace spaktok::media::cmaf
