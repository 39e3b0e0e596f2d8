// The server's side of the RTMP handshake (specification 1.0, section 5.2), without I/O.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"

namespace spaktok::media::rtmp {

// Answers the simple handshake to everyone. Clients that open with the digest form (a version in C1 that is
// not zero) accept it as well: a server version of zero in S1 says that there is no digest to check. C2 is
// not compared with S1, as no encoder of note depends on it and some send something else.
class Handshake {
  public:
    explicit Handshake(Random& random) : random_(&random) {}

    // Consumes from the front of `bytes`, appends answers to `output`; true once the handshake is complete.
    // Throws Error{reason not_rtmp} where C0 is of another protocol.
    bool read(std::span<const std::uint8_t>& bytes, std::vector<std::uint8_t>& output);

    static constexpr std::uint8_t version = 3;
    static constexpr std::size_t packet_bytes = 1'536;

  private:
    enum class Expects { c0, c1, c2, nothing };

    void answer(std::vector<std::uint8_t>& output);

    Random* random_;
    Expects expects_ = Expects::c0;
    std::vector<std::uint8_t> c1_;  // echoed as S2, then freed
    std::size_t c2_missing_ = packet_bytes;
};

}  // namespace spaktok::media::rtmp
