// How many subscribers each topic has on this node, over all I/O threads, and who is told when that changes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace spaktok::gateway {

// Thread-safe; touched when a subscription begins or ends, never for a message.
class TopicCounts : public std::enable_shared_from_this<TopicCounts> {
  public:
    // Called on `context`'s thread. A change is reported at once where the last report is a period ago, else
    // when it is; so a topic is reported at most once a period, and the last change always is.
    using Report = std::function<void(const std::string& topic, std::int64_t count)>;
    static constexpr std::chrono::seconds period{1};

    TopicCounts(boost::asio::io_context& context, Report report);

    void change(std::string_view topic, std::int64_t by);
    std::int64_t count(std::string_view topic) const;
    // No reports any more.
    void stop();

  private:
    struct Entry {
        std::int64_t count = 0;
        std::int64_t reported = 0;
        bool changed = false;  // in changed_
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };

    void arm();
    void report_changes();

    boost::asio::io_context& context_;
    Report report_;
    boost::asio::steady_timer timer_;  // on the context's thread, as is the next
    std::chrono::steady_clock::time_point last_report_{};

    mutable std::mutex mutex_;
    std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
    std::vector<std::string> changed_;
    bool armed_ = false;
    bool stopped_ = false;
};

}  // namespace spaktok::gateway
