#include <latch>
#include <memory>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/io_threads.h"
#include "base/task_group.h"
#include "base/timer_wheel.h"
#include "base/worker_pool.h"

namespace spaktok {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

asio::awaitable<void> wait_for(milliseconds duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<int> answer_after(milliseconds duration, int answer) {
    co_await wait_for(duration);
    co_return answer;
}

asio::awaitable<void> fail() {
    throw Error(ErrorCode::conflict, "no");
    co_return;
}

// One that stays for ever: whoever posted the last resumption may still be inside that post when the work is
// done.
asio::io_context& new_context() {
    static auto& contexts = *new std::vector<std::unique_ptr<asio::io_context>>;
    return *contexts.emplace_back(std::make_unique<asio::io_context>(1));
}

template <class T>
T run(asio::awaitable<T> work) {
    asio::io_context& context = new_context();
    auto future = asio::co_spawn(context, std::move(work), asio::use_future);
    context.run();
    return future.get();
}

ErrorCode code_of(asio::awaitable<void> work) {
    try {
        run(std::move(work));
    } catch (const Error& error) {
        return error.code();
    }
    ADD_FAILURE() << "did not throw";
    return ErrorCode::internal;
}

TEST(Deadline, GivesTheResultOfWorkThatEndsInTime) {
    EXPECT_EQ(run(with_deadline(answer_after(milliseconds(1), 42), milliseconds(5000))), 42);
}

TEST(Deadline, ThrowsWhatTheWorkThrows) {
    EXPECT_EQ(code_of(with_deadline(fail(), milliseconds(5000))), ErrorCode::conflict);
}

TEST(Deadline, CancelsWorkThatTakesTooLong) {
    EXPECT_EQ(code_of(with_deadline(wait_for(std::chrono::hours(1)), milliseconds(1))),
              ErrorCode::deadline_exceeded);
}

TEST(Deadline, ForwardsTheCancellationOfItsCaller) {
    asio::io_context& context = new_context();
    TaskGroup group(context.get_executor(), "test");
    bool unwound = false;
    struct OnExit {
        bool& flag;
        ~OnExit() { flag = true; }
    };
    group.spawn([](bool& flag) -> asio::awaitable<void> {
        const OnExit on_exit{flag};
        co_await with_deadline(wait_for(std::chrono::hours(1)), std::chrono::hours(1));
    }(unwound));
    asio::co_spawn(
        context, [](TaskGroup& owner) -> asio::awaitable<void> { co_await owner.stop(); }(group),
        asio::detached);
    context.run();
    EXPECT_TRUE(unwound);
    EXPECT_EQ(group.running(), 0U);
}

TEST(TaskGroup, RefusesTasksOnceStopping) {
    asio::io_context& context = new_context();
    TaskGroup group(context.get_executor(), "test");
    asio::co_spawn(
        context, [](TaskGroup& owner) -> asio::awaitable<void> { co_await owner.stop(); }(group),
        asio::detached);
    context.run();
    group.spawn(wait_for(std::chrono::hours(1)));
    EXPECT_EQ(group.running(), 0U);
}

TEST(TaskGroup, OutlivesATaskThatFails) {
    asio::io_context& context = new_context();
    TaskGroup group(context.get_executor(), "test");
    group.spawn(fail());
    group.spawn(wait_for(milliseconds(1)));
    context.run();
    EXPECT_EQ(group.running(), 0U);
}

TEST(WorkerPoolConcurrent, ReturnsEachCallersOwnResult) {
    WorkerPool pool({.name = "test", .threads = 4, .queue_jobs_max = 1000});
    asio::io_context& context = new_context();
    std::vector<std::future<int>> results;
    for (int i = 0; i < 500; ++i) {
        results.push_back(asio::co_spawn(context, pool.run([i] { return i * i; }), asio::use_future));
    }
    context.run();
    for (int i = 0; i < 500; ++i)
        EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), i * i);
}

TEST(WorkerPoolConcurrent, RefusesAtItsLimitAndNotBefore) {
    std::latch release(1);
    std::latch started(1);
    WorkerPool pool({.name = "test", .threads = 1, .queue_jobs_max = 2});
    ASSERT_TRUE(pool.try_post([&] {
        started.count_down();
        release.wait();
    }));
    started.wait();  // the only thread is busy: what follows queues
    EXPECT_TRUE(pool.try_post([] {}));
    EXPECT_TRUE(pool.try_post([] {}));
    EXPECT_FALSE(pool.try_post([] {}));
    EXPECT_EQ(code_of([](WorkerPool& full) -> asio::awaitable<void> { co_await full.run([] {}); }(pool)),
              ErrorCode::unavailable);
    release.count_down();
}

TEST(WorkerPoolConcurrent, CarriesAnExceptionToItsCaller) {
    WorkerPool pool({.name = "test"});
    EXPECT_EQ(code_of([](WorkerPool& owner) -> asio::awaitable<void> {
                  co_await owner.run([] { throw Error(ErrorCode::not_found, "no"); });
              }(pool)),
              ErrorCode::not_found);
}

TEST(TimerWheel, CallsWhatIsDueAndNotWhatWasCleared) {
    asio::io_context& context = new_context();
    TimerWheel wheel(context);
    int called = 0;
    bool cleared_called = false;
    TimerWheel::Deadline due(wheel, [&] { ++called; });
    TimerWheel::Deadline cleared(wheel, [&] { cleared_called = true; });
    due.set(milliseconds(1));
    cleared.set(milliseconds(1));
    cleared.clear();
    context.run();  // ends when the wheel is empty
    EXPECT_EQ(called, 1);
    EXPECT_FALSE(cleared_called);
}

TEST(TimerWheel, AnEarlierTimeReplacesALaterOne) {
    asio::io_context& context = new_context();
    TimerWheel wheel(context);
    bool called = false;
    TimerWheel::Deadline deadline(wheel, [&] { called = true; });
    deadline.set(std::chrono::hours(1));
    deadline.set(milliseconds(1));
    context.run_for(std::chrono::seconds(5));
    EXPECT_TRUE(called);
}

TEST(TimerWheel, ADeadlineThatIsPushedFurtherWaits) {
    asio::io_context& context = new_context();
    TimerWheel wheel(context);
    const auto start = std::chrono::steady_clock::now();
    auto expired_at = start;
    TimerWheel::Deadline deadline(wheel, [&] { expired_at = std::chrono::steady_clock::now(); });
    deadline.set(milliseconds(1));
    deadline.set(milliseconds(400));
    context.run();
    EXPECT_GE(expired_at - start, milliseconds(400));
}

TEST(TimerWheel, ADeadlineMayDestroyItselfAndOthers) {
    asio::io_context& context = new_context();
    TimerWheel wheel(context);
    std::vector<std::unique_ptr<TimerWheel::Deadline>> deadlines;
    int called = 0;
    for (int i = 0; i < 10; ++i) {
        deadlines.push_back(std::make_unique<TimerWheel::Deadline>(wheel, [&] {
            ++called;
            deadlines.clear();
        }));
        deadlines.back()->set(milliseconds(1));
    }
    context.run();
    EXPECT_EQ(called, 1);
}

TEST(IoThreadsConcurrent, KnowWhichOfThemRuns) {
    IoThreads threads(3);
    threads.start();
    for (std::size_t i = 0; i < threads.size(); ++i) {
        auto index = asio::post(threads.context(i), asio::use_future([] { return IoThreads::current(); }));
        EXPECT_EQ(index.get(), i);
    }
    threads.stop();
}

}  // namespace
}  // namespace spaktok
