// Playlists as text (RFC 8216, and draft-pantos-hls-rfc8216bis for the low-latency tags). Pure.
#pragma once

#include <string>
#include <string_view>

#include "media/hls/window_contents.h"

namespace spaktok::media::hls {

// One variant, with what was measured. `media_uri` goes in as it is. Needs at least one part in the contents.
std::string master_playlist(const Contents& contents, std::string_view media_uri);

// The complete segments from index `first` on, the parts of the newest, and a hint at the part to come. Needs
// the target durations chosen.
std::string media_playlist(const Contents& contents, std::size_t first = 0);

// Names of what a playlist points to, relative to it: "init-7.mp4", "1042.m4s", "1042.3.m4s".
std::string init_name(std::int64_t timeline);
std::string segment_name(std::int64_t sequence);
std::string part_name(std::int64_t sequence, std::size_t part);

}  // namespace spaktok::media::hls
