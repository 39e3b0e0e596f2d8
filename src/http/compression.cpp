#include "http/compression.h"

#include <zlib.h>

#include "base/assert.h"

namespace spaktok::http {

namespace {

// One a thread: making deflate's state (256 KiB, zeroed) costs more than compressing a page of JSON.
class Deflater {
  public:
    Deflater() {
        constexpr int window_bits = 15 + 16;  // 16: gzip's wrapper (zlib.h, deflateInit2)
        SPAKTOK_ASSERT(deflateInit2(&stream_, 1, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    }
    ~Deflater() { deflateEnd(&stream_); }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;

    std::string run(std::string_view text) {
        SPAKTOK_ASSERT(text.size() <= UINT32_MAX && deflateReset(&stream_) == Z_OK);
        std::string compressed;
        compressed.resize(deflateBound(&stream_, text.size()));
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream_.avail_in = static_cast<uInt>(text.size());
        stream_.next_out = reinterpret_cast<Bytef*>(compressed.data());
        stream_.avail_out = static_cast<uInt>(compressed.size());
        SPAKTOK_ASSERT(deflate(&stream_, Z_FINISH) == Z_STREAM_END);
        compressed.resize(stream_.total_out);
        return compressed;
    }

  private:
    z_stream stream_{};
};

}  // namespace

std::string gzip(std::string_view text) {
    thread_local Deflater deflater;
    return deflater.run(text);
}

}  // namespace spaktok::http
