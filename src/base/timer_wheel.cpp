#include "base/timer_wheel.h"

#include <algorithm>

#include "base/assert.h"

namespace spaktok {

TimerWheel::TimerWheel(boost::asio::io_context& context)
    : timer_(context), wheel_(slots), started_(std::chrono::steady_clock::now()) {}

TimerWheel::~TimerWheel() = default;

TimerWheel::Deadline::Deadline(TimerWheel& wheel, std::function<void()> expired)
    : wheel_(wheel), expired_(std::move(expired)) {}

TimerWheel::Deadline::~Deadline() {
    clear();
}

void TimerWheel::Deadline::set(std::chrono::milliseconds from_now) {
    // An idle wheel stands still: bring it to the present before counting ticks from it.
    if (wheel_.placed_count_ == 0) {
        const auto elapsed = std::chrono::steady_clock::now() - wheel_.started_;
        wheel_.now_tick_ =
            std::max<std::uint64_t>(wheel_.now_tick_, static_cast<std::uint64_t>(elapsed / tick) + 1);
    }
    const auto ticks = std::max<std::int64_t>(1, (from_now + tick - std::chrono::milliseconds(1)) / tick + 1);
    due_tick_ = wheel_.now_tick_ + static_cast<std::uint64_t>(ticks);
    // A deadline that is only pushed further stays where it is; `advance` moves it when its slot comes up. So
    // renewing it at each read costs one assignment.
    if (placed_ && placed_tick_ <= due_tick_) return;
    if (placed_) wheel_.unplace(*this);
    wheel_.place(*this);
}

void TimerWheel::Deadline::clear() {
    due_tick_ = 0;
    if (placed_) wheel_.unplace(*this);
}

void TimerWheel::place(Deadline& deadline) {
    deadline.placed_tick_ = std::min(deadline.due_tick_, now_tick_ + slots - 1);
    auto& slot = wheel_[deadline.placed_tick_ % slots];
    deadline.place_ = slot.insert(slot.end(), &deadline);
    deadline.placed_ = true;
    ++placed_count_;
    schedule();
}

void TimerWheel::unplace(Deadline& deadline) {
    wheel_[deadline.placed_tick_ % slots].erase(deadline.place_);
    deadline.placed_ = false;
    --placed_count_;
}

void TimerWheel::schedule() {
    if (running_ || placed_count_ == 0) return;
    running_ = true;
    timer_.expires_after(tick);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        running_ = false;
        advance();
        schedule();
    });
}

void TimerWheel::advance() {
    const auto elapsed = std::chrono::steady_clock::now() - started_;
    const auto present = static_cast<std::uint64_t>(elapsed / tick) + 1;
    while (now_tick_ < present) {
        ++now_tick_;
        auto& slot = wheel_[now_tick_ % slots];
        // `expired` may set, clear or destroy any deadline: always begin again at the front. What is due
        // later goes to another slot, so the loop ends.
        while (!slot.empty()) {
            Deadline& deadline = *slot.front();
            unplace(deadline);
            if (deadline.due_tick_ > now_tick_) {
                place(deadline);
                continue;
            }
            deadline.due_tick_ = 0;
            const auto expired = deadline.expired_;  // the call may destroy its deadline
            expired();
        }
    }
}

void TimerWheel::stop() {
    timer_.cancel();
}

}  // namespace spaktok
