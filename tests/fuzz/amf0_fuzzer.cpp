// AMF0 from a stranger: refused or decoded, and what was decoded is written and read again as the same.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/error.h"
#include "media/rtmp/amf0.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace amf0 = spaktok::media::rtmp::amf0;
    std::vector<amf0::Value> values;
    try {
        values = amf0::decode({data, size});
    } catch (const spaktok::Error&) {
        return 0;
    }
    // Bytes are compared, as a number that is none does not equal itself.
    std::vector<std::uint8_t> first;
    amf0::encode(first, values);
    std::vector<std::uint8_t> second;
    amf0::encode(second, amf0::decode(first));
    if (first != second) std::abort();
    return 0;
}
