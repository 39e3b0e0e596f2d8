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
// other grow together, so that many small answers are one buffer of one write; what lies in a file in memory
// is sent by the kernel from there.
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
    // Sends what the socket, which does not block, takes now. The process must ignore SIGPIPE: sendfile(2)
    // has no flag against it.
    enum class Sent { all, some, broken };
    Sent send(int socket);
    // Fills `buffers` with what comes next, up to the next piece in a file; returns how many it filled.
    std::size_t gather(std::span<iovec> buffers) const;
    void consume(std::size_t bytes);
    // Gives back all memory. Only when empty.
    void release();

  private:
    struct Piece {
        std::string own;
        BodyPart shared;  // instead of `own`, where it has a length
        bool is_own() const { return shared.length == 0; }
        bool is_in_file() const { return shared.extent != nullptr; }
        std::size_t size() const { return is_own() ? own.size() : shared.length; }
        std::string_view in_memory() const;
    };
    ssize_t send_some(int socket) const;
    static void let_go(Piece& piece);

    std::vector<Piece> pieces_;
    std::size_t first_ = 0;         // pieces before it are sent
    std::size_t first_offset_ = 0;  // sent of the first
    std::size_t bytes_ = 0;
    std::size_t text_size_before_ = 0;
};

}  // namespace spaktok::http
