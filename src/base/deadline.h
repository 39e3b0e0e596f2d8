// A time limit for any awaitable.
#pragma once

#include <chrono>
#include <optional>

#include <boost/asio/awaitable.hpp>

namespace spaktok {

// Throws Error{deadline_exceeded} after `limit`, having cancelled `work` (terminal) and waited for it to
// unwind. Rethrows what `work` throws. The caller's cancellation is forwarded to it. For a single-threaded
// executor.
boost::asio::awaitable<void> with_deadline(boost::asio::awaitable<void> work,
                                           std::chrono::milliseconds limit);

template <class T>
boost::asio::awaitable<void> store_result(boost::asio::awaitable<T> work, std::optional<T>& result) {
    result.emplace(co_await std::move(work));
}
template <class T>
boost::asio::awaitable<T> with_deadline(boost::asio::awaitable<T> work, std::chrono::milliseconds limit) {
    std::optional<T> result;
    co_await with_deadline(store_result(std::move(work), result), limit);
    co_return std::move(*result);
}

}  // namespace spaktok
