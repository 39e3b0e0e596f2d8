#include "media/hls/arrivals.h"

#include <functional>
#include <list>
#include <memory>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "base/error.h"
#include "base/timer_wheel.h"

namespace spaktok::media::hls {

namespace asio = boost::asio;
using Outcome = boost::system::error_code;

struct Arrivals::Waiter {
    std::uint64_t at_least = 0;
    Outcome* outcome = nullptr;  // in the frame of the coroutine that waits
    std::function<void()> resume;
    asio::cancellation_slot slot;
    std::unique_ptr<TimerWheel::Deadline> deadline;

    void stop_listening() {
        deadline.reset();
        if (slot.is_connected()) slot.clear();
    }
};

// `waiters` belongs to its I/O thread alone; `count` tells the others whether a post is worth it.
struct Arrivals::Thread {
    std::list<Waiter> waiters;
    std::atomic<std::size_t> count{0};
};

Arrivals::Arrivals(IoThreads& threads, std::size_t waiters_max)
    : threads_(threads), waiters_max_(waiters_max), per_thread_(std::make_unique<Thread[]>(threads.size())) {}

Arrivals::~Arrivals() = default;

void Arrivals::advance(std::uint64_t to) {
    auto before = arrived_.load();
    while (before < to && !arrived_.compare_exchange_weak(before, to)) {
    }
    // A waiter counts itself before it looks at `arrived_`, and we look at the count after having raised it:
    // one of the two sees the other.
    for (std::size_t i = 0; i < threads_.size(); ++i) {
        if (per_thread_[i].count.load() == 0) continue;
        asio::post(threads_.context(i), [self = shared_from_this(), i] { self->wake(i); });
    }
}

void Arrivals::wake(std::size_t thread) {
    auto& waiters = per_thread_[thread].waiters;
    const auto arrived = arrived_.load();
    std::list<Waiter> ready;
    for (auto it = waiters.begin(); it != waiters.end();) {
        const auto next = std::next(it);
        if (it->at_least <= arrived) {
            it->stop_listening();
            ready.splice(ready.end(), waiters, it);
        }
        it = next;
    }
    // Whoever is resumed may wait again at once, in the other list.
    for (auto& waiter : ready)
        waiter.resume();  // we are on its thread
}

asio::awaitable<bool> Arrivals::wait(std::uint64_t at_least, std::chrono::milliseconds deadline) {
    if (arrived_.load() >= at_least) co_return true;
    const auto self = shared_from_this();
    const std::size_t thread = IoThreads::current();
    struct Place {
        std::atomic<std::size_t>& all;
        std::atomic<std::size_t>& here;
        const std::size_t before = all.fetch_add(1);
        const std::size_t before_here = here.fetch_add(1);
        ~Place() {
            --all;
            --here;
        }
    };
    const Place place{waiting_, per_thread_[thread].count};
    if (place.before >= waiters_max_) {
        throw Error(ErrorCode::unavailable, "Too many players wait for this stream.",
                    {.reason = "busy", .retry_after = std::chrono::seconds(1)});
    }
    if (arrived_.load() >= at_least) co_return true;
    Outcome outcome;
    co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(
        [&](auto handler) {
            auto& waiters = per_thread_[thread].waiters;
            const auto it = waiters.emplace(waiters.end());
            it->at_least = at_least;
            it->outcome = &outcome;
            it->slot = asio::get_associated_cancellation_slot(handler);
            auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
            it->resume = [waiting] { std::move (*waiting)(); };
            const auto leave = [&waiters, it, this, thread](Outcome why) {
                *it->outcome = why;
                asio::post(threads_.context(thread), std::move(it->resume));
                waiters.erase(it);
            };
            it->deadline = std::make_unique<TimerWheel::Deadline>(
                threads_.wheel(thread), [leave, slot = it->slot]() mutable {
                    if (slot.is_connected()) slot.clear();  // it would reach a waiter that is gone
                    leave(asio::error::timed_out);
                });
            it->deadline->set(deadline);
            if (it->slot.is_connected()) {
                it->slot.assign([leave](asio::cancellation_type) { leave(asio::error::operation_aborted); });
            }
        },
        asio::use_awaitable);
    if (outcome == asio::error::operation_aborted) throw boost::system::system_error(outcome);
    co_return !outcome;
}

}  // namespace spaktok::media::hls
