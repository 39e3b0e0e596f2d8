// RAII around sqlite3: a connection with the project's pragmas, cached prepared statements, and errors as
// base::Error. Shared by every embedded adapter.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace spaktok::sqlite {

// What SQLite refused. Its code() is `unavailable` where trying later may help (busy, disk full, I/O),
// `conflict` for a broken constraint and `internal` for the rest; sqlite_code() is SQLite's extended result
// code, detail() its text.
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

class Connection;

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

    // Goes to the next row; false when there is none. Throws Failure.
    bool next();
    // Runs to the end.
    void finish();

    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    double real(int column) const;
    // Valid until the next `next()`.
    std::string_view text(int column) const;
    std::string_view bytes(int column) const;

  private:
    friend class Connection;
    Rows(Connection& connection, sqlite3_stmt* statement, bool cached);
    void check(int code) const;

    Connection* connection_;
    sqlite3_stmt* statement_;
    bool cached_;
    int bound_ = 0;
};

// Used by one thread at a time; may be handed from one to another.
class Connection {
  public:
    enum class Access { read_write, read_only };
    struct Options {
        std::string path;  // ":memory:" for none
        Access access = Access::read_write;
        bool secure_delete = false;  // overwrite what is deleted with zeros
    };
    // Creates the file and its folder where missing. WAL, synchronous=FULL (a commit is on the disk when it
    // returns), foreign keys on. Waits up to ten seconds for another writer of the same file. Throws
    // Error{unavailable}.
    explicit Connection(Options options);
    ~Connection();
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) = delete;

    // Prepares (once a text, of which the 128 used last are kept) and binds.
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
    // Any number of statements, neither cached nor bound: schema and pragmas.
    void execute(const std::string& sql);

    bool in_transaction() const;
    // Rows that the last INSERT, UPDATE or DELETE changed.
    std::int64_t changes() const;

  private:
    friend class Rows;
    struct Closer {
        void operator()(sqlite3* handle) const;
    };
    struct Cached {
        std::string sql;
        sqlite3_stmt* statement = nullptr;
        bool in_use = false;
    };
    struct Cache;

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
    Rows prepare(std::string_view sql);
    sqlite3_stmt* compile(std::string_view sql, bool keep);
    void release(sqlite3_stmt* statement, bool cached);
    [[noreturn]] void fail(int code) const;

    // Declared before the cache: statements are finalized before the handle closes.
    std::unique_ptr<sqlite3, Closer> handle_;
    std::unique_ptr<Cache> cache_;
};

// FILE of "sqlite:FILE" (`scheme` is "sqlite:"); nullopt where the URL has another scheme.
std::optional<std::string> path_of_url(std::string_view url, std::string_view scheme);

}  // namespace spaktok::sqlite
