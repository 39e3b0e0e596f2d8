// How a coroutine waits for another thread's work and goes on at home.
#pragma once

#include <functional>

#include <boost/asio/awaitable.hpp>

namespace spaktok {

// Lets the parked coroutine go on, on its own executor. Call it once, from any thread.
using Resume = std::function<void()>;

// Suspends the caller, hands `start` what resumes it, and returns once that was called. It cannot be
// cancelled: what the caller's frame holds stays valid until then. Whoever keeps the Resume must not outlive
// the caller's io_context.
boost::asio::awaitable<void> park(std::function<void(Resume)> start);

}  // namespace spaktok
