#include "gateway/topic_counts.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/assert.h"

namespace spaktok::gateway {

TopicCounts::TopicCounts(boost::asio::io_context& context, Report report)
    : context_(context), report_(std::move(report)), timer_(context) {}

void TopicCounts::change(std::string_view topic, std::int64_t by) {
    bool arm_now = false;
    {
        const std::lock_guard lock(mutex_);
        auto found = entries_.find(topic);
        if (found == entries_.end()) found = entries_.emplace(topic, Entry{}).first;
        Entry& entry = found->second;
        entry.count += by;
        SPAKTOK_ASSERT(entry.count >= 0);
        if (!entry.changed) {
            entry.changed = true;
            changed_.push_back(found->first);
        }
        arm_now = !armed_ && !stopped_;
        if (arm_now) armed_ = true;
    }
    if (arm_now) boost::asio::post(context_, [self = shared_from_this()] { self->arm(); });
}

std::int64_t TopicCounts::count(std::string_view topic) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(topic);
    return found == entries_.end() ? 0 : found->second.count;
}

void TopicCounts::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
}

void TopicCounts::arm() {
    timer_.expires_at(last_report_ + period);  // in the past: at once
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error) self->report_changes();
    });
}

void TopicCounts::report_changes() {
    std::vector<std::pair<std::string, std::int64_t>> reports;
    {
        const std::lock_guard lock(mutex_);
        armed_ = false;
        if (stopped_) return;
        for (auto& topic : std::exchange(changed_, {})) {
            const auto found = entries_.find(topic);
            Entry& entry = found->second;
            entry.changed = false;
            if (entry.count != entry.reported) reports.emplace_back(topic, entry.count);
            entry.reported = entry.count;
            if (entry.count == 0) entries_.erase(found);
        }
    }
    last_report_ = std::chrono::steady_clock::now();
    for (const auto& [topic, count] : reports)
        report_(topic, count);
}

}  // namespace spaktok::gateway
