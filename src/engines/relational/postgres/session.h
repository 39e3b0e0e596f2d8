// One session with a PostgreSQL server, in libpq's pipeline mode
// (https://www.postgresql.org/docs/15/libpq-pipeline-mode.html).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <libpq-fe.h>

#include "base/event.h"
#include "engines/relational/database.h"
#include "engines/relational/postgres/pool_metrics.h"

namespace spaktok::relational::postgres {

// Who shares a session's Sync shares its fate: an error aborts the statements behind it, which are then sent
// again. Right for reads alone; a statement with a Sync of its own is a transaction of its own.
enum class Sync { own, shared };

// Serializable: what a transaction has read still holds when it commits, as on the embedded engine. A replica
// refuses it.
enum class Isolation { serializable, repeatable_read };

// Custom: the server may plan a statement anew for the values that it is run with, which is right for pages
// of lists. Generic: it is planned once, and so are the checks of its foreign keys, which the server
// otherwise plans for each row where they refer to a partitioned table; right for statements that find what
// they need by an index whatever the values are.
enum class Plans { custom, generic };

// A place in a primary's log, which its replicas share: bytes from the log's beginning.
using LogPosition = std::int64_t;

struct SessionLimits {
    std::chrono::milliseconds connect_timeout{5'000};
    // The server ends a statement after this; a server that says nothing for longer is taken for gone.
    std::chrono::milliseconds statement_timeout{5'000};
    std::chrono::milliseconds silence_max{8'000};
};

struct SessionOptions {
    std::string url;      // postgres://… as libpq reads it
    PoolMetrics metrics;  // of the pool that the session is of
    Sync sync = Sync::own;
    Isolation isolation = Isolation::serializable;
    Plans plans = Plans::custom;
    SessionLimits limits{};
};

// Lives on its context's only thread. Once broken it is of no use, and everything that was under way has
// failed with Error{unavailable}.
class Session : public std::enable_shared_from_this<Session> {
  public:
    // Throws Error{unavailable}.
    static boost::asio::awaitable<std::shared_ptr<Session>> connect(boost::asio::io_context& context,
                                                                    SessionOptions options);
    Session(boost::asio::io_context& context, SessionOptions options);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Throws what failure_of says, or Error{unavailable}.
    boost::asio::awaitable<Result> run(Statement statement, std::vector<Value> args);

    // Something sent whose answer will come.
    struct Operation;
    using SharedOperation = std::shared_ptr<Operation>;
    // A transaction costs no round trips of its own: BEGIN goes out with the statement after it and shares
    // its Sync, so where BEGIN fails that is not run either; behind COMMIT the next transaction may be sent
    // before the answer is here. Both throw Error{unavailable} where the session is broken.
    SharedOperation begin();
    SharedOperation commit();
    // Throws as `run` does.
    boost::asio::awaitable<void> finished(SharedOperation operation);

    // Statements separated by ';' without a time limit. Only while nothing else is under way but a BEGIN.
    boost::asio::awaitable<void> run_script(std::string script);

    bool is_broken() const { return connection_ == nullptr; }
    // Statements whose answers have yet to come.
    std::size_t under_way() const { return under_way_; }
    void close() { end("the session was closed"); }

    // How far the server, a replica, is known to have replayed its primary's log; see Replica.
    LogPosition replayed = 0;

  private:
    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    struct Clear {
        void operator()(PGresult* answer) const { PQclear(answer); }
    };
    using Answer = std::unique_ptr<PGresult, Clear>;

    // A statement as the server knows it.
    struct Prepared {
        explicit Prepared(boost::asio::io_context& context) : known(context) {}
        std::string name;
        Event known;
        std::vector<Oid> parameters;
        std::exception_ptr failure;
    };

    boost::asio::awaitable<void> open();
    boost::asio::awaitable<std::shared_ptr<Prepared>> prepare(std::string sql);
    boost::asio::awaitable<Result> execute(const Prepared& prepared, const std::vector<Value>& args);
    // Tells libpq that `sent` (its return value) was queued; the answer to `operation` comes in its turn.
    void queue(int sent, const SharedOperation& operation);
    // BEGIN or COMMIT.
    SharedOperation send(const char* sql);
    void sync();
    void flush();
    void wait_readable();
    void read_answers();
    void take(Answer answer);
    void complete_front();
    void watch();
    void fail(const std::string& reason);
    void end(const std::string& reason);

    boost::asio::io_context& context_;
    SessionOptions options_;
    std::unique_ptr<PGconn, Finish> connection_;
    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer silence_;
    std::deque<SharedOperation> expected_;  // nullptr stands for a Sync
    std::unordered_map<std::string, std::shared_ptr<Prepared>> prepared_;
    std::size_t under_way_ = 0;
    std::size_t statements_ = 0;
    std::chrono::steady_clock::time_point heard_at_;
    bool is_counted_ = false;  // among the open ones
    bool is_sync_scheduled_ = false;
    bool is_waiting_writable_ = false;
    bool is_watching_ = false;
    bool is_script_ = false;  // not in pipeline mode, and with no limit of time
};

struct Session::Operation {
    explicit Operation(boost::asio::io_context& context) : done(context) {}
    Event done;
    Answer answer;
    std::exception_ptr failure;
    bool is_aborted = false;  // by an error before it
};

}  // namespace spaktok::relational::postgres
