// The embedded form of the relational engine: one SQLite file in WAL mode, parallel readers, one
// group-committing writer.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "engines/relational/database.h"
#include "engines/relational/sqlite/inline_readers.h"
#include "engines/relational/sqlite/transaction_bodies.h"
#include "engines/sqlite/group_writer.h"
#include "engines/sqlite/reader_pool.h"

namespace spaktok::relational::sqlite {

// Thread-safe; callers on any thread. Destroy it before the io_contexts of its callers: it first runs what is
// queued.
class SqliteDatabase final : public Database {
  public:
    struct Options {
        spaktok::sqlite::GroupWriter::Options writer{.name = "relational"};
        std::size_t read_queue_max = 1'024;  // one more is refused: Error{unavailable} with Retry-After
        // Then a statement ends with deadline_exceeded, so that one bad plan does not hold the engine.
        std::chrono::milliseconds statement_time_max{5'000};
        // Another process (a command of the command line) may hold the write lock for a moment; then:
        // unavailable.
        std::chrono::milliseconds busy_time_max{5'000};
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
    // In the order in which they may be used: the writer creates the file, and its thread runs the bodies.
    TransactionBodies bodies_;
    spaktok::sqlite::GroupWriter writer_;
    InlineReaders inline_readers_;
    spaktok::sqlite::ReaderPool pool_;
};

}  // namespace spaktok::relational::sqlite
