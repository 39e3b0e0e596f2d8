// For tests: what a real encoder makes, as access units; and a reader of fragments that is not ours.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include "media/access_unit.h"

namespace spaktok::media::testing {

// A directory of its own, gone with the object.
class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "spaktok-media-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

struct Recording {
    std::optional<TrackConfig> video;
    std::optional<TrackConfig> audio;
    std::vector<AccessUnit> units;  // as an encoder sends them: by decode time
};

inline Codec codec_of(AVCodecID id) {
    switch (id) {
        case AV_CODEC_ID_H264:
            return Codec::h264;
        case AV_CODEC_ID_HEVC:
            return Codec::hevc;
        case AV_CODEC_ID_AV1:
            return Codec::av1;
        case AV_CODEC_ID_OPUS:
            return Codec::opus;
        default:
            return Codec::aac;
    }
}

struct OpenFile {
    explicit OpenFile(const std::string& path) {
        if (avformat_open_input(&context, path.c_str(), nullptr, nullptr) < 0)
            throw std::runtime_error("cannot open " + path);
        if (avformat_find_stream_info(context, nullptr) < 0) throw std::runtime_error("cannot read " + path);
    }
    ~OpenFile() { avformat_close_input(&context); }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    AVFormatContext* context = nullptr;
};

inline Recording demux(const std::string& path) {
    const OpenFile file(path);
    Recording recording;
    for (unsigned i = 0; i < file.context->nb_streams; ++i) {
        const auto& parameters = *file.context->streams[i]->codecpar;
        TrackConfig config{codec_of(parameters.codec_id),
                           {parameters.extradata, parameters.extradata + parameters.extradata_size}};
        (parameters.codec_type == AVMEDIA_TYPE_VIDEO ? recording.video : recording.audio) = config;
    }
    std::multimap<std::int64_t, AccessUnit> by_time;
    AVPacket* packet = av_packet_alloc();
    while (av_read_frame(file.context, packet) >= 0) {
        const AVStream& stream = *file.context->streams[packet->stream_index];
        AccessUnit unit;
        unit.video = stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
        unit.keyframe = !unit.video || (packet->flags & AV_PKT_FLAG_KEY) != 0;
        unit.dts_ms = av_rescale_q(packet->dts, stream.time_base, {1, 1000});
        unit.pts_ms = av_rescale_q(packet->pts, stream.time_base, {1, 1000});
        unit.data.assign(packet->data, packet->data + packet->size);
        // Encoders with B-frames begin below zero in MP4; a publisher's clock does not.
        unit.dts_ms += 1000;
        unit.pts_ms += 1000;
        by_time.emplace(unit.dts_ms, std::move(unit));
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    for (auto& entry : by_time)
        recording.units.push_back(std::move(entry.second));
    return recording;
}

// What ffmpeg makes of these arguments; made once a process.
inline const Recording& record(const std::string& arguments, const std::string& format = "flv") {
    static std::map<std::string, Recording> made;
    if (const auto it = made.find(arguments); it != made.end()) return it->second;
    const TemporaryDirectory directory;
    const auto path = directory.file("recording." + format);
    const auto command = "ffmpeg -nostdin -loglevel error -y " + arguments + " " + path;
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
    return made[arguments] = demux(path);
}

inline std::string picture(int rate = 30) {
    return "-f lavfi -i testsrc2=size=320x180:rate=" + std::to_string(rate);
}
inline std::string sound() {
    return " -f lavfi -i sine=frequency=440:sample_rate=48000";
}
// Six seconds, a keyframe every two, B-frames, sound: what OBS sends.
inline const Recording& usual() {
    return record(
        picture() + sound() +
        " -t 6 -c:v libx264 -preset ultrafast -bf 2 -g 60 -keyint_min 60 -sc_threshold 0 -pix_fmt yuv420p "
        "-c:a aac -ac 2 -b:a 96k");
}
inline const Recording& only_picture() {
    return record(
        picture() +
        " -t 4 -c:v libx264 -preset ultrafast -g 30 -keyint_min 30 -sc_threshold 0 -pix_fmt yuv420p");
}
inline const Recording& only_sound() {
    return record(sound() + " -t 5 -c:a aac -ac 2");
}

// The samples' times as ISO/IEC 14496-12 defines them, read from moof boxes by hand: libavformat's reader
// shifts presentation times where composition offsets are negative, browsers do not.
struct BoxSample {
    std::uint32_t track = 0;  // from 1
    std::int64_t dts = 0;     // in its track's timescale
    std::int64_t pts = 0;
    std::int64_t duration = 0;
};

class Boxes {
  public:
    explicit Boxes(std::string_view bytes) : bytes_(bytes) { walk(0, bytes_.size()); }
    std::vector<BoxSample> samples;

  private:
    std::uint64_t number(std::size_t at, int size) const {
        std::uint64_t value = 0;
        for (int i = 0; i < size; ++i)
            value = value << 8U | static_cast<unsigned char>(bytes_.at(at + static_cast<std::size_t>(i)));
        return value;
    }
    void walk(std::size_t at, std::size_t end) {
        while (at + 8 <= end) {
            const auto size = static_cast<std::size_t>(number(at, 4));
            const auto type = bytes_.substr(at + 4, 4);
            if (type == "moof" || type == "traf") walk(at + 8, at + size);
            if (type == "tfhd") track_header(at + 8);
            if (type == "tfdt")
                time_ = static_cast<std::int64_t>(number(at + 12, number(at + 8, 1) == 1 ? 8 : 4));
            if (type == "trun") run(at + 8);
            at += std::max<std::size_t>(size, 8);
        }
    }
    void track_header(std::size_t at) {
        const auto flags = number(at + 1, 3);
        track_ = static_cast<std::uint32_t>(number(at + 4, 4));
        const std::size_t skipped = ((flags & 1U) != 0 ? 8U : 0U) + ((flags & 2U) != 0 ? 4U : 0U);
        default_duration_ = (flags & 8U) != 0 ? static_cast<std::int64_t>(number(at + 8 + skipped, 4)) : 0;
    }
    void run(std::size_t at) {
        const auto flags = number(at + 1, 3);
        const auto count = number(at + 4, 4);
        at += 8 + ((flags & 1U) != 0 ? 4U : 0U) + ((flags & 4U) != 0 ? 4U : 0U);
        for (std::uint64_t i = 0; i < count; ++i) {
            BoxSample sample{.track = track_, .dts = time_, .pts = time_, .duration = default_duration_};
            if ((flags & 0x100U) != 0) sample.duration = static_cast<std::int64_t>(number(at, 4));
            at += 4U * (((flags & 0x100U) != 0) + ((flags & 0x200U) != 0) + ((flags & 0x400U) != 0));
            if ((flags & 0x800U) != 0) sample.pts += static_cast<std::int32_t>(number(at, 4));
            at += (flags & 0x800U) != 0 ? 4U : 0U;
            time_ += sample.duration;
            samples.push_back(sample);
        }
    }

    std::string_view bytes_;
    std::uint32_t track_ = 0;
    std::int64_t time_ = 0;
    std::int64_t default_duration_ = 0;
};

struct ReadPacket {
    bool video = false;
    bool keyframe = false;
    double pts = 0;  // seconds
    double dts = 0;
    double duration = 0;
};
struct ReadBack {
    std::vector<ReadPacket> packets;
    int pictures_decoded = 0;
    int errors = 0;
    int width = 0;
    int height = 0;
};

// Reads an MP4 (init segment and fragments one after the other) with libavformat and decodes its pictures.
inline ReadBack read_back(const std::string& bytes) {
    const TemporaryDirectory directory;
    const auto path = directory.file("read.mp4");
    std::ofstream(path, std::ios::binary) << bytes;
    const OpenFile file(path);
    ReadBack result;
    AVCodecContext* decoder = nullptr;
    AVPacket* packet = av_packet_alloc();
    AVFrame* frame = av_frame_alloc();
    const auto drain = [&] {
        while (decoder != nullptr && avcodec_receive_frame(decoder, frame) >= 0) {
            ++result.pictures_decoded;
            result.width = frame->width;
            result.height = frame->height;
        }
    };
    while (av_read_frame(file.context, packet) >= 0) {
        const AVStream& stream = *file.context->streams[packet->stream_index];
        const double unit = av_q2d(stream.time_base);
        const bool video = stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
        result.packets.push_back(
            {video, (packet->flags & AV_PKT_FLAG_KEY) != 0, static_cast<double>(packet->pts) * unit,
             static_cast<double>(packet->dts) * unit, static_cast<double>(packet->duration) * unit});
        if (video) {
            if (decoder == nullptr) {
                const AVCodec* codec = avcodec_find_decoder(stream.codecpar->codec_id);
                decoder = avcodec_alloc_context3(codec);
                avcodec_parameters_to_context(decoder, stream.codecpar);
                decoder->thread_count = 1;
                if (avcodec_open2(decoder, codec, nullptr) < 0) ++result.errors;
            }
            if (avcodec_send_packet(decoder, packet) < 0) ++result.errors;
            drain();
        }
        av_packet_unref(packet);
    }
    if (decoder != nullptr) {
        avcodec_send_packet(decoder, nullptr);
        drain();
    }
    avcodec_free_context(&decoder);
    av_frame_free(&frame);
    av_packet_free(&packet);
    return result;
}

}  // namespace spaktok::media::testing
