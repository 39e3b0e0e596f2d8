#include "engines/realtime/mailbox.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

namespace spaktok::realtime {

namespace {
// A burst's memory is given back.
constexpr std::size_t capacity_kept_max = 4'096;
}  // namespace

void Listeners::join(std::shared_ptr<Listener> listener) {
    if (listener->ended) return;  // unsubscribed before it came this far
    listener->place = listeners_.size();
    listeners_.push_back(std::move(listener));
}

void Listeners::leave(const std::shared_ptr<Listener>& listener) {
    listener->ended = true;
    const std::size_t place = std::exchange(listener->place, Listener::none);
    if (place == Listener::none) return;
    if (delivering_) {
        left_.push_back(std::move(listeners_[place]));
        return;
    }
    if (place + 1 != listeners_.size()) {
        listeners_[place] = std::move(listeners_.back());
        listeners_[place]->place = place;
    }
    listeners_.pop_back();
}

void Listeners::deliver(std::span<const Delivery> run) {
    delivering_ = true;
    // Nobody joins meanwhile: joining comes through the mailbox.
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
        for (const Delivery& delivery : run) {
            const Listener* listener = listeners_[i].get();
            if (listener == nullptr) break;
            listener->on_message(delivery.message);
        }
    }
    delivering_ = false;
    // Destroyed last: what a callback captured may end further subscriptions.
    const auto left = std::exchange(left_, {});
    if (!left.empty()) close_gaps();
}

void Listeners::close_gaps() {
    std::erase(listeners_, nullptr);
    for (std::size_t i = 0; i < listeners_.size(); ++i)
        listeners_[i]->place = i;
}

bool Mailbox::push(Delivery delivery) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(delivery));
    waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
    return !std::exchange(scheduled_, true);
}

void Mailbox::schedule() {
    boost::asio::post(executor_, [self = shared_from_this()] { self->drain(); });
}

void Mailbox::drain() noexcept {
    {
        const std::scoped_lock lock(mutex_);
        batch_.swap(waiting_);
        waiting_count_.store(0, std::memory_order_relaxed);
    }
    for (auto next = batch_.begin(); next != batch_.end();) {
        if (next->joining) {
            next->listeners->join(std::move(next->joining));
            ++next;
            continue;
        }
        const auto end = std::find_if(next, batch_.end(), [&](const Delivery& each) {
            return each.joining != nullptr || each.listeners != next->listeners;
        });
        next->listeners->deliver({next, end});
        next = end;
    }
    batch_.clear();
    if (batch_.capacity() > capacity_kept_max) batch_.shrink_to_fit();
    {
        const std::scoped_lock lock(mutex_);
        if (waiting_.empty()) {
            scheduled_ = false;
            return;
        }
    }
    schedule();  // in another turn, so that sockets are served in between
}

std::shared_ptr<Mailbox> Mailboxes::of(const boost::asio::any_io_executor& executor) {
    const std::scoped_lock lock(mutex_);
    auto& same_context = by_context_[&executor.context()];
    std::erase_if(same_context, [](const auto& each) { return each.expired(); });
    for (const auto& each : same_context) {
        auto mailbox = each.lock();
        if (mailbox && mailbox->executor() == executor) return mailbox;
    }
    auto mailbox = std::make_shared<Mailbox>(executor);
    same_context.push_back(mailbox);
    return mailbox;
}

}  // namespace spaktok::realtime
