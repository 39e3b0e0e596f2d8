#include "base/io_threads.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <pthread.h>

#include "base/assert.h"
#include "base/timer_wheel.h"

namespace spaktok {

namespace {
constexpr std::size_t none = static_cast<std::size_t>(-1);
thread_local std::size_t current_index = none;
}  // namespace

struct IoThreads::Thread {
    boost::asio::io_context context{1};  // 1: run by one thread, so Asio may skip some locking
    TimerWheel wheel{context};
    std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> guard;
    std::thread thread;
};

struct IoThreads::State {
    std::vector<std::unique_ptr<Thread>> threads;
    std::atomic<std::size_t> turn{0};
};

IoThreads::IoThreads(std::size_t threads) : state_(std::make_unique<State>()) {
    SPAKTOK_ASSERT(threads > 0);
    for (std::size_t i = 0; i < threads; ++i)
        state_->threads.push_back(std::make_unique<Thread>());
}

IoThreads::~IoThreads() {
    stop();
}

void IoThreads::start() {
    for (std::size_t i = 0; i < state_->threads.size(); ++i) {
        auto& thread = *state_->threads[i];
        thread.guard.emplace(thread.context.get_executor());
        thread.thread = std::thread([&thread, i] {
            pthread_setname_np(pthread_self(), ("io-" + std::to_string(i)).c_str());
            current_index = i;
            thread.context.run();
        });
    }
}

void IoThreads::stop() {
    for (auto& thread : state_->threads) {
        thread->guard.reset();
        thread->context.stop();
    }
    for (auto& thread : state_->threads) {
        if (thread->thread.joinable()) thread->thread.join();
    }
}

std::size_t IoThreads::size() const {
    return state_->threads.size();
}
boost::asio::io_context& IoThreads::context(std::size_t index) {
    return state_->threads[index]->context;
}
std::size_t IoThreads::next() {
    return state_->turn.fetch_add(1, std::memory_order_relaxed) % size();
}
TimerWheel& IoThreads::wheel(std::size_t index) {
    return state_->threads[index]->wheel;
}

std::size_t IoThreads::current() {
    SPAKTOK_ASSERT(current_index != none);
    return current_index;
}

}  // namespace spaktok
