// Audio and video messages from a stranger, through tags, configurations and NAL units.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <span>
#include <variant>
#include <vector>

#include "base/error.h"
#include "media/rtmp/track_reader.h"

namespace {

using namespace spaktok::media;
using namespace spaktok::media::rtmp;

// As the chunk reader delivers it: with the tag's header apart where its length can be told.
Message message_of(MessageType type, std::uint32_t timestamp, std::span<const std::uint8_t> payload) {
    Message message{.type = type, .timestamp = timestamp};
    const auto first = payload.first(std::min(payload.size(), Message::head_bytes_max));
    message.head_size = std::min(first.size(), tag_head_size(type, first));
    std::copy_n(payload.begin(), message.head_size, message.head.begin());
    message.body.assign(payload.begin() + static_cast<std::ptrdiff_t>(message.head_size), payload.end());
    return message;
}

void check_nal_units(const TrackConfig& config, const AccessUnit& unit) {
    if (config.codec != Codec::h264 && config.codec != Codec::hevc) return;
    std::span<const std::uint8_t> rest{unit.data};
    while (!rest.empty()) {
        if (rest.size() < 5) std::abort();
        const std::size_t length = read_u32(rest.data());
        if (length == 0 || length > rest.size() - 4) std::abort();
        rest = rest.subspan(4 + length);
    }
}

}  // namespace

// Messages one after the other: type and flags, two bytes of length, two of timestamp, payload.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::uint8_t> rest{data, size};
    TrackReader reader;
    TrackConfig configs[2];
    std::int64_t last_dts[2] = {std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::min()};
    try {
        while (rest.size() >= 5) {
            const auto type = (rest[0] & 1) != 0 ? MessageType::video : MessageType::audio;
            const std::size_t length = std::min<std::size_t>(read_u16(rest.data() + 1), rest.size() - 5);
            const std::uint32_t timestamp = read_u16(rest.data() + 3) << ((rest[0] >> 1) % 17);
            const auto event = reader.read(message_of(type, timestamp, rest.subspan(5, length)));
            rest = rest.subspan(5 + length);
            if (!event) continue;
            if (const auto* track = std::get_if<TrackConfigured>(&*event)) {
                configs[track->video] = track->config;
                continue;
            }
            const auto& unit = std::get<AccessUnit>(*event);
            if (unit.dts_ms <= last_dts[unit.video] || unit.pts_ms < unit.dts_ms) std::abort();
            last_dts[unit.video] = unit.dts_ms;
            check_nal_units(configs[unit.video], unit);
        }
    } catch (const spaktok::Error&) {
        // Refused, as it should be.
    }
    return 0;
}
