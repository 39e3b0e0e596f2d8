// How a coroutine waits for another thread's work and goes on at home.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace spaktok::engines {

// Lets the parked coroutine go on, on its own executor. Call it once, from any thread.
using Resume = std::function<void()>;

// Suspends the caller, hands `start` what resumes it, and returns once that was called. It cannot be
// cancelled: what the caller's frame holds stays valid until then. Whoever keeps the Resume must not outlive
// the caller's io_context.
template <class Start>
boost::asio::awaitable<void> park(Start start) {
    co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void()>(
        [](auto handler, Start begin) {
            auto executor = boost::asio::get_associated_executor(handler);
            auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
            // The guard keeps the caller's io_context running while only the other thread has something to
            // do. It goes along with the handler: once that has run, the io_context may be gone.
            begin(Resume{[waiting, guard = boost::asio::make_work_guard(executor)]() mutable {
                auto home = guard.get_executor();
                boost::asio::post(home, [waiting, guard = std::move(guard)]() mutable {
                    guard.reset();
                    std::move (*waiting)();
                });
            }});
        },
        boost::asio::use_awaitable, std::move(start));
}

}  // namespace spaktok::engines
