#include "http/output.h"

#include <algorithm>

#include "base/assert.h"

namespace spaktok::http {

std::string_view Output::Piece::rest() const {
    return shared ? std::string_view(*shared).substr(offset, length) : std::string_view(own);
}

std::string& Output::text() {
    if (pieces_.size() == first_ || pieces_.back().shared || pieces_.back().own.size() > 2 * copy_bytes_max) {
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
    pieces_.push_back({std::move(body), nullptr, 0, 0});
}

void Output::add(const BodyPart& part) {
    SPAKTOK_ASSERT(part.bytes && part.offset <= part.bytes->size() &&
                   part.length <= part.bytes->size() - part.offset);
    if (part.length == 0) return;
    bytes_ += part.length;
    pieces_.push_back({{}, part.bytes, part.offset, part.length});
}

std::size_t Output::gather(std::span<iovec> buffers) const {
    std::size_t count = 0;
    for (std::size_t i = first_; i < pieces_.size() && count < buffers.size(); ++i) {
        auto rest = pieces_[i].rest();
        if (i == first_) rest.remove_prefix(first_offset_);
        if (rest.empty()) continue;
        buffers[count++] = {const_cast<char*>(rest.data()), rest.size()};
    }
    return count;
}

void Output::consume(std::size_t bytes) {
    SPAKTOK_ASSERT(bytes <= bytes_);
    bytes_ -= bytes;
    if (bytes_ == 0) {
        // The one buffer of a connection that answers small things is kept for its next answer, until it is
        // idle.
        if (pieces_.size() == 1 && !pieces_[0].shared && pieces_[0].own.capacity() <= 4 * copy_bytes_max) {
            pieces_[0].own.clear();
        } else {
            pieces_.clear();
        }
        first_ = 0;
        first_offset_ = 0;
        return;
    }
    while (bytes > 0) {
        const auto left = pieces_[first_].rest().size() - first_offset_;
        if (bytes < left) {
            first_offset_ += bytes;
            return;
        }
        bytes -= left;
        pieces_[first_++] = {};  // what is shared is let go as soon as it is sent
        first_offset_ = 0;
    }
}

void Output::release() {
    SPAKTOK_ASSERT(bytes_ == 0);
    pieces_ = {};
    first_ = 0;
    first_offset_ = 0;
}

}  // namespace spaktok::http
