// Lists that replicas answer in the primary's place (docs/decisions/0003-reads-from-replicas.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/event.h"
#include "base/metrics.h"
#include "engines/relational/postgres/sessions.h"

namespace spaktok::relational::postgres {

// Runs a statement without parameters on the primary. Throws what Session::run does.
using AskPrimary = std::function<boost::asio::awaitable<Result>(Statement statement)>;

// How far the primary's log is on its disk: at or behind every commit that anyone was told of.
class PrimaryPosition {
  public:
    PrimaryPosition(boost::asio::io_context& context, AskPrimary ask)
        : context_(context), ask_(std::move(ask)) {}

    // As it was at some moment after the call. One question at a time: who comes while an answer is under way
    // shares the next one. Throws what the question does.
    boost::asio::awaitable<LogPosition> now();

  private:
    struct Round {
        explicit Round(boost::asio::io_context& context) : answered(context) {}
        Event answered;
        LogPosition position = 0;
        std::exception_ptr failure;
    };

    boost::asio::io_context& context_;
    const AskPrimary ask_;
    std::shared_ptr<Round> under_way_;
    std::shared_ptr<Round> next_;
};

struct ReplicaOptions {
    std::vector<std::string> urls;  // postgres://…, each of one streaming replica
    std::size_t sessions = 3;       // for lists, with each
    // Shorter than the primary's: a list that fails here still has the time to run there.
    SessionLimits limits{.connect_timeout = std::chrono::milliseconds(1'000),
                         .statement_timeout = std::chrono::milliseconds(2'000),
                         .silence_max = std::chrono::milliseconds(2'500)};
    // How far a replica may be behind: a list waits so long for it.
    std::chrono::milliseconds lag_max{50};
    std::chrono::milliseconds watch_interval{100};
    // One that was left out stays so for as long at least.
    std::chrono::milliseconds left_out_min{1'000};
};

// One of them. Lives on its context's only thread.
class Replica {
  public:
    // `number`: its place in the settings, from 1; what metrics and the log call it.
    Replica(boost::asio::io_context& context, const ReplicaOptions& options, std::size_t number);

    bool is_usable() const { return is_usable_; }
    std::size_t under_way() const { return under_way_; }
    // Nothing where it did not reach `position` in time, or failed.
    boost::asio::awaitable<std::optional<Result>> read(Statement statement, std::vector<Value> args,
                                                       LogPosition position);
    // Whether it is alive, near `position`, and a replica of `system`: takes it in or leaves it out.
    boost::asio::awaitable<void> inspect(std::string system, LogPosition position);
    void close();

  private:
    boost::asio::awaitable<bool> reaches(std::shared_ptr<Session> session, LogPosition position);
    void take_in();
    void leave_out(const std::string& reason);

    boost::asio::io_context& context_;
    const ReplicaOptions& options_;
    const std::size_t number_;
    PoolMetrics pool_metrics_;
    metrics::Gauge usable_;
    metrics::Gauge behind_bytes_;
    SharedSessions lists_;
    SharedSessions inspections_;  // one of its own, behind no list
    std::size_t under_way_ = 0;
    bool is_usable_ = false;
    std::chrono::steady_clock::time_point left_out_at_{};
};

// All of them. Lives on its context's only thread.
class Replicas {
  public:
    Replicas(boost::asio::io_context& context, ReplicaOptions options, AskPrimary ask);

    // What a replica says that has replayed all that was acknowledged anywhere before the call; nothing where
    // none has in time: the primary is to be asked. Throws Error{unavailable} where the primary is gone.
    boost::asio::awaitable<std::optional<Result>> read(Statement statement, std::vector<Value> args);

    // Inspects them from now on until `stop`; the last look may end later.
    void start();
    void stop();
    bool is_stopped() const { return watching_ == 0; }
    void close();

  private:
    struct Watched {
        Watched(boost::asio::io_context& context, const ReplicaOptions& options, std::size_t number)
            : replica(context, options, number), next(context) {}
        Replica replica;
        boost::asio::steady_timer next;
    };
    boost::asio::awaitable<void> watch(Watched& watched);
    Replica* least_busy();

    boost::asio::io_context& context_;
    const ReplicaOptions options_;
    const AskPrimary ask_;
    PrimaryPosition primary_;
    std::vector<std::unique_ptr<Watched>> watched_;
    metrics::Counter by_replica_;
    metrics::Counter by_primary_;
    std::size_t watching_ = 0;
    bool is_stopping_ = false;
};

}  // namespace spaktok::relational::postgres
