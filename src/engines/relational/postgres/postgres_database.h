// PostgreSQL behind the relational port.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "base/random.h"
#include "engines/relational/database.h"
#include "engines/relational/postgres/replicas.h"
#include "engines/relational/postgres/sessions.h"

namespace spaktok::relational::postgres {

// Thread-safe; callers on any thread. All sessions live on one thread of its own, where transactions' bodies
// run too. Sessions are opened with the first statement that needs them, so a server that is down at the
// start is an Error{unavailable} of that statement. Destroy it before the io_contexts of its callers: it
// first runs what is under way.
class PostgresDatabase final : public Database {
  public:
    struct Options {
        std::size_t point_sessions = 2;  // point reads, which share them and their Syncs
        std::size_t read_sessions = 3;   // reads that may take longer
        std::size_t write_sessions = 2;  // single writes
        TransactionSessions::Options transactions{};
        SessionLimits sessions{};  // of each
        ReplicaOptions replicas{};
        // What conflicts with others runs again for as long.
        std::chrono::milliseconds conflict_patience{5'000};
    };
    PostgresDatabase(const std::string& url, Options options);
    explicit PostgresDatabase(const std::string& url) : PostgresDatabase(url, Options{}) {}
    ~PostgresDatabase() override;

    Dialect dialect() const override { return Dialect::postgres; }
    boost::asio::awaitable<void> check() override;
    boost::asio::awaitable<Result> run(const Statement& statement, std::vector<Value> args) override;
    boost::asio::awaitable<void> run_transaction(TransactionBody body) override;

  private:
    class RunningTransaction;
    class Patience;

    template <class T>
    boost::asio::awaitable<T> on_engine(boost::asio::awaitable<T> work);
    boost::asio::awaitable<Result> read(SharedSessions& sessions, Statement statement,
                                        std::vector<Value> args);
    boost::asio::awaitable<Result> list(Statement statement, std::vector<Value> args);
    boost::asio::awaitable<Result> write(Statement statement, std::vector<Value> args);
    boost::asio::awaitable<void> transact(TransactionBody body);
    boost::asio::awaitable<void> attempt(const TransactionBody& body);
    boost::asio::awaitable<void> close_when_idle();

    const Options options_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    SystemRandom random_;
    SharedSessions points_;
    SharedSessions reads_;
    SharedSessions writes_;
    TransactionSessions transactions_;
    Replicas replicas_;
    std::size_t under_way_ = 0;  // of the engine's thread
    std::thread thread_;
};

}  // namespace spaktok::relational::postgres
