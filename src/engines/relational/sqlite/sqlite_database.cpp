#include "engines/relational/sqlite/sqlite_database.h"

#include <utility>

#include "engines/relational/sqlite/run_statement.h"

namespace spaktok::relational::sqlite {

using spaktok::sqlite::GroupWriter;

namespace {

Connection::Options connection_options(const std::string& file, const SqliteDatabase::Options& options,
                                       Connection::Access access) {
    return {.path = file,
            .access = access,
            .busy_time_max = options.busy_time_max,
            .statement_time_max = options.statement_time_max};
}

}  // namespace

SqliteDatabase::SqliteDatabase(const std::string& file, OpenOptions open_options, Options options)
    : writer_(Connection(connection_options(file, options, Connection::Access::read_write)), options.writer),
      inline_readers_(connection_options(file, options, Connection::Access::read_only),
                      open_options.io_threads),
      pool_(connection_options(file, options, Connection::Access::read_only),
            {.name = "sqlite-reader",
             .threads = open_options.read_pool_threads,
             .queue_jobs_max = options.read_queue_max}) {}

SqliteDatabase::~SqliteDatabase() = default;

boost::asio::awaitable<void> SqliteDatabase::check() {
    constexpr Statement alive{.name = "check", .sql = "SELECT count(*) FROM sqlite_schema"};
    if (writer_.queue_is_full()) {
        throw Error(ErrorCode::unavailable, "The database is not available at the moment.",
                    {.detail = "the write queue is full", .retry_after = std::chrono::seconds{1}});
    }
    co_await pool_.run([&](Connection& connection) { return run_statement(connection, alive, {}); });
}

boost::asio::awaitable<Result> SqliteDatabase::run(const Statement& statement, std::vector<Value> args) {
    const auto run_it = [statement, &args](Connection& connection) {
        return run_statement(connection, statement, args);
    };
    if (statement.mode == Mode::write) co_return co_await writer_.run(run_it, GroupWriter::Undo::itself);
    if (statement.mode == Mode::point_read) {
        auto* reader = inline_readers_.of_this_thread();
        if (reader != nullptr) {
            if (auto result = run_point_read(*reader, statement, args)) co_return std::move(*result);
        }
    }
    co_return co_await pool_.run(run_it);
}

boost::asio::awaitable<void> SqliteDatabase::run_transaction(TransactionBody body) {
    co_await writer_.run([&](Connection& connection) { bodies_.run(body, connection); });
}

}  // namespace spaktok::relational::sqlite
