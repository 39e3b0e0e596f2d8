#include "media/rtmp/flv_tag.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/rtmp/testing.h"

namespace spaktok::media::rtmp {
namespace {

using testing::Bytes;
using testing::ex_audio_tag;
using testing::ex_video_tag;
using testing::joined;
using testing::text_bytes;

struct Case {
    std::string name;
    MessageType type;
    Bytes bytes;  // payload included
    TagHeader header;
};
void PrintTo(const Case& each, std::ostream* out) {
    *out << each.name;
}

std::optional<TagHeader> read(MessageType type, const Bytes& bytes) {
    return type == MessageType::video ? read_video_header(bytes) : read_audio_header(bytes);
}

std::string refusal(MessageType type, const Bytes& bytes) {
    try {
        read(type, bytes);
    } catch (const Error& error) {
        return error.reason() + ": " + error.message();
    }
    return "";
}

constexpr auto video = MessageType::video;
constexpr auto audio = MessageType::audio;
const Bytes payload{0xDE, 0xAD, 0xBE, 0xEF, 1, 2, 3};

// ModEx (7) with a two-byte modifier of type 0, then the real packet type.
Bytes modified(std::uint8_t first, std::uint8_t packet_type, std::string_view code) {
    return joined({{first, 1, 0x12, 0x34, packet_type}, text_bytes(code), payload});
}

class FlvTagHeaders : public ::testing::TestWithParam<Case> {};

TEST_P(FlvTagHeaders, AreRead) {
    const Case& each = GetParam();
    const auto header = read(each.type, each.bytes);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->kind, each.header.kind);
    EXPECT_EQ(header->keyframe, each.header.keyframe);
    EXPECT_EQ(header->composition_offset_ms, each.header.composition_offset_ms);
    EXPECT_EQ(header->size, each.header.size);
    if (each.header.kind != TagKind::ignored) EXPECT_EQ(header->codec, each.header.codec);
}

TEST_P(FlvTagHeaders, AreCutOffWhereTheyEnd) {
    const Case& each = GetParam();
    const auto first = std::span{each.bytes}.first(std::min(each.bytes.size(), Message::head_bytes_max));
    const std::size_t size = tag_head_size(each.type, first);
    EXPECT_TRUE(size == each.header.size || size == 0) << size;
    const bool has_modifiers = each.name.find("Modified") != std::string::npos;
    const bool is_command = each.name.find("Command") != std::string::npos;
    EXPECT_EQ(size == 0, has_modifiers || is_command);
}

TEST_P(FlvTagHeaders, AreRefusedAtEveryShorterLength) {
    const Case& each = GetParam();
    for (std::size_t size = 1; size < each.header.size; ++size) {
        const Bytes prefix(each.bytes.begin(), each.bytes.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_TRUE(refusal(each.type, prefix).starts_with("malformed")) << size;
    }
}

constexpr auto start = TagKind::sequence_start;
constexpr auto frames = TagKind::coded_frames;
constexpr auto end = TagKind::sequence_end;

INSTANTIATE_TEST_SUITE_P(
    Table, FlvTagHeaders,
    ::testing::Values(
        Case{"AvcConfig", video, testing::avc_config(), {start, Codec::h264, true, 0, 5}},
        Case{"AvcKeyframe", video, testing::avc_frame(true, 80), {frames, Codec::h264, true, 80, 5}},
        Case{"AvcFrameBeforeItsTime",
             video,
             testing::avc_frame(false, -80),
             {frames, Codec::h264, false, -80, 5}},
        Case{"AvcLongestOffset",
             video,
             testing::avc_frame(false, 0x7FFFFF),
             {frames, Codec::h264, false, 0x7FFFFF, 5}},
        Case{"AvcShortestOffset",
             video,
             testing::avc_frame(false, -0x800000),
             {frames, Codec::h264, false, -0x800000, 5}},
        Case{"AvcEnd", video, testing::avc_tag(2, true, 0, {}), {end, Codec::h264, true, 0, 5}},
        Case{"HevcConfig", video, ex_video_tag(0, true, "hvc1", payload), {start, Codec::hevc, true, 0, 5}},
        Case{"HevcFrames",
             video,
             ex_video_tag(1, false, "hvc1", joined({{0xFF, 0xFF, 0xFE}, payload})),
             {frames, Codec::hevc, false, -2, 8}},
        Case{"HevcFramesX", video, ex_video_tag(3, true, "hvc1", payload), {frames, Codec::hevc, true, 0, 5}},
        Case{"HevcEnd", video, ex_video_tag(2, true, "hvc1", {}), {end, Codec::hevc, true, 0, 5}},
        Case{"HevcMetadata",
             video,
             ex_video_tag(4, true, "hvc1", payload),
             {TagKind::ignored, Codec::hevc, true, 0, 5}},
        Case{"ExAvcFrames",
             video,
             ex_video_tag(1, true, "avc1", joined({{0, 0, 9}, payload})),
             {frames, Codec::h264, true, 9, 8}},
        Case{"Av1Config", video, ex_video_tag(0, true, "av01", payload), {start, Codec::av1, true, 0, 5}},
        Case{"Av1Frames", video, ex_video_tag(1, true, "av01", payload), {frames, Codec::av1, true, 0, 5}},
        Case{"ModifiedHevcFramesX", video, modified(0xA7, 3, "hvc1"), {frames, Codec::hevc, false, 0, 9}},
        Case{"ExCommand", video, {0xD1, 0, 1}, {TagKind::ignored, Codec::h264, false, 0, 2}},
        Case{"AacConfig", audio, testing::aac_config(), {start, Codec::aac, true, 0, 2}},
        Case{"AacFrame", audio, testing::aac_frame(), {frames, Codec::aac, true, 0, 2}},
        Case{"OpusConfig", audio, ex_audio_tag(0, "Opus", payload), {start, Codec::opus, true, 0, 5}},
        Case{"OpusFrames", audio, ex_audio_tag(1, "Opus", payload), {frames, Codec::opus, true, 0, 5}},
        Case{"OpusEnd", audio, ex_audio_tag(2, "Opus", {}), {end, Codec::opus, true, 0, 5}},
        Case{"OpusChannels",
             audio,
             ex_audio_tag(4, "Opus", payload),
             {TagKind::ignored, Codec::opus, true, 0, 5}},
        Case{"ExAacFrames", audio, ex_audio_tag(1, "mp4a", payload), {frames, Codec::aac, true, 0, 5}},
        Case{"ModifiedOpusFrames", audio, modified(0x97, 1, "Opus"), {frames, Codec::opus, true, 0, 9}}),
    [](const auto& info) { return info.param.name; });

TEST(FlvTag, SkipsAModifierOfTheLongForm) {
    Bytes bytes{0x97, 0xFF, 0x01, 0x2B};  // 256, and so 0x012B + 1 = 300 bytes
    testing::append(bytes, joined({Bytes(300, 0x55), {0x01}, text_bytes("Opus"), payload}));
    const auto header = read_audio_header(bytes);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->size, 4u + 300 + 1 + 4);
}

TEST(FlvTag, TellsWhatItRefusesAndWhatToSendInstead) {
    const std::vector<std::pair<std::string, std::pair<MessageType, Bytes>>> cases{
        {"unsupported: VP6 is not supported; send H.264, or HEVC or AV1 by Enhanced RTMP.",
         {video, {0x14, 0, 0, 0, 0}}},
        {"unsupported: Sorenson H.263 is not supported", {video, {0x12, 0, 0, 0, 0}}},
        {"unsupported: HEVC without Enhanced RTMP is not supported", {video, {0x1C, 0, 0, 0, 0}}},
        {"unsupported: Video codec 15 is not supported", {video, {0x1F, 0, 0, 0, 0}}},
        {"unsupported: Video codec \"vp09\" is not supported",
         {video, ex_video_tag(0, true, "vp09", payload)}},
        {"unsupported: Video codec \"?\?\?\?\"", {video, {0x90, 1, 2, 3, 4}}},
        {"unsupported: Several video tracks", {video, ex_video_tag(6, true, "hvc1", payload)}},
        {"unsupported: Video packets of type 5", {video, ex_video_tag(5, true, "av01", payload)}},
        {"malformed: There is no AVC packet type 3", {video, testing::avc_tag(3, true, 0, payload)}},
        {"unsupported: MP3 is not supported; send AAC, or Opus by Enhanced RTMP.", {audio, {0x2F, 1}}},
        {"unsupported: Speex is not supported", {audio, {0xB2, 1}}},
        {"unsupported: Audio codec \"ac-3\" is not supported", {audio, ex_audio_tag(0, "ac-3", payload)}},
        {"unsupported: Several audio tracks", {audio, ex_audio_tag(5, "Opus", payload)}},
        {"unsupported: Audio packets of type 3", {audio, ex_audio_tag(3, "Opus", payload)}},
        {"malformed: There is no AAC packet type 2", {audio, {0xAF, 2}}},
    };
    for (const auto& [expected, message] : cases) {
        EXPECT_TRUE(refusal(message.first, message.second).starts_with(expected))
            << refusal(message.first, message.second);
    }
}

TEST(FlvTag, RefusesMultitrackBehindAModifier) {
    const Bytes bytes = joined({{0x97, 0, 0, 0x05, 0x01}, text_bytes("Opus")});
    EXPECT_TRUE(refusal(audio, bytes).starts_with("unsupported: Several audio tracks"));
}

TEST(FlvTag, IgnoresEmptyMessagesAndCommandsToPlayers) {
    EXPECT_FALSE(read(video, {}));
    EXPECT_FALSE(read(audio, {}));
    EXPECT_FALSE(read(video, {0x57, 0}));
}

}  // namespace
}  // namespace spaktok::media::rtmp
