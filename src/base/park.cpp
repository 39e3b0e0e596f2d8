#include "base/park.h"

#include <memory>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace spaktok {

boost::asio::awaitable<void> park(std::function<void(Resume)> start) {
    co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void()>(
        [](auto handler, std::function<void(Resume)> begin) {
            auto executor = boost::asio::get_associated_executor(handler);
            auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
            // The guard keeps the caller's io_context running while only the other thread has something to
            // do. It goes along with the handler: once that has run, the io_context may be gone.
            begin([waiting, guard = boost::asio::make_work_guard(executor)]() mutable {
                auto home = guard.get_executor();
                boost::asio::post(home, [waiting, guard = std::move(guard)]() mutable {
                    guard.reset();
                    std::move (*waiting)();
                });
            });
        },
        boost::asio::use_awaitable, std::move(start));
}

}  // namespace spaktok
