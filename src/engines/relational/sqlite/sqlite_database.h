// The embedded form of the relational engine: one SQLite file in WAL mode, parallel readers, one
// group-committing writer.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "engines/relational/database.h"
#include "engines/relational/sqlite/connection.h"
#include "engines/relational/sqlite/group_writer.h"
#include "engines/relational/sqlite/inline_readers.h"

namespace spaktok::relational::sqlite {

// Thread-safe; callers on any thread. Destroy it before the io_contexts of its callers: it first runs what is
// queued.
class SqliteDatabase final : public Database {
  public:
    struct Options {
        GroupWriter::Options writer{};
        ConnectionLimits readers{};
        std::size_t read_queue_max = 1'024;  // one more is refused: Error{unavailable} with Retry-After
    };
    // Creates the file and its folder where missing.
    SqliteDatabase(const std::string& file, OpenOptions open_options, Options options);
    SqliteDatabase(const std::string& file, OpenOptions open_options)
        : SqliteDatabase(file, open_options, Options{}) {}
    ~SqliteDatabase() override;

    Dialect dialect() const override { return Dialect::sqlite; }
    boost::asio::awaitable<void> check() override;
    boost::asio::awaitable<Result> run(const Statement& statement, std::vector<Value> args) override;
    boost::asio::awaitable<void> run_transaction(TransactionBody body) override;

  private:
    class PoolReaders;

    boost::asio::awaitable<Result> read_on_pool(Statement statement, std::vector<Value> args);

    // In the order in which they may be used: the writer creates the file, the pool's threads use the pool's
    // connections.
    GroupWriter writer_;
    InlineReaders inline_readers_;
    std::unique_ptr<PoolReaders> pool_readers_;
    WorkerPool pool_;
};

}  // namespace spaktok::relational::sqlite
