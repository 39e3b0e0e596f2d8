#include "engines/relational/sqlite/transaction_bodies.h"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>

#include "base/assert.h"
#include "engines/relational/sqlite/run_statement.h"

namespace spaktok::relational::sqlite {

namespace {

// Statements complete without suspending: the body runs on the thread that owns the connection.
class WriterTransaction final : public Transaction {
  public:
    explicit WriterTransaction(Connection& connection) : connection_(connection) {}

    boost::asio::awaitable<Result> run(const Statement& statement, std::vector<Value> args) override {
        co_return guarded([&] { return run_statement(connection_, statement, args); });
    }
    boost::asio::awaitable<void> run_script(std::string script) override {
        guarded([&] { sqlite::run_script(connection_, script, "script"); });
        co_return;
    }
    // What failed although the body went on, or nullptr.
    const std::exception_ptr& failed() const { return failed_; }

  private:
    // After an error SQLite's transaction may be gone, and what follows would commit by itself, statement by
    // statement. PostgreSQL refuses every further statement too.
    template <class Work>
    auto guarded(Work work) -> decltype(work()) {
        if (failed_) std::rethrow_exception(failed_);
        try {
            return work();
        } catch (...) {
            failed_ = std::current_exception();
            throw;
        }
    }

    Connection& connection_;
    std::exception_ptr failed_;
};

}  // namespace

void TransactionBodies::run(Database::TransactionBody& body, Connection& connection) {
    WriterTransaction transaction(connection);
    bool finished = false;
    std::exception_ptr thrown;
    boost::asio::co_spawn(context_, body(transaction), [&](std::exception_ptr error) {
        finished = true;
        thrown = error;
    });
    context_.restart();
    context_.poll();
    // A body that waits for anything but its transaction would hold up every other writer.
    SPAKTOK_ASSERT(finished);
    if (thrown) std::rethrow_exception(thrown);
    if (transaction.failed()) std::rethrow_exception(transaction.failed());
}

}  // namespace spaktok::relational::sqlite
