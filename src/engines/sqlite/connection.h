// RAII around sqlite3: a connection with the project's pragmas, cached prepared statements, and errors as
// base::Error. Shared by every embedded adapter.
#pragma once

#include <any>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace spaktok::sqlite {

// What SQLite refused. Its code() is `unavailable` where trying later may help (busy, disk full, I/O),
// `deadline_exceeded` where a limit of time or work ended the statement, `conflict` for a broken constraint,
// `payload_too_large` for a value that SQLite cannot hold, and `internal` for the rest; sqlite_code() is
// SQLite's extended result code, detail() its text.
class Failure : public Error {
  public:
    Failure(int sqlite_code, std::string detail);
    int sqlite_code() const { return sqlite_code_; }
    bool is_unique_violation() const;
    // The index that a unique violation names ("index 'NAME'": one on expressions), else empty.
    std::string violated_index() const;

  private:
    int sqlite_code_;
};

struct Bytes {
    std::string_view value;  // bound and read as BLOB, not as TEXT
};

enum class ColumnType { null, integer, real, text, bytes };

class Connection;
struct CompiledStatement;

// One run of a prepared statement; resets it when destroyed. Lives no longer than its connection.
class Rows {
  public:
    ~Rows();
    Rows(Rows&& other) noexcept;
    Rows& operator=(Rows&&) = delete;
    Rows(const Rows&) = delete;

    // Parameters in order, from 1.
    Rows& bind(std::nullptr_t);
    Rows& bind(std::int64_t value);
    Rows& bind(double value);
    Rows& bind(std::string_view text);
    Rows& bind(Bytes bytes);
    template <class T>
    Rows& bind(const std::optional<T>& value) {
        return value ? bind(*value) : bind(nullptr);
    }
    int parameter_count() const;
    // "$1", "?2", ":name"; empty for a nameless one. Slots count from 1.
    std::string_view parameter_name(int slot) const;

    // Goes to the next row; false when there is none. Throws Failure.
    bool next();
    // Runs to the end.
    void finish();

    int column_count() const;
    std::string_view column_name(int column) const;
    ColumnType type(int column) const;
    bool is_null(int column) const { return type(column) == ColumnType::null; }
    std::int64_t integer(int column) const;
    double real(int column) const;
    // Valid until the next `next()`.
    std::string_view text(int column) const;
    std::string_view bytes(int column) const;

    // What the caller has worked out about the statement, kept with it as long as it is in the cache: `make`
    // (const Rows&) -> T runs the first time. A connection's users attach one type only.
    template <class T, class Make>
    T& attached(Make make) {
        if (!attachment().has_value()) attachment() = std::any(make(std::as_const(*this)));
        return std::any_cast<T&>(attachment());
    }

  private:
    friend class Connection;
    Rows(Connection& connection, CompiledStatement& cached);
    Rows(Connection& connection, std::unique_ptr<CompiledStatement> own);
    void check(int code) const;
    std::any& attachment();

    Connection* connection_;
    CompiledStatement* compiled_;
    std::unique_ptr<CompiledStatement> own_;  // a second run of a cached statement that is in use
    sqlite3_stmt* statement_;
    int bound_ = 0;
};

// Used by one thread at a time; may be handed from one to another.
class Connection {
  public:
    enum class Access { read_write, read_only };
    // The statements that are in the cache; the one unused for longest goes first.
    static constexpr std::size_t statements_kept_max = 500;

    struct Options {
        std::string path;  // ":memory:" for none
        Access access = Access::read_write;
        bool secure_delete = false;  // overwrite what is deleted with zeros
        // Another writer of the file may hold it for so long; then: Failure, `unavailable`.
        std::chrono::milliseconds busy_time_max{10'000};
        // Then a statement ends with `deadline_exceeded`, so that one bad plan does not hold the engine.
        std::optional<std::chrono::milliseconds> statement_time_max{};
    };
    // Creates the file, readable by its owner only, and its folder where missing. WAL, synchronous=FULL (a
    // commit is on the disk when it returns), foreign keys on. Throws Failure, `unavailable`.
    explicit Connection(Options options);
    ~Connection();
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) = delete;

    // Prepares (once a text, while it is kept) and binds. Throws Failure; `internal` for SQL that is not
    // exactly one statement, and for one that writes where Access is read_only.
    template <class... Args>
    Rows query(std::string_view sql, const Args&... args) {
        Rows rows = prepare(sql);
        (bind_one(rows, args), ...);
        return rows;
    }
    template <class... Args>
    void run(std::string_view sql, const Args&... args) {
        query(sql, args...).finish();
    }
    // Any number of statements, neither cached nor bound nor limited in time: schema and pragmas.
    void execute(const std::string& sql);

    // What the statement that was prepared last may cost from here on, in operations of SQLite's virtual
    // machine (to about a thousand), instead of statement_time_max.
    void limit_operations(int operations_max);

    bool in_transaction() const;
    // Rows that the last INSERT, UPDATE or DELETE changed; that all since the connection was opened changed.
    std::int64_t changes() const;
    std::int64_t total_changes() const;

    // Moves what the write-ahead log holds into the file and cuts the log to nothing. False where others
    // read or write the file at the moment. Not in a transaction. Throws Failure.
    bool truncate_log();

  private:
    friend class Rows;
    struct State;
    struct Closer {
        void operator()(sqlite3* handle) const;
    };

    template <class T>
    static void bind_one(Rows& rows, const T& value) {
        if constexpr (std::integral<T>) {
            rows.bind(static_cast<std::int64_t>(value));
        } else if constexpr (std::convertible_to<T, std::string_view>) {
            rows.bind(std::string_view(value));
        } else {
            rows.bind(value);
        }
    }
    void configure();
    void switch_to_write_ahead_log();
    Rows prepare(std::string_view sql);
    sqlite3_stmt* compile(std::string_view sql, bool keep);
    [[noreturn]] void fail(int code) const;
    static int on_progress(void* state);
    static int on_busy(void* state, int attempt);

    // Declared before the state: statements are finalized before the handle closes.
    std::unique_ptr<sqlite3, Closer> handle_;
    std::unique_ptr<State> state_;  // on the heap: SQLite holds its address
};

// FILE of "sqlite:FILE" (`scheme` is "sqlite:"); nullopt where the URL has another scheme.
std::optional<std::string> path_of_url(std::string_view url, std::string_view scheme);

}  // namespace spaktok::sqlite
