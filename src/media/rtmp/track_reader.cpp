#include "media/rtmp/track_reader.h"

#include <cstdlib>
#include <utility>

#include "base/assert.h"
#include "media/rtmp/failure.h"

namespace spaktok::media::rtmp {

std::optional<TrackEvent> TrackReader::read(Message&& message) {
    const bool video = message.type == MessageType::video;
    SPAKTOK_ASSERT(video || message.type == MessageType::audio);
    // Where the chunk reader could not tell how long the header is, it stands at the front of the body.
    const bool apart = message.head_size > 0;
    const std::span<const std::uint8_t> bytes =
        apart ? message.head_bytes() : std::span<const std::uint8_t>{message.body};
    const auto header = video ? read_video_header(bytes) : read_audio_header(bytes);
    if (!header) return std::nullopt;
    if (apart) {
        SPAKTOK_ASSERT(header->size == message.head_size);
    } else {
        message.body.erase(message.body.begin(),
                           message.body.begin() + static_cast<std::ptrdiff_t>(header->size));
    }
    const auto track = video ? Timeline::video : Timeline::audio;
    switch (header->kind) {
        case TagKind::sequence_start:
            return configure(track, header->codec, message);
        case TagKind::coded_frames:
            return deliver(track, *header, std::move(message));
        case TagKind::sequence_end:
        case TagKind::ignored:
            return std::nullopt;
    }
    return std::nullopt;
}

std::optional<TrackEvent> TrackReader::configure(Timeline::Track track, Codec codec, const Message& message) {
    TrackSetup setup = read_config(codec, message.body);
    auto& current = setups_[track];
    const bool same = current && current->config == setup.config;
    current = std::move(setup);
    if (same) return std::nullopt;  // some encoders repeat it before each keyframe
    return TrackConfigured{.video = track == Timeline::video, .config = current->config};
}

std::optional<TrackEvent> TrackReader::deliver(Timeline::Track track, const TagHeader& header,
                                               Message&& message) {
    if (message.body.empty()) return std::nullopt;  // says only that time goes on
    const auto& setup = setups_[track];
    if (!setup || setup->config.codec != header.codec) return leave_out();
    if (std::abs(header.composition_offset_ms) > composition_offset_max_ms) return leave_out();
    const AccessUnitCheck check = normalize(*setup, message.body);
    if (!check.valid) return leave_out();
    unusable_in_a_row_ = 0;
    const Timeline::Times times = timeline_.place(track, message.timestamp, header.composition_offset_ms);
    return AccessUnit{.video = track == Timeline::video,
                      .keyframe = header.keyframe || check.random_access,
                      .dts_ms = times.dts_ms,
                      .pts_ms = times.pts_ms,
                      .data = std::move(message.body)};
}

std::optional<TrackEvent> TrackReader::leave_out() {
    ++unusable_;
    if (++unusable_in_a_row_ > unusable_in_a_row_max) {
        fail(reason::malformed, "The audio and video that is sent cannot be used.");
    }
    return std::nullopt;
}

}  // namespace spaktok::media::rtmp
