#include "base/worker_pool.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/park.h"

namespace spaktok {

WorkerPool::WorkerPool(Options options) : options_(std::move(options)) {
    SPAKTOK_ASSERT(options_.threads > 0);
    threads_.reserve(options_.threads);
    for (std::size_t i = 0; i < options_.threads; ++i) {
        threads_.emplace_back([this] {
            // Linux cuts a thread's name at 15 characters by refusing longer ones.
            pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
            work();
        });
    }
}

WorkerPool::~WorkerPool() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    ready_.notify_all();
    for (auto& thread : threads_)
        thread.join();
}

bool WorkerPool::try_post(std::function<void()> task) {
    {
        const std::scoped_lock lock(mutex_);
        if (queue_.size() >= options_.queue_jobs_max) return false;
        queue_.push_back(std::move(task));
    }
    ready_.notify_one();
    return true;
}

boost::asio::awaitable<void> WorkerPool::submit(std::function<void()> task, std::exception_ptr& refused) {
    co_await park([&](Resume resume) {
        const bool queued = try_post([task = std::move(task), resume] {
            task();
            resume();
        });
        if (queued) return;
        refused = std::make_exception_ptr(queue_full());
        resume();
    });
}

std::size_t WorkerPool::queued() const {
    const std::scoped_lock lock(mutex_);
    return queue_.size();
}

Error WorkerPool::queue_full() const {
    return Error(
        ErrorCode::unavailable, "The server is busy. Try again in a moment.",
        {.reason = "busy", .detail = options_.name + ": queue full", .retry_after = std::chrono::seconds(1)});
}

void WorkerPool::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        {
            auto task = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            task();
        }  // what the task captured is destroyed outside the lock
        lock.lock();
    }
}

}  // namespace spaktok
