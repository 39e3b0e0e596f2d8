#include "engines/relational/postgres/sessions.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "engines/relational/postgres/failure.h"

namespace spaktok::relational::postgres {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds pause_first{100};
constexpr milliseconds pause_max{2'000};

Error busy() {
    return Error(
        ErrorCode::unavailable, "The server is busy. Try again in a moment.",
        {.reason = "busy", .detail = "no session for a transaction", .retry_after = std::chrono::seconds(1)});
}

}  // namespace

// ---- One place

asio::awaitable<std::shared_ptr<Session>> Place::session() {
    while (opening_) {
        const auto opening = opening_;
        const Counted waiting(options_.metrics.waiting);
        co_await opening->wait();
        if (failure_) throw Error(*failure_);
    }
    if (!is_open()) co_await open();
    co_return session_;
}

asio::awaitable<void> Place::open() {
    if (failure_ && steady_clock::now() < next_attempt_) throw Error(*failure_);
    const auto opening = std::make_shared<Event>(context_);
    opening_ = opening;
    failure_.reset();
    const Counted waiting(options_.metrics.waiting);
    try {
        session_ = co_await Session::connect(context_, options_);
        options_.metrics.opened.add();
        pause_ = {};
    } catch (const Error& error) {
        failure_ = error;
        pause_ = std::clamp(2 * pause_, pause_first, pause_max);
        next_attempt_ = steady_clock::now() + pause_;
        options_.metrics.refused.add();
        log::warning("no connection to PostgreSQL", {{"detail", error.detail()}});
    }
    opening_.reset();
    opening->set();
    if (failure_) throw Error(*failure_);
}

void Place::close() {
    if (session_) session_->close();
}

// ---- Shared

SharedSessions::SharedSessions(asio::io_context& context, SessionOptions options, std::size_t count)
    : metrics_(options.metrics) {
    for (std::size_t i = 0; i < count; ++i)
        places_.push_back(std::make_unique<Place>(context, options));
}

asio::awaitable<std::shared_ptr<Session>> SharedSessions::least_busy() {
    // Open and idle first, then one that is not open yet, then the least busy one.
    const auto cost = [](const std::unique_ptr<Place>& place) {
        return place->is_open() ? 2 * place->under_way() : 1;
    };
    return (*std::ranges::min_element(places_, {}, cost))->session();
}

void SharedSessions::close() {
    for (const auto& place : places_)
        place->close();
}

// ---- Lent

TransactionSessions::TransactionSessions(asio::io_context& context, SessionOptions session_options,
                                         Options options)
    : context_(context), options_(options), metrics_(session_options.metrics) {
    for (std::size_t i = 0; i < options_.count; ++i) {
        places_.push_back(std::make_unique<Place>(context, session_options));
        free_.push_back(places_.back().get());
    }
}

asio::awaitable<TransactionSessions::Lease> TransactionSessions::borrow() {
    Place* place = co_await wait_for_turn();
    std::exception_ptr failure;
    try {
        co_return Lease(*this, *place, co_await place->session());
    } catch (...) {
        failure = std::current_exception();
    }
    give_back(*place);
    std::rethrow_exception(failure);
}

asio::awaitable<Place*> TransactionSessions::wait_for_turn() {
    if (!free_.empty()) {
        Place* place = free_.back();  // the one used last: the others stay closed while there is no need
        free_.pop_back();
        co_return place;
    }
    if (waiting_.size() >= options_.waiting_max) throw busy();
    const auto waiter = std::make_shared<Waiter>(context_);
    waiting_.push_back(waiter);
    const Counted waiting(metrics_.waiting);
    asio::steady_timer deadline(context_, options_.wait_max);
    deadline.async_wait([waiter](const boost::system::error_code& cancelled) {
        if (!cancelled) waiter->turn.set();
    });
    co_await waiter->turn.wait();
    if (waiter->place != nullptr) co_return waiter->place;
    std::erase(waiting_, waiter);
    throw busy();
}

void TransactionSessions::give_back(Place& place) {
    if (waiting_.empty()) {
        free_.push_back(&place);
        return;
    }
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next->place = &place;
    next->turn.set();
}

void TransactionSessions::close() {
    for (const auto& place : places_)
        place->close();
}

}  // namespace spaktok::relational::postgres
