// Owner of background coroutines on one executor: it stops them and waits for them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace spaktok {

// Lives on the thread of its executor (a single-threaded io_context); only `request_stop` may be called from
// elsewhere. A task that throws anything but a cancellation is logged under `name` and ends; the group goes
// on.
class TaskGroup {
  public:
    TaskGroup(boost::asio::any_io_executor executor, std::string name);
    // Every task must have ended (`co_await stop()`), or never have been resumed (its io_context is gone).
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    // Starts the task; refused (dropped without running) once stopping.
    void spawn(boost::asio::awaitable<void> task);
    // Cancels every task (terminal cancellation) without waiting. From any thread.
    void request_stop();
    // Cancels every task and returns when the last one has ended.
    boost::asio::awaitable<void> stop();
    std::size_t running() const;
    const boost::asio::any_io_executor& executor() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok
