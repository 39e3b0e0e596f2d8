// The sessions that a node keeps with the server: some shared by many requests, some lent to a transaction
// each.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "base/error.h"
#include "base/event.h"
#include "engines/relational/postgres/session.h"

namespace spaktok::relational::postgres {

// A place for a session that is opened where it is needed, and again where it broke. After a failed attempt
// the next one waits (100 ms, doubling up to 2 s); until then everyone is refused at once.
class Place {
  public:
    Place(boost::asio::io_context& context, SessionOptions options)
        : context_(context), options_(std::move(options)) {}

    // Throws Error{unavailable}. Callers that come while it is being opened wait for the same attempt.
    boost::asio::awaitable<std::shared_ptr<Session>> session();
    bool is_open() const { return session_ && !session_->is_broken(); }
    std::size_t under_way() const { return is_open() ? session_->under_way() : 0; }
    void close();

  private:
    boost::asio::awaitable<void> open();

    boost::asio::io_context& context_;
    SessionOptions options_;
    std::shared_ptr<Session> session_;
    std::shared_ptr<Event> opening_;
    std::optional<Error> failure_;
    std::chrono::steady_clock::time_point next_attempt_{};
    std::chrono::milliseconds pause_{0};
};

// A statement goes to the session that has the fewest under way; a further one is opened where all are busy.
class SharedSessions {
  public:
    SharedSessions(boost::asio::io_context& context, SessionOptions options, std::size_t count);
    boost::asio::awaitable<std::shared_ptr<Session>> least_busy();
    const PoolMetrics& metrics() const { return metrics_; }
    void close();

  private:
    PoolMetrics metrics_;
    std::vector<std::unique_ptr<Place>> places_;
};

// Lends a session to one transaction at a time. Who finds none waits in order, `wait_max` at the most, behind
// at most `waiting_max` others; else Error{unavailable "busy"}.
class TransactionSessions {
  public:
    struct Options {
        std::size_t count = 6;
        std::size_t waiting_max = 1'024;
        std::chrono::milliseconds wait_max{5'000};
    };
    TransactionSessions(boost::asio::io_context& context, SessionOptions session_options, Options options);

    // Gives the session back when destroyed.
    class Lease {
      public:
        Lease(TransactionSessions& owner, Place& place, std::shared_ptr<Session> session)
            : owner_(&owner),
              place_(&place),
              session_(std::move(session)),
              counted_(owner.metrics_.under_way) {}
        Lease(Lease&& other) noexcept
            : owner_(std::exchange(other.owner_, nullptr)),
              place_(other.place_),
              session_(std::move(other.session_)),
              counted_(std::move(other.counted_)) {}
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (owner_ != nullptr) owner_->give_back(*place_);
        }
        // To who waits for one, if anyone does: what this transaction still expects comes first.
        void pass_on() {
            if (owner_ != nullptr && !owner_->waiting_.empty())
                std::exchange(owner_, nullptr)->give_back(*place_);
        }
        Session& operator*() const { return *session_; }
        Session* operator->() const { return session_.get(); }

      private:
        TransactionSessions* owner_;
        Place* place_;
        std::shared_ptr<Session> session_;
        Counted counted_;
    };
    boost::asio::awaitable<Lease> borrow();
    const PoolMetrics& metrics() const { return metrics_; }
    void close();

  private:
    struct Waiter {
        explicit Waiter(boost::asio::io_context& context) : turn(context) {}
        Event turn;
        Place* place = nullptr;
    };
    boost::asio::awaitable<Place*> wait_for_turn();
    void give_back(Place& place);

    boost::asio::io_context& context_;
    const Options options_;
    PoolMetrics metrics_;
    std::vector<std::unique_ptr<Place>> places_;
    std::vector<Place*> free_;
    std::deque<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace spaktok::relational::postgres
