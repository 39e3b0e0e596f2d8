#include "base/deadline.h"

#include <exception>
#include <memory>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.h"

namespace spaktok {

namespace asio = boost::asio;

namespace {

struct Race {
    explicit Race(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;  // cancelled by whoever ends first
    asio::cancellation_signal cancel_work;
    std::exception_ptr failure;
    bool ended = false;
};

}  // namespace

asio::awaitable<void> with_deadline(asio::awaitable<void> work, std::chrono::milliseconds limit) {
    const auto executor = co_await asio::this_coro::executor;
    auto race = std::make_shared<Race>(executor);
    // The caller's cancellation arrives at the timer below; here it must not throw before the work has
    // unwound.
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    asio::co_spawn(executor, std::move(work),
                   asio::bind_cancellation_slot(race->cancel_work.slot(), [race](std::exception_ptr failure) {
                       race->failure = failure;
                       race->ended = true;
                       race->timer.cancel();
                   }));
    bool expired = false;
    if (!race->ended) {
        race->timer.expires_after(limit);
        boost::system::error_code error;
        co_await race->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        expired = !error;
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != asio::cancellation_type::none;
    if (!race->ended) {
        race->cancel_work.emit(asio::cancellation_type::terminal);
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        while (!race->ended) {
            race->timer.expires_at(asio::steady_timer::time_point::max());
            boost::system::error_code ignored;
            co_await race->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
        if (expired && !cancelled)
            throw Error(ErrorCode::deadline_exceeded, "This took too long. Try again.");
    }
    if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
    if (race->failure) std::rethrow_exception(race->failure);
}

}  // namespace spaktok
