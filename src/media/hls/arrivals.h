// Requests that wait for a part which is not there yet (blocking playlist reload), and their waking.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include <boost/asio/awaitable.hpp>

#include "base/io_threads.h"

namespace spaktok::media::hls {

// Counts what has arrived, and lets coroutines wait until it has reached a number. Waking costs one post an
// I/O thread that has somebody waiting, however many they are: each thread keeps its own list, without a
// lock, and resumes them one after the other. Shared by a window and its readers.
class Arrivals : public std::enable_shared_from_this<Arrivals> {
  public:
    // `threads` outlives it.
    Arrivals(IoThreads& threads, std::size_t waiters_max);
    ~Arrivals();
    Arrivals(const Arrivals&) = delete;
    Arrivals& operator=(const Arrivals&) = delete;

    static constexpr std::uint64_t everything = UINT64_MAX;

    // From any thread; what is lower than before is ignored.
    void advance(std::uint64_t to);
    std::uint64_t now() const { return arrived_.load(); }
    // On an I/O thread. True once `at_least` has arrived, false at the deadline. Throws Error{unavailable}
    // where `waiters_max` wait already. Cancelling takes the waiter out and throws operation_aborted.
    boost::asio::awaitable<bool> wait(std::uint64_t at_least, std::chrono::milliseconds deadline);
    std::size_t waiting() const { return waiting_.load(); }

  private:
    struct Waiter;
    struct Thread;
    void wake(std::size_t thread);

    IoThreads& threads_;
    const std::size_t waiters_max_;
    std::atomic<std::uint64_t> arrived_{0};
    std::atomic<std::size_t> waiting_{0};
    std::unique_ptr<Thread[]> per_thread_;
};

}  // namespace spaktok::media::hls
