// Real encoders: what ffmpeg publishes, and what it encodes and Enhanced RTMP carries, arrives so that a
// decoder takes all of it.
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "media/live/rtmp_testing.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/error.h>
}

extern char** environ;

namespace spaktok::media {
namespace {

using testing::Bytes;
using testing::Client;
using testing::ClientBytes;
using testing::Publish;
using namespace std::chrono_literals;

// True where ffmpeg ended well within a minute.
bool run_ffmpeg(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"});
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    if (::posix_spawnp(&pid, "ffmpeg", nullptr, nullptr, argv.data(), environ) != 0) return false;
    const int ended = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    pollfd waiting{ended, POLLIN, 0};
    const bool in_time = ::poll(&waiting, 1, 60'000) == 1;
    if (!in_time) ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    ::close(ended);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<std::string> test_picture(int seconds) {
    return {"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=" + std::to_string(seconds)};
}
std::vector<std::string> test_sound(int seconds) {
    return {"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=" + std::to_string(seconds)};
}
std::vector<std::string> operator+(std::vector<std::string> all, const std::vector<std::string>& more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

AVCodecID codec_id(Codec codec) {
    switch (codec) {
        case Codec::h264:
            return AV_CODEC_ID_H264;
        case Codec::hevc:
            return AV_CODEC_ID_HEVC;
        case Codec::av1:
            return AV_CODEC_ID_AV1;
        case Codec::aac:
            return AV_CODEC_ID_AAC;
        case Codec::opus:
            return AV_CODEC_ID_OPUS;
    }
    return AV_CODEC_ID_NONE;
}

struct Decoded {
    std::size_t frames = 0;
    std::size_t errors = 0;
    int width = 0;
    std::vector<std::int64_t> pts;
};

// Every frame, with a decoder that hides nothing.
Decoded decode(const TrackConfig& config, const std::vector<AccessUnit>& units) {
    Decoded result;
    AVCodecContext* context = avcodec_alloc_context3(avcodec_find_decoder(codec_id(config.codec)));
    Bytes extradata = config.extradata;
    if (config.codec == Codec::opus)
        extradata = rtmp::testing::joined({rtmp::testing::text_bytes("OpusHead"), extradata});
    context->extradata =
        static_cast<std::uint8_t*>(av_mallocz(extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
    std::ranges::copy(extradata, context->extradata);
    context->extradata_size = static_cast<int>(extradata.size());
    context->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK | AV_EF_BITSTREAM;
    context->error_concealment = 0;
    EXPECT_EQ(avcodec_open2(context, nullptr, nullptr), 0);
    AVPacket* packet = av_packet_alloc();
    AVFrame* frame = av_frame_alloc();
    const auto receive = [&] {
        while (avcodec_receive_frame(context, frame) == 0) {
            ++result.frames;
            result.width = frame->width;
            result.pts.push_back(frame->pts);
            if (frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0)
                ++result.errors;
        }
    };
    for (const AccessUnit& unit : units) {
        av_new_packet(packet, static_cast<int>(unit.data.size()));
        std::ranges::copy(unit.data, packet->data);
        packet->dts = unit.dts_ms;
        packet->pts = unit.pts_ms;
        if (avcodec_send_packet(context, packet) < 0) ++result.errors;
        av_packet_unref(packet);
        receive();
    }
    if (avcodec_send_packet(context, nullptr) < 0) ++result.errors;
    receive();
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&context);
    return result;
}

void expect_rising(const std::vector<AccessUnit>& units) {
    for (std::size_t i = 1; i < units.size(); ++i) {
        EXPECT_GT(units[i].dts_ms, units[i - 1].dts_ms) << i;
        EXPECT_GE(units[i].pts_ms, units[i].dts_ms) << i;
    }
}

class RtmpEncoders : public testing::RtmpListenerFixture {
  protected:
    RtmpEncoders() {
        directory_ = std::filesystem::temp_directory_path() / ("spaktok-rtmp-" + std::to_string(::getpid()));
        std::filesystem::create_directories(directory_);
    }
    ~RtmpEncoders() override { std::filesystem::remove_all(directory_); }

    std::string url(const std::string& path) const {
        return "rtmp://127.0.0.1:" + std::to_string(listener_->port()) + path;
    }
    // ffmpeg publishes two seconds of H.264 with B-frames, a keyframe each second, and AAC.
    bool ffmpeg_publishes(const std::string& address) const {
        return run_ffmpeg(test_picture(2) + test_sound(2) +
                          std::vector<std::string>{"-c:v", "libx264", "-preset", "veryfast", "-g", "30",
                                                   "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f",
                                                   "flv", address});
    }

    std::filesystem::path directory_;
};

TEST_F(RtmpEncoders, FfmpegPublishesH264AndAac) {
    listen();
    ASSERT_TRUE(ffmpeg_publishes(url("/live/KEY")));
    const Publish publish = gate_.await_end("KEY");
    EXPECT_EQ(publish.ended, "The publisher ended the publish.");
    const auto& video = publish.units.at(true);
    ASSERT_EQ(video.size(), 60u);
    std::vector<std::size_t> keyframes;
    bool has_reordering = false;
    for (std::size_t i = 0; i < video.size(); ++i) {
        if (video[i].keyframe) keyframes.push_back(i);
        has_reordering = has_reordering || video[i].pts_ms > video[i].dts_ms + 34;
    }
    EXPECT_EQ(keyframes, (std::vector<std::size_t>{0, 30}));
    EXPECT_TRUE(has_reordering) << "B-frames keep their composition offsets";
    expect_rising(video);
    expect_rising(publish.units.at(false));

    ASSERT_EQ(publish.configs.at(true).size(), 1u);
    const Decoded pictures = decode(publish.configs.at(true)[0], video);
    EXPECT_EQ(pictures.frames, 60u);
    EXPECT_EQ(pictures.errors, 0u);
    EXPECT_EQ(pictures.width, 320);
    EXPECT_TRUE(std::ranges::is_sorted(pictures.pts)) << "shown in the order of pts";
    const Decoded sound = decode(publish.configs.at(false).at(0), publish.units.at(false));
    EXPECT_EQ(sound.errors, 0u);
    EXPECT_NEAR(static_cast<double>(sound.frames), 2 * 48'000 / 1'024.0, 3);
}

TEST_F(RtmpEncoders, FfmpegFindsTheKeyInEveryFormOfTheAddress) {
    listen();
    ASSERT_TRUE(ffmpeg_publishes(url("/live/FIRST?bandwidth=1")));
    EXPECT_EQ(gate_.await_end("FIRST").units.at(true).size(), 60u);
    ASSERT_TRUE(ffmpeg_publishes(url("/live/room/SECOND")));
    EXPECT_EQ(gate_.await_end("SECOND").units.at(true).size(), 60u);
    ASSERT_TRUE(ffmpeg_publishes(url("/live/THIRD/")));
    EXPECT_EQ(gate_.await_end("THIRD").units.at(true).size(), 60u);
}

TEST_F(RtmpEncoders, FfmpegIsToldThatItsKeyIsUnknown) {
    listen();
    EXPECT_FALSE(ffmpeg_publishes(url("/live/unknown")));
    EXPECT_EQ(gate_.count(), 0u);
}

TEST_F(RtmpEncoders, FfmpegIsToldThatItsCodecIsNotCarried) {
    listen();
    // ffmpeg may have written all of so short a sound before it reads the answer: so what arrived is looked
    // at, not its status.
    run_ffmpeg(test_sound(1) +
               std::vector<std::string>{"-c:a", "libmp3lame", "-ar", "44100", "-f", "flv", url("/live/KEY")});
    const Publish publish = gate_.await_end("KEY");
    EXPECT_THAT(publish.ended, ::testing::HasSubstr("MP3 is not supported"));
    EXPECT_TRUE(publish.units.empty());
}

// What ffmpeg encoded, as the packets of a file.
struct Track {
    Bytes extradata;
    std::vector<AccessUnit> units;
};

Track read_track(const std::filesystem::path& file, bool video) {
    Track track;
    AVFormatContext* format = nullptr;
    if (avformat_open_input(&format, file.c_str(), nullptr, nullptr) != 0) return track;
    avformat_find_stream_info(format, nullptr);
    const int index =
        av_find_best_stream(format, video ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
    const AVStream* stream = format->streams[index];
    track.extradata.assign(stream->codecpar->extradata,
                           stream->codecpar->extradata + stream->codecpar->extradata_size);
    AVPacket* packet = av_packet_alloc();
    while (av_read_frame(format, packet) == 0) {
        if (packet->stream_index == index) {
            const auto milliseconds = [&](std::int64_t time) {
                return av_rescale_q(time, stream->time_base, {1, 1'000});
            };
            track.units.push_back({.video = video,
                                   .keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0,
                                   .dts_ms = milliseconds(packet->dts),
                                   .pts_ms = milliseconds(packet->pts),
                                   .data = {packet->data, packet->data + packet->size}});
        }
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&format);
    return track;
}

struct EnhancedCase {
    std::string name;
    Codec codec;
    std::string four_cc;
    std::vector<std::string> encoder;
    std::string file;
};
void PrintTo(const EnhancedCase& each, std::ostream* out) {
    *out << each.name;
}

class RtmpEnhanced : public RtmpEncoders, public ::testing::WithParamInterface<EnhancedCase> {
  protected:
    // Encoded by ffmpeg, published by our own writer: ffmpeg 5.1 writes no Enhanced RTMP.
    static Bytes published(const EnhancedCase& each, const Track& track) {
        ClientBytes client;
        client.set_chunk_size(60'000);
        const bool video = each.codec == Codec::hevc || each.codec == Codec::av1;
        // The clock begins so that no dts is negative, as encoders do.
        const std::int64_t shift = -std::min<std::int64_t>(0, track.units.front().dts_ms);
        if (video) {
            client.video(0, rtmp::testing::ex_video_tag(0, true, each.four_cc, track.extradata));
        } else {
            client.audio(0, rtmp::testing::ex_audio_tag(0, each.four_cc, track.extradata));
        }
        for (const AccessUnit& unit : track.units) {
            const auto at = static_cast<std::uint32_t>(unit.dts_ms + shift);
            if (!video) {
                client.audio(at, rtmp::testing::ex_audio_tag(1, each.four_cc, unit.data));
            } else if (each.codec == Codec::av1 || unit.pts_ms == unit.dts_ms) {
                const std::uint8_t packet_type =
                    each.codec == Codec::av1 ? 1 : 3;  // CodedFrames or CodedFramesX
                client.video(
                    at, rtmp::testing::ex_video_tag(packet_type, unit.keyframe, each.four_cc, unit.data));
            } else {
                Bytes payload;
                rtmp::testing::append_number(payload, static_cast<std::uint64_t>(unit.pts_ms - unit.dts_ms),
                                             3);
                rtmp::testing::append(payload, unit.data);
                client.video(at, rtmp::testing::ex_video_tag(1, unit.keyframe, each.four_cc, payload));
            }
        }
        client.command({"deleteStream", 9.0, rtmp::amf0::Null{}, 1.0});
        return client.bytes;
    }
};

TEST_P(RtmpEnhanced, ArrivesSoThatADecoderTakesAllOfIt) {
    const EnhancedCase& each = GetParam();
    const bool video = each.codec == Codec::hevc || each.codec == Codec::av1;
    const auto file = directory_ / each.file;
    ASSERT_TRUE(run_ffmpeg((video ? test_picture(1) : test_sound(1)) + each.encoder +
                           std::vector<std::string>{file.string()}));
    const Track track = read_track(file, video);
    ASSERT_FALSE(track.units.empty());

    listen();
    Client client = publish("KEY");
    client.send(published(each, track));
    const Publish publish = gate_.await_end("KEY");
    const auto& units = publish.units.at(video);
    ASSERT_EQ(units.size(), track.units.size());
    ASSERT_EQ(publish.configs.at(video).size(), 1u);
    EXPECT_EQ(publish.configs.at(video)[0].codec, each.codec);
    expect_rising(units);
    for (std::size_t i = 0; i < units.size(); ++i) {
        EXPECT_EQ(units[i].data, track.units[i].data) << i;
        EXPECT_EQ(units[i].keyframe, track.units[i].keyframe) << i;
        EXPECT_EQ(units[i].pts_ms - units[i].dts_ms, track.units[i].pts_ms - track.units[i].dts_ms) << i;
    }
    const Decoded decoded = decode(publish.configs.at(video)[0], units);
    EXPECT_EQ(decoded.errors, 0u);
    EXPECT_EQ(decoded.frames, video ? 30u : track.units.size());
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, RtmpEnhanced,
    ::testing::Values(EnhancedCase{"Hevc",
                                   Codec::hevc,
                                   "hvc1",
                                   {"-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
                                    "bframes=2:log-level=none", "-pix_fmt", "yuv420p", "-tag:v", "hvc1"},
                                   "hevc.mp4"},
                      EnhancedCase{"Av1",
                                   Codec::av1,
                                   "av01",
                                   {"-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-pix_fmt",
                                    "yuv420p"},
                                   "av1.mp4"},
                      EnhancedCase{"Opus", Codec::opus, "Opus", {"-c:a", "libopus"}, "opus.ogg"},
                      EnhancedCase{"Aac", Codec::aac, "mp4a", {"-c:a", "aac"}, "aac.mp4"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace spaktok::media
