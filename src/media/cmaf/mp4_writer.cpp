#include "media/cmaf/mp4_writer.h"

#include <cstdarg>
#include <cstring>
#include <utility>

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/log.h>
#include <libavutil/mathematics.h>
}

#include "base/error.h"
#include "base/log.h"

namespace spaktok::media::cmaf {
namespace {

constexpr int io_buffer_bytes = 64 * 1024;

void check(int result, const char* call) {
    if (result >= 0) return;
    char text[AV_ERROR_MAX_STRING_SIZE] = {};
    av_strerror(result, text, sizeof text);
    throw Error(ErrorCode::internal, "The stream could not be packaged.",
                {.reason = "muxer_failed", .detail = std::string(call) + ": " + text});
}

// libav writes to standard error by itself; what it has to say belongs to our log.
void log_from_libav(void*, int level, const char* format, va_list arguments) {
    if (level > AV_LOG_WARNING || !log::enabled(log::Level::debug)) return;
    char line[512];
    std::vsnprintf(line, sizeof line, format, arguments);
    std::string_view text(line);
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    log::debug("libavformat", {{"message", text}});
}

void quiet_libav() {
    static const bool once = [] {
        av_log_set_callback(log_from_libav);
        return true;
    }();
    (void)once;
}

int append(void* output, std::uint8_t* bytes, int size) {
    static_cast<std::string*>(output)->append(reinterpret_cast<const char*>(bytes),
                                              static_cast<std::size_t>(size));
    return size;
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

void set_extradata(AVCodecParameters& parameters, const std::vector<std::uint8_t>& bytes) {
    parameters.extradata =
        static_cast<std::uint8_t*>(av_mallocz(bytes.size() + AV_INPUT_BUFFER_PADDING_SIZE));
    if (parameters.extradata == nullptr) check(AVERROR(ENOMEM), "av_mallocz");
    std::memcpy(parameters.extradata, bytes.data(), bytes.size());
    parameters.extradata_size = static_cast<int>(bytes.size());
}

}  // namespace

void Mp4Writer::Free::operator()(AVFormatContext* context) const {
    if (context->pb != nullptr) {
        av_freep(&context->pb->buffer);
        avio_context_free(&context->pb);
    }
    avformat_free_context(context);
}

void Mp4Writer::Free::operator()(AVPacket* packet) const {
    av_packet_free(&packet);
}

Mp4Writer::Mp4Writer(const std::vector<Mp4Track>& tracks) {
    quiet_libav();
    AVFormatContext* context = nullptr;
    check(avformat_alloc_output_context2(&context, nullptr, "mp4", nullptr),
          "avformat_alloc_output_context2");
    context_.reset(context);
    packet_.reset(av_packet_alloc());
    if (packet_ == nullptr) check(AVERROR(ENOMEM), "av_packet_alloc");
    for (const auto& track : tracks)
        add_track(track);
    open();
}

void Mp4Writer::add_track(const Mp4Track& track) {
    AVStream* stream = avformat_new_stream(context_.get(), nullptr);
    if (stream == nullptr) check(AVERROR(ENOMEM), "avformat_new_stream");
    AVCodecParameters& parameters = *stream->codecpar;
    parameters.codec_id = codec_id(track.config.codec);
    const auto& description = track.description;
    if (description.sample_rate == 0) {
        parameters.codec_type = AVMEDIA_TYPE_VIDEO;
        parameters.width = description.width;
        parameters.height = description.height;
        // hvc1: all parameter sets are in the configuration, as CMAF and Apple's players want it.
        if (track.config.codec == Codec::hevc) parameters.codec_tag = MKTAG('h', 'v', 'c', '1');
    } else {
        parameters.codec_type = AVMEDIA_TYPE_AUDIO;
        parameters.sample_rate = description.sample_rate;
        parameters.frame_size = description.frame_samples;
        av_channel_layout_default(&parameters.ch_layout, description.channels);
    }
    set_extradata(parameters, track.config.codec == Codec::opus ? opus_head(track.config.extradata)
                                                                : track.config.extradata);
    stream->time_base = AVRational{1, track.timescale};
    timescales_.push_back(track.timescale);
}

void Mp4Writer::open() {
    auto* buffer = static_cast<std::uint8_t*>(av_malloc(io_buffer_bytes));
    if (buffer == nullptr) check(AVERROR(ENOMEM), "av_malloc");
    context_->pb = avio_alloc_context(buffer, io_buffer_bytes, 1, &output_, nullptr, append, nullptr);
    if (context_->pb == nullptr) {
        av_free(buffer);
        check(AVERROR(ENOMEM), "avio_alloc_context");
    }
    context_->pb->seekable = 0;
    context_->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    AVDictionary* options = nullptr;
    // frag_custom: we say where a fragment ends. frag_discont with use_editlist 0: the first fragment's
    // decode time is the publisher's, not zero.
    av_dict_set(&options, "movflags", "frag_custom+empty_moov+default_base_moof+cmaf+frag_discont", 0);
    av_dict_set(&options, "use_editlist", "0", 0);
    av_dict_set(&options, "avoid_negative_ts", "0", 0);
    const int result = avformat_write_header(context_.get(), &options);
    av_dict_free(&options);
    check(result, "avformat_write_header");
}

void Mp4Writer::write(const Sample& sample) {
    const AVStream* stream = context_->streams[sample.track];
    const AVRational ours{1, timescales_[sample.track]};
    packet_->stream_index = static_cast<int>(sample.track);
    packet_->data = const_cast<std::uint8_t*>(sample.data->data());  // libav reads it, and keeps no reference
    packet_->size = static_cast<int>(sample.data->size());
    packet_->dts = av_rescale_q(sample.dts, ours, stream->time_base);
    packet_->pts = av_rescale_q(sample.pts, ours, stream->time_base);
    packet_->duration = av_rescale_q(sample.duration, ours, stream->time_base);
    packet_->flags = sample.keyframe ? AV_PKT_FLAG_KEY : 0;
    const int result = av_write_frame(context_.get(), packet_.get());
    av_packet_unref(packet_.get());
    check(result, "av_write_frame");
}

std::string Mp4Writer::take_init() {
    avio_flush(context_->pb);
    return std::exchange(output_, {});
}

std::string Mp4Writer::take_fragment() {
    check(av_write_frame(context_.get(), nullptr), "av_write_frame: flush");
    avio_flush(context_->pb);
    return std::exchange(output_, {});
}

}  // namespace spaktok::media::cmaf
