// Broadcasts that a graceful stop keeps on disk, one file each, so that viewers' playlists go on after a
// restart.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/live/broadcast.h"

namespace spaktok::media {

// The file's content: magic, version, fields, CRC-32. Reading trusts nothing of it: what is cut, changed, of
// another version or breaks an invariant of the window is nullopt.
std::string encode(const Broadcast::Kept& kept);
std::optional<Broadcast::Kept> decode_kept(std::string_view bytes);

// Written beside its place, synced and renamed: there is never half a file. Both block. What cannot be
// written or read is logged and left out: a window is a convenience, not a truth.
void write_kept(const std::string& directory, const Broadcast::Kept& kept);
// Takes the files away: a crash later must not bring them back. At most `files_max`; longer files than
// `bytes_max` are junk.
struct TakeLimits {
    std::size_t files_max = 1'000;
    std::size_t bytes_max = 0;
};
std::vector<Broadcast::Kept> take_kept(const std::string& directory, TakeLimits limits);

}  // namespace spaktok::media
