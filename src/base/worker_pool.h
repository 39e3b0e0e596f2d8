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

#include <boost/asio/awaitable.hpp>

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
        auto work = std::make_shared<Work<Job, Result>>(std::move(job));
        co_await submit([work] { work->run(); }, work->error);
        if (work->error) std::rethrow_exception(std::exchange(work->error, nullptr));
        if constexpr (!std::is_void_v<Result>) co_return std::move(*work->result);
    }

    // False when the queue is full. Nobody waits for the task, and it must not throw.
    bool try_post(std::function<void()> task);

    std::size_t queued() const;

  private:
    // Shared by the caller and the pool's thread, whichever lets go of it last.
    template <class Job, class Result>
    struct Work {
        explicit Work(Job what) : job(std::move(what)) {}
        void run() {
            try {
                if constexpr (std::is_void_v<Result>) {
                    job();
                } else {
                    result.emplace(job());
                }
            } catch (...) {
                error = std::current_exception();
            }
        }
        Job job;
        std::exception_ptr error;
        std::conditional_t<std::is_void_v<Result>, bool, std::optional<Result>> result{};
    };

    // Returns when `task` has run, or at once, with `refused` set, when the queue is full.
    boost::asio::awaitable<void> submit(std::function<void()> task, std::exception_ptr& refused);
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
