// What the engines' tests share: places for data, coroutines run to their end, threads, and processes killed
// in the middle.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"

namespace spaktok::engines::testing {

// A clock that stands still until told to advance, and takes with it what lives in a process of its own.
class LeadingClock final : public Clock {
  public:
    explicit LeadingClock(Timestamp start) : clock_(start) {}
    Timestamp now() const override { return clock_.now(); }
    std::chrono::steady_clock::time_point steady_now() const override { return clock_.steady_now(); }
    void advance(std::chrono::milliseconds by) {
        clock_.advance(by);
        if (follow_) follow_(now());
    }
    // Calls it now and after each advance.
    void lead(std::function<void(Timestamp)> follow) {
        follow_ = std::move(follow);
        follow_(now());
    }

  private:
    ManualClock clock_;
    std::function<void(Timestamp)> follow_;
};

// Where one test's data is; empty at first, removed when destroyed.
class Place {
  public:
    virtual ~Place() = default;
    virtual std::string url() const = 0;
    // What lives there goes by this clock from now on. Nothing to do where the adapter itself does.
    virtual void follow(LeadingClock&) {}
    // As a power cut does to what serves the place, if that is a process of its own; then it is back.
    virtual void crash() {}
};

// A folder of its own below the system's temporary one.
class FolderPlace final : public Place {
  public:
    // The URL is `scheme`, the folder, and `/name` (nothing where `name` is empty).
    FolderPlace(std::string scheme, std::string name);
    ~FolderPlace() override;
    FolderPlace(const FolderPlace&) = delete;
    FolderPlace& operator=(const FolderPlace&) = delete;
    std::string url() const override { return scheme_ + path().string(); }
    std::filesystem::path path() const;
    const std::filesystem::path& folder() const { return folder_; }

  private:
    std::string scheme_;
    std::string name_;
    std::filesystem::path folder_;
};

struct Adapter {
    std::string name;
    std::function<std::unique_ptr<Place>()> make_place;

    friend void PrintTo(const Adapter& adapter, std::ostream* out) { *out << adapter.name; }
};
inline const auto adapter_name = [](const ::testing::TestParamInfo<Adapter>& info) {
    return info.param.name;
};

// An io_context that goes back to a stock instead of ending: whoever posted the last resumption may still be
// inside that post when the work is done.
class BorrowedContext {
  public:
    BorrowedContext();
    ~BorrowedContext();
    BorrowedContext(const BorrowedContext&) = delete;
    BorrowedContext& operator=(const BorrowedContext&) = delete;
    boost::asio::io_context& operator*() { return *context_; }
    boost::asio::io_context* operator->() { return context_.get(); }

  private:
    std::unique_ptr<boost::asio::io_context> context_;
};

// Runs the work to its end on the calling thread; throws what it does.
void run(boost::asio::awaitable<void> work);

template <class T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> work, std::optional<T>& result) {
    result.emplace(co_await std::move(work));
}
// The same for work with a result. One coroutine a type, so that Asio's own machinery is compiled once.
template <class T>
T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    run(keep_result(std::move(work), result));
    return std::move(*result);
}

// The code of the error that the work throws; fails the test where it throws none.
template <class T>
std::optional<ErrorCode> error_of(boost::asio::awaitable<T> work) {
    try {
        run(std::move(work));
    } catch (const Error& error) {
        return error.code();
    }
    ADD_FAILURE() << "did not throw";
    return std::nullopt;
}

// False where the condition does not come true within ten seconds.
bool eventually(const std::function<bool()>& condition);

// A thread that runs an io_context, as an I/O thread of the program does.
class ContextThread {
  public:
    ContextThread();
    ~ContextThread();  // runs what was posted, then joins
    boost::asio::io_context& context() { return context_; }
    // Runs the work on the thread and waits for it; throws what it does.
    void run(boost::asio::awaitable<void> work);
    template <class T>
    T run(boost::asio::awaitable<T> work) {
        std::optional<T> result;
        run(keep_result(std::move(work), result));
        return std::move(*result);
    }
    // Returns when everything posted before has run.
    void settle();
    void call(std::function<void()> work);

  private:
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    std::thread thread_;
};

// Runs `body(thread)` on so many threads at once.
void in_parallel(int threads, const std::function<void(int)>& body);

// Forks a child that runs `work` for ever and reports numbers through the function it is given; kills it with
// SIGKILL as soon as `reports_min` have come, and returns all that came. Call it while the process has no
// other thread.
std::vector<std::int64_t> reported_before_kill(
    std::size_t reports_min, const std::function<void(const std::function<void(std::int64_t)>&)>& work);

}  // namespace spaktok::engines::testing
