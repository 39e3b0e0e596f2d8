// Where values that do not agree with what they follow from are told.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>

namespace spaktok::checking {

struct Difference {
    std::string place;  // "posts.likes_count of 0199…"
    std::string stored;
    std::string expected;
    bool repaired = false;
};

class Findings {
  public:
    struct Options {
        bool repair = false;
        std::function<void(const Difference&)> tell;
    };
    explicit Findings(Options options) : options_(std::move(options)) {}

    void compared(std::size_t values) { compared_ += static_cast<std::int64_t>(values); }
    // Sets it right, where that is wanted, and tells.
    boost::asio::awaitable<void> differs(Difference difference,
                                         std::function<boost::asio::awaitable<void>()> repair) {
        if (options_.repair) {
            co_await repair();
            difference.repaired = true;
        }
        ++differences_;
        options_.tell(difference);
    }

    // What nobody but a person may set right.
    void differs(Difference difference) {
        ++differences_;
        ++unrepairable_;
        options_.tell(difference);
    }

    std::int64_t compared() const { return compared_; }
    std::int64_t differences() const { return differences_; }
    // Of the differences those that a repair left.
    std::int64_t unrepairable() const { return unrepairable_; }

  private:
    Options options_;
    std::int64_t compared_ = 0;
    std::int64_t differences_ = 0;
    std::int64_t unrepairable_ = 0;
};

}  // namespace spaktok::checking
