// What waits to be written to one socket: references to finished bytes, gathered into one write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/uio.h>

namespace spaktok::gateway {

// Finished bytes shared by the queues of one I/O thread. Counted without atomics: neither the bytes' owner
// nor any queue leaves its thread, and with an atomic count the threads would pass one cache line around for
// every delivery.
class Frame {
  public:
    Frame() = default;
    explicit Frame(std::string bytes) : block_(new Block{std::move(bytes), 1}) {}
    Frame(const Frame& other) : block_(other.block_) {
        if (block_ != nullptr) ++block_->references;
    }
    Frame(Frame&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    Frame& operator=(Frame other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~Frame() {
        if (block_ != nullptr && --block_->references == 0) delete block_;
    }

    const std::string& bytes() const { return block_->bytes; }
    std::size_t size() const { return block_->bytes.size(); }

  private:
    struct Block {
        std::string bytes;
        std::size_t references;
    };
    Block* block_ = nullptr;
};

// First in, first out. Holds no memory while empty, but for a few places after it was in use.
class FrameQueue {
  public:
    void push(Frame frame) {
        bytes_ += frame.size();
        frames_.push_back(std::move(frame));
    }
    bool empty() const { return head_ == frames_.size(); }
    // Not yet written.
    std::size_t bytes() const { return bytes_; }
    // Fills `buffers` from the front; returns how many were filled.
    std::size_t gather(std::span<iovec> buffers) const;
    // `written` bytes from the front are gone.
    void consume(std::size_t written);
    // Drops everything but the frame that is partly written: a peer could not make sense of the rest of the
    // stream otherwise.
    void drop_unwritten();
    void clear();

  private:
    void compact();

    std::vector<Frame> frames_;
    std::size_t head_ = 0;    // first frame that is not wholly written
    std::size_t offset_ = 0;  // written of it
    std::size_t bytes_ = 0;
};

}  // namespace spaktok::gateway
