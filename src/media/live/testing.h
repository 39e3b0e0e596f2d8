// For tests of what lives on I/O threads.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <stdexcept>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include "base/io_threads.h"

namespace spaktok::media::testing {

// Long enough for a loaded machine under a sanitizer: passing it is a failure, not a measurement.
constexpr std::chrono::seconds patience{60};

template <class T>
T get(std::future<T> future) {
    if (future.wait_for(patience) != std::future_status::ready)
        throw std::runtime_error("nothing came in time");
    return future.get();
}

// Running I/O threads.
class Threads {
  public:
    explicit Threads(std::size_t count) : threads_(count) { threads_.start(); }
    IoThreads& io() { return threads_; }
    boost::asio::io_context& context(std::size_t index = 0) { return threads_.context(index); }

    template <class T>
    T run(boost::asio::awaitable<T> work, std::size_t thread = 0) {
        return get(start(std::move(work), thread));
    }
    template <class T>
    std::future<T> start(boost::asio::awaitable<T> work, std::size_t thread = 0) {
        return boost::asio::co_spawn(threads_.context(thread), std::move(work), boost::asio::use_future);
    }
    // Runs a function there, and waits for it.
    template <class Function>
    auto on(std::size_t thread, Function function) {
        return get(boost::asio::post(threads_.context(thread),
                                     std::packaged_task<decltype(function())()>(std::move(function))));
    }

  private:
    IoThreads threads_;
};

// Looks until it is so. Nothing sleeps where it is so already.
inline bool eventually(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        if (condition()) return true;
        std::this_thread::yield();
    }
    return condition();
}

}  // namespace spaktok::media::testing
