#include "gateway/frame_queue.h"

#include <algorithm>

#include "base/assert.h"

namespace spaktok::gateway {
namespace {
// Places that an empty queue may keep (8 bytes each): a busy connection does not allocate for every turn.
constexpr std::size_t idle_places_max = 8;
}  // namespace

std::size_t FrameQueue::gather(std::span<iovec> buffers) const {
    const std::size_t count = std::min(buffers.size(), frames_.size() - head_);
    for (std::size_t i = 0; i < count; ++i) {
        const std::string& bytes = frames_[head_ + i].bytes();
        const std::size_t skip = i == 0 ? offset_ : 0;
        // sendmsg takes the address without const and does not write to it.
        buffers[i] = {const_cast<char*>(bytes.data()) + skip, bytes.size() - skip};
    }
    return count;
}

void FrameQueue::consume(std::size_t written) {
    SPAKTOK_ASSERT(written <= bytes_);
    bytes_ -= written;
    while (written > 0) {
        const std::size_t left = frames_[head_].size() - offset_;
        if (written < left) {
            offset_ += written;
            break;
        }
        written -= left;
        offset_ = 0;
        frames_[head_++] = Frame();
    }
    compact();
}

void FrameQueue::drop_unwritten() {
    const std::size_t keep = head_ + (offset_ > 0 ? 1 : 0);
    for (std::size_t i = keep; i < frames_.size(); ++i)
        bytes_ -= frames_[i].size();
    frames_.resize(keep);
    compact();
}

void FrameQueue::clear() {
    *this = FrameQueue();
}

void FrameQueue::compact() {
    if (empty()) {
        head_ = 0;
        frames_.clear();
        if (frames_.capacity() > idle_places_max) frames_ = {};
    } else if (head_ >= 64 && head_ * 2 >= frames_.size()) {
        // Moves each frame at most once for each time that its half of the queue was written: linear in all.
        frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
}

}  // namespace spaktok::gateway
