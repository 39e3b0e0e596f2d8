// libavformat's mp4 muxer, writing into memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "media/access_unit.h"
#include "media/cmaf/track_description.h"

struct AVFormatContext;
struct AVPacket;

namespace spaktok::media::cmaf {

struct Mp4Track {
    TrackConfig config;
    TrackDescription description;
    int timescale = 0;
};

// Used by one muxer. Every call throws Error{internal} where libavformat fails; the writer is spent then.
class Mp4Writer {
  public:
    explicit Mp4Writer(const std::vector<Mp4Track>& tracks);
    Mp4Writer(const Mp4Writer&) = delete;
    Mp4Writer& operator=(const Mp4Writer&) = delete;

    struct Sample {
        std::size_t track = 0;
        std::int64_t dts = 0;  // in the track's timescale, as the others
        std::int64_t pts = 0;
        std::int64_t duration = 0;
        bool keyframe = false;
        const std::vector<std::uint8_t>* data = nullptr;
    };
    void write(const Sample& sample);
    // ftyp and moov the first time, then the fragment of what was written since.
    std::string take_init();
    std::string take_fragment();

  private:
    void add_track(const Mp4Track& track);
    void open();

    struct Free {
        void operator()(AVFormatContext* context) const;
        void operator()(AVPacket* packet) const;
    };

    std::string output_;  // outlives the context, which writes into it
    std::unique_ptr<AVFormatContext, Free> context_;
    std::unique_ptr<AVPacket, Free> packet_;
    std::vector<int> timescales_;
};

}  // namespace spaktok::media::cmaf
