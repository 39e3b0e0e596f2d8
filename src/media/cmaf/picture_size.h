// The size of the pictures, from the parameter sets in a decoder configuration. Pure; the bytes are a
// stranger's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace spaktok::media::cmaf {

struct PictureSize {
    int width = 0;
    int height = 0;
    bool operator==(const PictureSize&) const = default;
};

// Each takes what a configuration record carries, and answers nullopt where it cannot be read or is beyond
// 16,384 a side. `h264_sps`, `hevc_sps`: one NAL unit with its header, emulation prevention included.
// `av1_sequence`: OBUs (av1C's configOBUs).
std::optional<PictureSize> h264_picture_size(std::span<const std::uint8_t> h264_sps);
std::optional<PictureSize> hevc_picture_size(std::span<const std::uint8_t> hevc_sps);
std::optional<PictureSize> av1_picture_size(std::span<const std::uint8_t> av1_sequence);

// A NAL unit's payload without emulation prevention bytes (ITU-T H.264, 7.3.1).
std::vector<std::uint8_t> without_emulation_prevention(std::span<const std::uint8_t> nal_unit);

}  // namespace spaktok::media::cmaf
