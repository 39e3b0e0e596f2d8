#include "media/rtmp/handshake.h"

#include <algorithm>

#include "media/rtmp/failure.h"

namespace spaktok::media::rtmp {

bool Handshake::read(std::span<const std::uint8_t>& bytes, std::vector<std::uint8_t>& output) {
    if (expects_ == Expects::c0 && !bytes.empty()) {
        if (bytes.front() != version) fail(reason::not_rtmp, "The peer does not speak RTMP.");
        bytes = bytes.subspan(1);
        expects_ = Expects::c1;
    }
    if (expects_ == Expects::c1) {
        const std::size_t taken = std::min(bytes.size(), packet_bytes - c1_.size());
        c1_.insert(c1_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
        bytes = bytes.subspan(taken);
        if (c1_.size() == packet_bytes) {
            answer(output);
            expects_ = Expects::c2;
        }
    }
    if (expects_ == Expects::c2) {
        const std::size_t taken = std::min(bytes.size(), c2_missing_);
        bytes = bytes.subspan(taken);
        c2_missing_ -= taken;
        if (c2_missing_ == 0) expects_ = Expects::nothing;
    }
    return expects_ == Expects::nothing;
}

void Handshake::answer(std::vector<std::uint8_t>& output) {
    output.push_back(version);
    const std::size_t s1 = output.size();
    output.resize(s1 + packet_bytes);  // time and server version stay zero
    random_->fill(std::span{output}.subspan(s1 + 8, packet_bytes - 8));
    output.insert(output.end(), c1_.begin(), c1_.end());
    c1_ = {};
}

}  // namespace spaktok::media::rtmp
