#include "engines/relational/postgres/postgres_database.h"

#include <algorithm>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <pthread.h>

#include "engines/relational/postgres/failure.h"

namespace spaktok::relational::postgres {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr Statement alive{.name = "check", .sql = "SELECT 1 AS alive", .mode = Mode::point_read};
constexpr Statement rollback{.name = "rollback", .sql = "ROLLBACK"};
constexpr milliseconds idle_step{5};

SessionOptions session_options(const std::string& url, const char* pool, Sync sync, Plans plans,
                               SessionLimits limits) {
    return {.url = url, .metrics = PoolMetrics(pool), .sync = sync, .plans = plans, .limits = limits};
}

}  // namespace

// How often a conflict may be tried again: with growing pauses of random length, until patience ends.
class PostgresDatabase::Patience {
  public:
    Patience(asio::io_context& context, Random& random, milliseconds patience, metrics::Counter conflicts)
        : timer_(context), random_(random), conflicts_(conflicts), ends_at_(steady_clock::now() + patience) {}

    // Returns once it is time for another attempt; throws `conflict` where patience has ended.
    asio::awaitable<void> wait(TransactionConflict conflict) {
        conflicts_.add();
        if (steady_clock::now() >= ends_at_) throw std::move(conflict);
        constexpr std::uint64_t pause_max_us = 50'000;
        pause_us_ = std::min(2 * pause_us_, pause_max_us);
        timer_.expires_after(std::chrono::microseconds(random_.below(pause_us_)));
        co_await timer_.async_wait(asio::use_awaitable);
    }

  private:
    asio::steady_timer timer_;
    Random& random_;
    metrics::Counter conflicts_;
    steady_clock::time_point ends_at_;
    std::uint64_t pause_us_ = 500;
};

class PostgresDatabase::RunningTransaction final : public Transaction {
  public:
    explicit RunningTransaction(Session& session) : session_(session) {}

    asio::awaitable<Result> run(const Statement& statement, std::vector<Value> args) override {
        if (failure_) std::rethrow_exception(failure_);
        try {
            begin();
            co_return co_await session_.run(statement, std::move(args));
        } catch (...) {
            failure_ = std::current_exception();
        }
        std::rethrow_exception(failure_);
    }

    asio::awaitable<void> run_script(std::string script) override {
        if (failure_) std::rethrow_exception(failure_);
        try {
            begin();
            co_await session_.run_script("SET LOCAL statement_timeout = 0; " + std::move(script));
        } catch (...) {
            failure_ = std::current_exception();
        }
        if (failure_) std::rethrow_exception(failure_);
    }

    const std::exception_ptr& failure() const { return failure_; }
    // Not before its first statement.
    bool has_begun() const { return has_begun_; }

  private:
    void begin() {
        if (!std::exchange(has_begun_, true)) session_.begin();
    }

    Session& session_;
    bool has_begun_ = false;
    std::exception_ptr failure_;
};

PostgresDatabase::PostgresDatabase(const std::string& url, Options options)
    : options_(std::move(options)),
      guard_(context_.get_executor()),
      points_(context_, session_options(url, "point", Sync::shared, Plans::generic, options_.sessions),
              options_.point_sessions),
      reads_(context_, session_options(url, "read", Sync::shared, Plans::custom, options_.sessions),
             options_.read_sessions),
      writes_(context_, session_options(url, "write", Sync::own, Plans::generic, options_.sessions),
              options_.write_sessions),
      transactions_(context_,
                    session_options(url, "transaction", Sync::own, Plans::generic, options_.sessions),
                    options_.transactions),
      replicas_(context_, options_.replicas,
                [this](Statement statement) { return read(points_, statement, {}); }) {
    replicas_.start();
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "postgres");
        context_.run();
    });
}

PostgresDatabase::~PostgresDatabase() {
    asio::co_spawn(context_, close_when_idle(), asio::detached);
    guard_.reset();
    thread_.join();
}

asio::awaitable<void> PostgresDatabase::close_when_idle() {
    asio::steady_timer timer(context_);
    replicas_.stop();
    while (under_way_ > 0 || !replicas_.is_stopped()) {
        timer.expires_after(idle_step);
        co_await timer.async_wait(asio::use_awaitable);
    }
    points_.close();
    reads_.close();
    writes_.close();
    transactions_.close();
    replicas_.close();
}

// Runs the work on the engine's thread and resumes the caller on its own. Cancelling the caller does not
// reach over to another thread.
template <class T>
asio::awaitable<T> PostgresDatabase::on_engine(asio::awaitable<T> work) {
    return asio::co_spawn(
        context_,
        [](PostgresDatabase& self, asio::awaitable<T> inner) -> asio::awaitable<T> {
            struct UnderWay {
                std::size_t& count;
                explicit UnderWay(std::size_t& counted) : count(counted) { ++count; }
                ~UnderWay() { --count; }
                UnderWay(const UnderWay&) = delete;
                UnderWay& operator=(const UnderWay&) = delete;
            };
            const UnderWay counted(self.under_way_);
            co_return co_await std::move(inner);
        }(*this, std::move(work)),
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
}

asio::awaitable<void> PostgresDatabase::check() {
    co_await run(alive, {});
}

asio::awaitable<Result> PostgresDatabase::run(const Statement& statement, std::vector<Value> args) {
    if (statement.mode == Mode::write) co_return co_await on_engine(write(statement, std::move(args)));
    if (statement.list && !options_.replicas.urls.empty())
        co_return co_await on_engine(list(statement, std::move(args)));
    auto& sessions = statement.mode == Mode::point_read ? points_ : reads_;
    co_return co_await on_engine(read(sessions, statement, std::move(args)));
}

asio::awaitable<Result> PostgresDatabase::read(SharedSessions& sessions, Statement statement,
                                               std::vector<Value> args) {
    const Counted counted(sessions.metrics().under_way);
    for (bool is_again = false;; is_again = true) {
        const auto session = co_await sessions.least_busy();
        try {
            co_return co_await session->run(statement, args);
        } catch (const Error& error) {
            // A read has changed nothing, so a session that broke under it is no reason to fail.
            if (is_again || error.code() != ErrorCode::unavailable || !session->is_broken()) throw;
        }
    }
}

asio::awaitable<Result> PostgresDatabase::list(Statement statement, std::vector<Value> args) {
    auto answer = co_await replicas_.read(statement, args);
    if (answer) co_return std::move(*answer);
    co_return co_await read(reads_, statement, std::move(args));
}

asio::awaitable<Result> PostgresDatabase::write(Statement statement, std::vector<Value> args) {
    const Counted counted(writes_.metrics().under_way);
    Patience patience(context_, random_, options_.conflict_patience, writes_.metrics().conflicts);
    for (;;) {
        const auto session = co_await writes_.least_busy();
        std::optional<TransactionConflict> conflict;
        try {
            co_return co_await session->run(statement, args);
        } catch (const TransactionConflict& lost) {
            conflict = lost;
        }
        co_await patience.wait(*conflict);
    }
}

asio::awaitable<void> PostgresDatabase::run_transaction(TransactionBody body) {
    co_await on_engine(transact(std::move(body)));
}

asio::awaitable<void> PostgresDatabase::transact(TransactionBody body) {
    Patience patience(context_, random_, options_.conflict_patience, transactions_.metrics().conflicts);
    for (;;) {
        std::optional<TransactionConflict> conflict;
        try {
            co_await attempt(body);
            co_return;
        } catch (const TransactionConflict& lost) {
            conflict = lost;
        }
        co_await patience.wait(*conflict);
    }
}

asio::awaitable<void> PostgresDatabase::attempt(const TransactionBody& body) {
    auto session = co_await transactions_.borrow();
    RunningTransaction transaction(*session);
    std::exception_ptr failure;
    try {
        co_await body(transaction);
    } catch (...) {
        failure = std::current_exception();
    }
    // A body that went on after a refused statement has not done what it says.
    if (transaction.failure()) failure = transaction.failure();
    if (!failure) {
        if (!transaction.has_begun()) co_return;
        const auto committed = session->commit();
        session.pass_on();
        co_await session->finished(committed);
        co_return;
    }
    try {
        if (transaction.has_begun() && !session->is_broken()) co_await session->run(rollback, {});
    } catch (const Error&) {
        session->close();  // the server rolls back what has no session
    }
    std::rethrow_exception(failure);
}

}  // namespace spaktok::relational::postgres
