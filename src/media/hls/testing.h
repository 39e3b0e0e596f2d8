// For tests: fragments with stated durations, without a muxer.
#pragma once

#include <memory>
#include <string>

#include "media/cmaf/muxer.h"
#include "media/hls/window.h"

namespace spaktok::media::testing {

struct FragmentOptions {
    std::chrono::milliseconds duration{500};
    std::size_t bytes = 100;
    bool independent = false;
    bool before_keyframe = false;
};

// Yields fragments one after the other in time.
class FragmentSource {
  public:
    cmaf::Fragment next(FragmentOptions options) {
        cmaf::Fragment fragment;
        fragment.bytes =
            std::make_shared<const std::string>(options.bytes, static_cast<char>('a' + count_++ % 26));
        fragment.start = at_;
        fragment.duration = options.duration;
        fragment.independent = options.independent;
        fragment.before_keyframe = options.before_keyframe;
        fragment.pictures = static_cast<int>(options.duration / std::chrono::milliseconds(20));
        at_ += options.duration;
        return fragment;
    }
    // A segment of `parts` fragments into `window`, from a keyframe to the next.
    void add_segment(hls::Window& window, int parts = 4, FragmentOptions options = {}) {
        for (int i = 0; i < parts; ++i) {
            options.independent = i == 0;
            options.before_keyframe = i + 1 == parts;
            window.add(next(options));
        }
    }

  private:
    std::chrono::microseconds at_{10'000'000};
    int count_ = 0;
};

inline hls::TimelineStart timeline_start() {
    return {.init = std::make_shared<const std::string>("init"),
            .codecs = "avc1.64001f,mp4a.40.2",
            .width = 640,
            .height = 360};
}

}  // namespace spaktok::media::testing
