// What a connection has still to send.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "http/request.h"

namespace spaktok::http {

// Pieces in order: text of its own, or bytes shared with other connections. Small texts that follow each
// other grow together, so that many small answers are one buffer of one write.
class Output {
  public:
    // Bodies up to this are copied behind their head; larger ones are a buffer of their own.
    static constexpr std::size_t copy_bytes_max = 8 * 1024;

    // Where a response's head is written. Valid until the next change.
    std::string& text();
    // To be called when the text was written: counts what is new since `text()`.
    void text_written();
    void add(std::string&& body);
    void add(const BodyPart& part);

    bool empty() const { return bytes_ == 0; }
    std::size_t bytes() const { return bytes_; }
    // Fills `buffers` with what comes next; returns how many it filled.
    std::size_t gather(std::span<iovec> buffers) const;
    void consume(std::size_t bytes);
    // Gives back all memory. Only when empty.
    void release();

  private:
    struct Piece {
        std::string own;
        SharedBytes shared;
        std::size_t offset = 0;
        std::size_t length = 0;  // of `shared`; of `own` it is its size
        std::string_view rest() const;
    };

    std::vector<Piece> pieces_;
    std::size_t first_ = 0;         // pieces before it are sent
    std::size_t first_offset_ = 0;  // sent of the first
    std::size_t bytes_ = 0;
    std::size_t text_size_before_ = 0;
};

}  // namespace spaktok::http
