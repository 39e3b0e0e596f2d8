// Foreign bytes into the WebSocket decoder: no crash, no message beyond its limit, no text that is not UTF-8,
// and the same events whether the bytes come at once or cut as the first bytes of the input say.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "gateway/websocket_frame.h"

namespace {

using spaktok::gateway::FrameDecoder;
using spaktok::gateway::FrameEvent;

constexpr std::size_t message_bytes_max = 512;

void require(bool condition) {
    if (!condition) std::abort();
}

std::string record(const FrameEvent& event) {
    if (event.kind == FrameEvent::Kind::text) {
        require(event.payload.size() <= message_bytes_max);
        spaktok::gateway::Utf8Validator validator;
        require(validator.feed(event.payload) && validator.is_complete());
    } else if (event.kind != FrameEvent::Kind::failure) {
        require(event.payload.size() <= spaktok::gateway::control_payload_bytes_max);
    }
    return std::to_string(static_cast<int>(event.kind)) + ":" + std::to_string(event.code.value_or(0)) + ":" +
           std::string(event.payload);
}

std::vector<std::string> decode(std::string bytes, std::size_t step) {
    FrameDecoder decoder(message_bytes_max);
    std::vector<std::string> events;
    for (std::size_t begin = 0; begin < bytes.size(); begin += step) {
        std::span<char> rest(bytes.data() + begin, std::min(step, bytes.size() - begin));
        while (const auto event = decoder.next(rest))
            events.push_back(record(*event));
        require(rest.empty());
    }
    return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t step = 1 + data[0] % 64;
    const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    require(decode(bytes, bytes.size()) == decode(bytes, step));
    return 0;
}
