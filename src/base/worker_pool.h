// Threads for work that blocks or computes (password hashes, SQLite scans, files), with a bounded queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.h"

namespace spaktok {

class WorkerPool {
  public:
    struct Options {
        std::string name;  // of the threads, and in the error when the queue is full
        std::size_t threads = 1;
        std::size_t queue_jobs_max = 1024;
    };
    explicit WorkerPool(Options options);
    ~WorkerPool();  // runs what is queued, then joins
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    // Runs `job` on a pool thread and resumes the caller on its own executor with the result or the
    // exception. Throws Error{unavailable} at once when the queue is full. A job cannot be cancelled: it runs
    // to its end.
    template <class Job>
    boost::asio::awaitable<std::invoke_result_t<Job>> run(Job job) {
        using Result = std::invoke_result_t<Job>;
        using Slot = std::conditional_t<std::is_void_v<Result>, bool, std::optional<Result>>;
        auto outcome = std::make_shared<std::pair<std::exception_ptr, Slot>>();
        co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void()>(
            [this, outcome](auto handler, Job work) {
                auto executor = boost::asio::get_associated_executor(handler);
                auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
                // The guard keeps the caller's io_context running while only the pool has something to do. It
                // goes along with the handler: once that has run, the io_context may be gone.
                auto resume = [waiting, guard = boost::asio::make_work_guard(executor)]() mutable {
                    auto home = guard.get_executor();
                    boost::asio::post(home, [waiting, guard = std::move(guard)]() mutable {
                        guard.reset();
                        std::move (*waiting)();
                    });
                };
                auto shared_work = std::make_shared<Job>(std::move(work));
                const bool queued = try_post([shared_work, outcome, resume]() mutable {
                    try {
                        if constexpr (std::is_void_v<Result>) {
                            (*shared_work)();
                        } else {
                            outcome->second.emplace((*shared_work)());
                        }
                    } catch (...) {
                        outcome->first = std::current_exception();
                    }
                    resume();
                });
                if (!queued) {
                    outcome->first = std::make_exception_ptr(queue_full());
                    resume();
                }
            },
            boost::asio::use_awaitable, std::move(job));
        if (outcome->first) std::rethrow_exception(outcome->first);
        if constexpr (!std::is_void_v<Result>) co_return std::move(*outcome->second);
    }

    // False when the queue is full. Nobody waits for the task, and it must not throw.
    bool try_post(std::function<void()> task);

    std::size_t queued() const;

  private:
    Error queue_full() const;
    void work();

    Options options_;
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::function<void()>> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace spaktok
