#include "http/connection_count.h"

namespace spaktok::http {

ConnectionCount::ConnectionCount()
    : gauge_(metrics::gauge("spaktok_http_connections", "Open HTTP connections.")),
      refused_(metrics::counter("spaktok_http_connections_refused_total",
                                "HTTP connections answered 503 because there were too many.")) {}

bool ConnectionCount::enter(std::size_t connections_max) {
    const std::lock_guard lock(mutex_);
    if (count_ >= connections_max) {
        refused_.add();
        return false;
    }
    ++count_;
    gauge_.add(1);
    return true;
}

void ConnectionCount::leave() {
    const std::lock_guard lock(mutex_);
    gauge_.add(-1);
    if (--count_ == 0) none_.notify_all();
}

bool ConnectionCount::wait_until_none(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return none_.wait_for(lock, limit, [this] { return count_ == 0; });
}

}  // namespace spaktok::http
