#include "http/input.h"

#include <cerrno>

#include <sys/socket.h>

namespace spaktok::http {

Input::Received Input::receive(int socket) {
    if (drained_) return Received::nothing;
    keep();
    ssize_t count = 0;
    do {
        count = ::recv(socket, scratch_.data(), scratch_.size(), MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    if (count == 0) return Received::closed;
    if (count < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK) return Received::broken;
        drained_ = true;
        return Received::nothing;
    }
    const std::string_view bytes(scratch_.data(), static_cast<std::size_t>(count));
    drained_ = bytes.size() < scratch_.size();
    if (kept_.size() > kept_begin_) {
        kept_.erase(0, kept_begin_);
        kept_begin_ = 0;
        kept_.append(bytes);
    } else {
        fresh_ = bytes;
    }
    return Received::data;
}

void Input::use(std::size_t bytes) {
    if (!fresh_.empty()) {
        fresh_.remove_prefix(bytes);
        return;
    }
    kept_begin_ += bytes;
    if (kept_begin_ == kept_.size()) {
        kept_.clear();
        kept_begin_ = 0;
    }
}

void Input::keep() {
    if (fresh_.empty()) return;
    kept_.assign(fresh_);
    kept_begin_ = 0;
    fresh_ = {};
}

void Input::release() {
    fresh_ = {};
    kept_ = {};
    kept_begin_ = 0;
}

}  // namespace spaktok::http
