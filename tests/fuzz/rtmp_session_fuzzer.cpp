// An RTMP connection from a stranger: nothing crashes, what comes out keeps its promises, and where the bytes
// are cut does not matter.
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "media/rtmp/session.h"
#include "media/rtmp/testing.h"

namespace {

using namespace spaktok;
using namespace spaktok::media;

// Small, so that the fuzzer reaches them.
constexpr rtmp::Limits limits{.chunk_streams_max = 8,
                              .command_bytes_max = 4'096,
                              .audio_bytes_max = 2'048,
                              .video_bytes_max = 16'384,
                              .pending_bytes_max = 20'000};

void require(bool holds) {
    if (!holds) std::abort();
}

struct Run {
    SeededRandom random{1};
    rtmp::Session session{limits, random};
    std::vector<std::uint8_t> seen;  // everything that happened, to compare runs by
    std::int64_t last_dts[2] = {std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::min()};
    bool failed = false;

    void note(const void* data, std::size_t size) {
        const auto* bytes = static_cast<const std::uint8_t*>(data);
        seen.insert(seen.end(), bytes, bytes + size);
    }

    void take(rtmp::Event event) {
        seen.push_back(static_cast<std::uint8_t>(event.index()));
        if (const auto* unit = std::get_if<AccessUnit>(&event)) {
            require(unit->dts_ms > last_dts[unit->video] && unit->pts_ms >= unit->dts_ms &&
                    !unit->data.empty());
            last_dts[unit->video] = unit->dts_ms;
            note(&unit->dts_ms, sizeof unit->dts_ms);
            note(unit->data.data(), unit->data.size());
        } else if (const auto* track = std::get_if<rtmp::TrackConfigured>(&event)) {
            note(track->config.extradata.data(), track->config.extradata.size());
        } else if (const auto* publish = std::get_if<rtmp::PublishRequested>(&event)) {
            require(!publish->stream_key.empty() && publish->stream_key.size() <= 128);
            last_dts[0] = last_dts[1] = std::numeric_limits<std::int64_t>::min();
            session.accept_publish();
        }
    }

    void feed(std::span<const std::uint8_t> bytes) {
        if (failed) return;
        try {
            while (auto event = session.next(bytes))
                take(std::move(*event));
            require(bytes.empty());
        } catch (const Error& error) {
            require(!error.reason().empty() && !error.message().empty());
            require(session.state() == rtmp::Session::State::closed);
            failed = true;
        }
        require(session.output().size() <= limits.output_bytes_max + limits.command_bytes_max);
    }
};

std::vector<std::uint8_t> opening(std::uint8_t kind) {
    rtmp::testing::ClientBytes client;
    if (kind == 0) return {};
    client.handshake();
    if (kind == 1) return client.bytes;
    client.connect();
    if (kind == 2) return client.bytes;
    client.create_stream().publish("KEY");
    if (kind == 4)
        client.set_chunk_size(4'096)
            .video(0, rtmp::testing::avc_config())
            .audio(0, rtmp::testing::aac_config());
    return client.bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    std::vector<std::uint8_t> bytes = opening(data[0] % 5);
    const std::size_t piece = 1 + data[1];
    bytes.insert(bytes.end(), data + 2, data + size);
    Run whole;
    whole.feed(bytes);
    Run pieces;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        pieces.feed(std::span{bytes}.subspan(at, std::min(piece, bytes.size() - at)));
    }
    require(whole.seen == pieces.seen);
    require(whole.failed == pieces.failed);
    return 0;
}
