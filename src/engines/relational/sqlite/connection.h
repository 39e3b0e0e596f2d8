// One SQLite connection: its settings, its prepared statements, and one way to run them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sqlite3.h>

#include "base/metrics.h"
#include "engines/relational/database.h"

namespace spaktok::relational::sqlite {

// Beyond this a query is a mistake (a list without LIMIT), and it would take the memory of everyone else's.
inline constexpr std::size_t result_rows_max = 100'000;
// Statements are constants of the program, a few hundred; the bound is for tests and tools that make them up.
inline constexpr std::size_t cached_statements_max = 1'000;
// What an inline point read may cost its I/O thread: about a millisecond of SQLite's virtual machine. A read
// by index takes well below 1,000 operations.
inline constexpr int point_read_operations_max = 20'000;
struct ConnectionLimits {
    // Then a statement ends with deadline_exceeded, so that one bad plan does not hold the engine.
    std::chrono::milliseconds statement_time_max{5'000};
    // Another process (a command of the command line) may hold the write lock for a moment; then:
    // unavailable.
    std::chrono::milliseconds busy_time_max{5'000};
};

// Used by one thread at a time; whoever owns it sees to that.
class Connection {
  public:
    enum class Access { read, write };

    // Creates the file, readable by its owner only, where Access::write asks for it. Throws
    // Error{unavailable}.
    Connection(const std::string& file, Access access, ConnectionLimits limits = {});
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Throws ConstraintViolation, or an Error: unavailable, deadline_exceeded, invalid_argument (text with
    // U+0000, a real that is not a number), internal (SQL that does not compile, the wrong number of
    // parameters, a read that writes).
    Result run(const Statement& statement, const std::vector<Value>& args);
    // nullopt where it took more than point_read_operations_max.
    std::optional<Result> run_point_read(const Statement& statement, const std::vector<Value>& args);
    // Statements without parameters and without a time limit.
    void execute(const std::string& script, std::string_view name);
    // False once an error (a full disk) has ended the transaction that was begun.
    bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

  private:
    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    struct Prepared {
        std::unique_ptr<sqlite3_stmt, Finalize> statement;
        std::vector<std::size_t> parameter_of_slot;  // slot i is `$parameter_of_slot[i] + 1`
        std::size_t parameters = 0;
        std::shared_ptr<const std::vector<std::string>> columns;
        metrics::Counter runs;
        metrics::Counter errors;
        metrics::Histogram seconds;
    };
    struct TransparentHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };

    void configure(Access access);
    void switch_to_write_ahead_log();
    Prepared& prepare(const Statement& statement);
    Prepared make_prepared(const Statement& statement);
    std::optional<Result> run_limited(const Statement& statement, const std::vector<Value>& args);
    // Steps to the end; SQLITE_DONE, the extended code of what failed, or SQLITE_ROW after result_rows_max.
    int step(Prepared& prepared, std::vector<std::vector<Value>>& rows);
    [[noreturn]] void fail(int code, const std::string& message, std::string_view name);
    static int on_progress(void* self);

    // Declared first so that it is closed last, after the statements.
    std::unique_ptr<sqlite3, Close> handle_;
    bool reads_only_;
    ConnectionLimits limits_;
    std::unordered_map<std::string, Prepared, TransparentHash, std::equal_to<>> statements_;
    // The limits of the statement that runs now, for on_progress.
    std::optional<int> operations_left_;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
};

}  // namespace spaktok::relational::sqlite
