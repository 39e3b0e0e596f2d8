#include "http/output.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/assert.h"

namespace spaktok::http {

namespace {
constexpr std::size_t buffers_max = 64;  // of one write
}

std::string_view Output::Piece::in_memory() const {
    return is_own() ? std::string_view(own)
                    : std::string_view(*shared.bytes).substr(shared.offset, shared.length);
}

std::string& Output::text() {
    if (pieces_.size() == first_ || !pieces_.back().is_own() ||
        pieces_.back().own.size() > 2 * copy_bytes_max) {
        pieces_.emplace_back();
        pieces_.back().own.reserve(512);
    }
    text_size_before_ = pieces_.back().own.size();
    return pieces_.back().own;
}

void Output::text_written() {
    bytes_ += pieces_.back().own.size() - text_size_before_;
    text_size_before_ = pieces_.back().own.size();
}

void Output::add(std::string&& body) {
    if (body.empty()) return;
    if (body.size() <= copy_bytes_max) {
        text() += body;
        text_written();
        return;
    }
    bytes_ += body.size();
    pieces_.push_back({std::move(body), {}});
}

void Output::add(const BodyPart& part) {
    SPAKTOK_ASSERT(part.offset <= part.size_of_whole() && part.length <= part.size_of_whole() - part.offset);
    if (part.length == 0) return;
    bytes_ += part.length;
    pieces_.push_back({{}, part});
}

std::size_t Output::gather(std::span<iovec> buffers) const {
    std::size_t count = 0;
    for (std::size_t i = first_; i < pieces_.size() && count < buffers.size(); ++i) {
        if (pieces_[i].is_in_file()) break;
        auto rest = pieces_[i].in_memory();
        if (i == first_) rest.remove_prefix(first_offset_);
        if (rest.empty()) continue;
        buffers[count++] = {const_cast<char*>(rest.data()), rest.size()};
    }
    return count;
}

// One system call's worth.
ssize_t Output::send_some(int socket) const {
    const auto& first = pieces_[first_];
    if (first.is_in_file()) {
        const auto& extent = *first.shared.extent;
        auto at = static_cast<off_t>(extent.begin() + first.shared.offset + first_offset_);
        return ::sendfile(socket, extent.descriptor(), &at, first.shared.length - first_offset_);
    }
    std::array<iovec, buffers_max> buffers;
    msghdr message{};
    message.msg_iov = buffers.data();
    message.msg_iovlen = gather(buffers);
    std::size_t gathered = 0;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i)
        gathered += buffers[i].iov_len;
    // A head goes out in one packet with the beginning of the file that follows it.
    const int more = gathered < bytes_ && message.msg_iovlen < buffers.size() ? MSG_MORE : 0;
    return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL | more);
}

Output::Sent Output::send(int socket) {
    while (!empty()) {
        while (pieces_[first_].size() == 0)
            ++first_;
        const auto sent = send_some(socket);
        if (sent > 0) {
            consume(static_cast<std::size_t>(sent));
        } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return Sent::some;
        } else if (sent == 0 || errno != EINTR) {
            return Sent::broken;
        }
    }
    return Sent::all;
}

void Output::consume(std::size_t bytes) {
    SPAKTOK_ASSERT(bytes <= bytes_);
    bytes_ -= bytes;
    while (bytes > 0) {
        const auto left = pieces_[first_].size() - first_offset_;
        if (bytes < left) {
            first_offset_ += bytes;
            return;
        }
        bytes -= left;
        let_go(pieces_[first_++]);
        first_offset_ = 0;
    }
    if (bytes_ > 0) return;
    // The buffer of the first head is kept for the next one, until the connection is idle.
    if (pieces_.size() > 1) pieces_.resize(1);
    first_ = 0;
    first_offset_ = 0;
}

// What is shared is let go as soon as it is sent.
void Output::let_go(Piece& piece) {
    piece.shared = {};
    piece.own.clear();
    if (piece.own.capacity() > 4 * copy_bytes_max) piece.own = {};
}

void Output::release() {
    SPAKTOK_ASSERT(bytes_ == 0);
    pieces_ = {};
    first_ = 0;
    first_offset_ = 0;
}

}  // namespace spaktok::http
