#include "base/task_group.h"

#include <list>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.h"
#include "base/log.h"

namespace spaktok {

namespace asio = boost::asio;

struct TaskGroup::State {
    State(asio::any_io_executor group_executor, std::string group_name)
        : executor(std::move(group_executor)), name(std::move(group_name)), empty(executor) {}

    asio::any_io_executor executor;
    std::string name;
    std::list<asio::cancellation_signal> signals;  // one a running task
    asio::steady_timer empty;                      // cancelled when the last task has ended
    bool stopping = false;

    void cancel_all() {
        stopping = true;
        // A task may end, and so leave the list, while its signal is emitted.
        for (auto it = signals.begin(); it != signals.end();)
            (it++)->emit(asio::cancellation_type::terminal);
    }

    void log_failure(const std::exception_ptr& failure) const {
        try {
            std::rethrow_exception(failure);
        } catch (const Error& error) {
            log::error("background task failed",
                       {{"task", name}, {"error", error.message()}, {"detail", error.detail()}});
        } catch (const boost::system::system_error& error) {
            if (error.code() != asio::error::operation_aborted) {
                log::error("background task failed", {{"task", name}, {"error", error.what()}});
            }
        } catch (const std::exception& error) {
            log::error("background task failed", {{"task", name}, {"error", error.what()}});
        }
    }
};

TaskGroup::TaskGroup(asio::any_io_executor executor, std::string name)
    : state_(std::make_shared<State>(std::move(executor), std::move(name))) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(asio::awaitable<void> task) {
    if (state_->stopping) return;
    const auto signal = state_->signals.emplace(state_->signals.end());
    asio::co_spawn(
        state_->executor, std::move(task),
        asio::bind_cancellation_slot(signal->slot(), [state = state_, signal](std::exception_ptr failure) {
            state->signals.erase(signal);
            if (failure) state->log_failure(failure);
            if (state->signals.empty()) state->empty.cancel();
        }));
}

void TaskGroup::request_stop() {
    asio::post(state_->executor, [state = state_] { state->cancel_all(); });
}

asio::awaitable<void> TaskGroup::stop() {
    const auto state = state_;
    state->cancel_all();
    while (!state->signals.empty()) {
        state->empty.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code ignored;
        co_await state->empty.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

std::size_t TaskGroup::running() const {
    return state_->signals.size();
}
const asio::any_io_executor& TaskGroup::executor() const {
    return state_->executor;
}

}  // namespace spaktok
