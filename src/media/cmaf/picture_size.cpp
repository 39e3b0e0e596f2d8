#include "media/cmaf/picture_size.h"

#include <algorithm>

#include "media/cmaf/bit_reader.h"

namespace spaktok::media::cmaf {
namespace {

constexpr std::int64_t side_max = 16'384;

std::optional<PictureSize> checked(std::int64_t width, std::int64_t height) {
    if (width < 1 || height < 1 || width > side_max || height > side_max) return std::nullopt;
    return PictureSize{static_cast<int>(width), static_cast<int>(height)};
}

// Crop, in units of chroma samples.
struct Crop {
    std::int64_t left = 0;
    std::int64_t right = 0;
    std::int64_t top = 0;
    std::int64_t bottom = 0;
};

Crop read_crop(BitReader& reader) {
    Crop crop;
    crop.left = reader.unsigned_golomb();
    crop.right = reader.unsigned_golomb();
    crop.top = reader.unsigned_golomb();
    crop.bottom = reader.unsigned_golomb();
    return crop;
}

// ITU-T H.264, 7.3.2.1.1.1
void skip_scaling_list(BitReader& reader, int size) {
    std::int32_t last = 8;
    std::int32_t next = 8;
    for (int i = 0; i < size && !reader.exhausted(); ++i) {
        if (next != 0) next = (last + reader.signed_golomb() % 256 + 256) % 256;
        if (next != 0) last = next;
    }
}

bool has_chroma_fields(std::uint32_t profile) {
    constexpr std::uint32_t profiles[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    return std::ranges::find(profiles, profile) != std::end(profiles);
}

// The chroma format; 1 (4:2:0) where the profile does not say.
std::uint32_t read_h264_chroma(BitReader& reader, std::uint32_t profile) {
    if (!has_chroma_fields(profile)) return 1;
    std::uint32_t chroma = reader.unsigned_golomb();
    if (chroma == 3 && reader.flag()) chroma = 0;  // separate planes are laid out like monochrome
    reader.unsigned_golomb();                      // bit depths
    reader.unsigned_golomb();
    reader.skip(1);
    if (reader.flag()) {
        const int lists = chroma == 3 ? 12 : 8;
        for (int i = 0; i < lists && !reader.exhausted(); ++i) {
            if (reader.flag()) skip_scaling_list(reader, i < 6 ? 16 : 64);
        }
    }
    return chroma;
}

void skip_h264_picture_order(BitReader& reader) {
    const std::uint32_t type = reader.unsigned_golomb();
    if (type == 0) {
        reader.unsigned_golomb();
    } else if (type == 1) {
        reader.skip(1);
        reader.signed_golomb();
        reader.signed_golomb();
        const std::uint32_t cycle = reader.unsigned_golomb();
        for (std::uint32_t i = 0; i < cycle && !reader.exhausted(); ++i)
            reader.signed_golomb();
    }
}

// ITU-T H.265, 7.3.3
void skip_profile_tier_level(BitReader& reader, unsigned sub_layers_minus1) {
    reader.skip(88 + 8);
    bool profile_present[8] = {};
    bool level_present[8] = {};
    for (unsigned i = 0; i < sub_layers_minus1; ++i) {
        profile_present[i] = reader.flag();
        level_present[i] = reader.flag();
    }
    if (sub_layers_minus1 > 0) reader.skip(2U * (8U - sub_layers_minus1));
    for (unsigned i = 0; i < sub_layers_minus1; ++i) {
        if (profile_present[i]) reader.skip(88);
        if (level_present[i]) reader.skip(8);
    }
}

// AV1 Bitstream 4.10.5
std::optional<std::uint64_t> read_leb128(std::span<const std::uint8_t> bytes, std::size_t& position) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8 && position < bytes.size(); ++i) {
        const std::uint8_t byte = bytes[position++];
        value |= std::uint64_t{byte & 0x7FU} << (7U * i);
        if ((byte & 0x80U) == 0) return value;
    }
    return std::nullopt;
}

void skip_av1_uvlc(BitReader& reader) {
    unsigned zeros = 0;
    while (!reader.flag()) {
        if (reader.exhausted() || ++zeros >= 32) return;
    }
    reader.skip(zeros);
}

// AV1 Bitstream 5.5.1: what stands before the picture's size when the header is not a reduced one.
void skip_av1_operating_points(BitReader& reader) {
    bool decoder_model = false;
    unsigned delay_bits = 0;
    if (reader.flag()) {  // timing_info_present_flag
        reader.skip(64);
        if (reader.flag()) skip_av1_uvlc(reader);
        decoder_model = reader.flag();
        if (decoder_model) {
            delay_bits = reader.bits(5) + 1;
            reader.skip(32 + 5 + 5);
        }
    }
    const bool initial_display_delay = reader.flag();
    const unsigned points = reader.bits(5) + 1;
    for (unsigned i = 0; i < points && !reader.exhausted(); ++i) {
        reader.skip(12);
        if (reader.bits(5) > 7) reader.skip(1);
        if (decoder_model && reader.flag()) reader.skip(2 * delay_bits + 1);
        if (initial_display_delay && reader.flag()) reader.skip(4);
    }
}

std::optional<PictureSize> read_av1_sequence_header(std::span<const std::uint8_t> bytes) {
    BitReader reader(bytes);
    reader.skip(3 + 1);
    if (reader.flag()) {
        reader.skip(5);  // reduced_still_picture_header
    } else {
        skip_av1_operating_points(reader);
    }
    const unsigned width_bits = reader.bits(4) + 1;
    const unsigned height_bits = reader.bits(4) + 1;
    const std::int64_t width = std::int64_t{reader.bits(width_bits)} + 1;
    const std::int64_t height = std::int64_t{reader.bits(height_bits)} + 1;
    if (reader.exhausted()) return std::nullopt;
    return checked(width, height);
}

}  // namespace

std::vector<std::uint8_t> without_emulation_prevention(std::span<const std::uint8_t> nal_unit) {
    std::vector<std::uint8_t> payload;
    payload.reserve(nal_unit.size());
    unsigned zeros = 0;
    for (const std::uint8_t byte : nal_unit) {
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        payload.push_back(byte);
    }
    return payload;
}

std::optional<PictureSize> h264_picture_size(std::span<const std::uint8_t> h264_sps) {
    const auto payload = without_emulation_prevention(h264_sps);
    BitReader reader(payload);
    reader.skip(8);
    const std::uint32_t profile = reader.bits(8);
    reader.skip(16);
    reader.unsigned_golomb();
    const std::uint32_t chroma = read_h264_chroma(reader, profile);
    reader.unsigned_golomb();
    skip_h264_picture_order(reader);
    reader.unsigned_golomb();
    reader.skip(1);
    const std::int64_t width_units = std::int64_t{reader.unsigned_golomb()} + 1;
    const std::int64_t height_units = std::int64_t{reader.unsigned_golomb()} + 1;
    const bool frames_only = reader.flag();
    if (!frames_only) reader.skip(1);
    reader.skip(1);
    const Crop crop = reader.flag() ? read_crop(reader) : Crop{};
    if (reader.exhausted()) return std::nullopt;
    const std::int64_t field_factor = frames_only ? 1 : 2;
    const std::int64_t crop_x = chroma == 1 || chroma == 2 ? 2 : 1;
    const std::int64_t crop_y = (chroma == 1 ? 2 : 1) * field_factor;
    return checked(width_units * 16 - crop_x * (crop.left + crop.right),
                   height_units * 16 * field_factor - crop_y * (crop.top + crop.bottom));
}

std::optional<PictureSize> hevc_picture_size(std::span<const std::uint8_t> hevc_sps) {
    const auto payload = without_emulation_prevention(hevc_sps);
    BitReader reader(payload);
    reader.skip(16 + 4);
    const unsigned sub_layers_minus1 = reader.bits(3);
    reader.skip(1);
    skip_profile_tier_level(reader, sub_layers_minus1);
    reader.unsigned_golomb();
    const std::uint32_t chroma = reader.unsigned_golomb();
    if (chroma == 3) reader.skip(1);
    const std::int64_t width = reader.unsigned_golomb();
    const std::int64_t height = reader.unsigned_golomb();
    const Crop crop = reader.flag() ? read_crop(reader) : Crop{};
    if (reader.exhausted()) return std::nullopt;
    const std::int64_t crop_x = chroma == 1 || chroma == 2 ? 2 : 1;
    const std::int64_t crop_y = chroma == 1 ? 2 : 1;
    return checked(width - crop_x * (crop.left + crop.right), height - crop_y * (crop.top + crop.bottom));
}

std::optional<PictureSize> av1_picture_size(std::span<const std::uint8_t> av1_sequence) {
    std::size_t position = 0;
    while (position < av1_sequence.size()) {
        const std::uint8_t header = av1_sequence[position++];
        if ((header & 0x04U) != 0) ++position;  // extension
        std::uint64_t size = av1_sequence.size() - std::min(position, av1_sequence.size());
        if ((header & 0x02U) != 0) {
            const auto stated = read_leb128(av1_sequence, position);
            if (!stated) return std::nullopt;
            size = *stated;
        }
        if (position > av1_sequence.size() || size > av1_sequence.size() - position) return std::nullopt;
        const auto payload = av1_sequence.subspan(position, static_cast<std::size_t>(size));
        constexpr unsigned sequence_header = 1;
        if (((header >> 3U) & 0x0FU) == sequence_header) return read_av1_sequence_header(payload);
        position += payload.size();
    }
    return std::nullopt;
}

}  // namespace spaktok::media::cmaf
