// The relational port: identity, graph, content with foreign keys, money. Adapters: sqlite/ (embedded),
// postgres/.
//
// Features are written once, over this header. A statement is a named constant with one SQL text for every
// engine; parameters are `$1`, `$2` … in order of first appearance, bound from C++ values.
//
//   constexpr Statement find_user{.name = "find_user", .sql = "SELECT id, username FROM users WHERE id = $1",
//   .mode = Mode::point_read}; auto result = co_await db.query(find_user, id); if (result.empty()) throw …;
//   auto name = result[0].get<std::string>("username");
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include "base/error.h"
#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok::relational {

// How a statement is run; the same statement always runs the same way.
enum class Mode {
    point_read,  // at most a few rows by an index: may run on the caller's thread
    read,        // anything else that only reads; may go to a pool or, where `list` is set, to a replica
    write,       // changes rows: alone it is a transaction of its own
};

struct Statement {
    std::string_view name;  // label of metrics and of faults injected by tests
    std::string_view sql;   // SQLite and PostgreSQL both
    std::string_view
        postgres_sql{};  // only where PostgreSQL's must differ (a set-based batch: unnest / json_each)
    Mode mode = Mode::read;
    bool list = false;  // a page of a list: may be answered by a replica
};

// What a parameter or a column holds. Uuid is stored as text in SQLite and as UUID in PostgreSQL; Timestamp
// as INTEGER Unix milliseconds in SQLite and as TIMESTAMPTZ in PostgreSQL; Money as INTEGER minor units and
// as NUMERIC or BIGINT by the column; JSON as TEXT and as JSONB.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, Uuid, Timestamp, Money,
                           boost::json::value>;

template <class T>
Value to_value(T&& value) {
    using Plain = std::remove_cvref_t<T>;
    if constexpr (std::same_as<Plain, Value>) {
        return std::forward<T>(value);
    } else if constexpr (std::same_as<Plain, std::nullopt_t>) {
        return std::monostate{};
    } else if constexpr (std::same_as<Plain, bool> || std::same_as<Plain, double> ||
                         std::same_as<Plain, Uuid> || std::same_as<Plain, Timestamp> ||
                         std::same_as<Plain, Money> || std::same_as<Plain, boost::json::value>) {
        return Value(std::in_place_type<Plain>, std::forward<T>(value));
    } else if constexpr (std::integral<Plain>) {
        return static_cast<std::int64_t>(value);
    } else if constexpr (std::convertible_to<Plain, std::string>) {
        return std::string(std::forward<T>(value));
    } else if constexpr (std::convertible_to<Plain, std::string_view>) {
        return std::string(std::string_view(value));
    } else if constexpr (requires {
                             value.has_value();
                             *value;
                         }) {
        return value ? to_value(*std::forward<T>(value)) : Value{};
    } else {
        return value.value;  // Id<Tag>
    }
}

class Result;

// One row of a Result, valid as long as it.
class Row {
  public:
    // By column name. Asserts that the column exists and that its type can be read as T; std::optional<T> for
    // NULL. T: bool, std::int64_t, int, double, std::string, Uuid, Id<Tag>, Timestamp, Money,
    // boost::json::value.
    template <class T>
    T get(std::string_view column) const;

  private:
    friend class Result;
    Row(const Result& result, std::size_t index) : result_(&result), index_(index) {}
    const Result* result_;
    std::size_t index_;
};

// Rows as the engine gave them: SQLite gives text, integers, reals and NULL; the reading type decides the
// conversion.
class Result {
  public:
    Result() = default;
    Result(std::shared_ptr<const std::vector<std::string>> columns, std::vector<std::vector<Value>> rows,
           std::int64_t affected)
        : columns_(std::move(columns)), rows_(std::move(rows)), affected_(affected) {}

    std::size_t size() const { return rows_.size(); }
    bool empty() const { return rows_.empty(); }
    Row operator[](std::size_t index) const { return Row(*this, index); }
    // Rows inserted, updated or deleted; with RETURNING, the same as size().
    std::int64_t affected() const { return affected_; }

    class Iterator {
      public:
        Iterator(const Result& result, std::size_t index) : result_(&result), index_(index) {}
        Row operator*() const { return (*result_)[index_]; }
        Iterator& operator++() {
            ++index_;
            return *this;
        }
        bool operator!=(const Iterator& other) const { return index_ != other.index_; }

      private:
        const Result* result_;
        std::size_t index_;
    };
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, rows_.size()}; }

    const Value& at(std::size_t row, std::string_view column) const;

  private:
    std::shared_ptr<const std::vector<std::string>> columns_;
    std::vector<std::vector<Value>> rows_;
    std::int64_t affected_ = 0;
};

// What a database refused, by the declared name of the rule: constraint "users_username_key" and so on. A
// store catches it and throws the domain's error. Anything else (engine gone, disk full, deadline) is a base
// Error already.
class ConstraintViolation : public Error {
  public:
    enum class Kind { unique, foreign_key, check, not_null };
    ConstraintViolation(Kind kind, std::string constraint, std::string detail);
    Kind kind() const { return kind_; }
    // Unique: the name of the constraint or index. Check: its name. Not null: table.column. Foreign key:
    // empty on SQLite.
    const std::string& constraint() const { return constraint_; }

  private:
    Kind kind_;
    std::string constraint_;
};

// Whose SQL `run_script` speaks; everything else is written once for all engines.
enum class Dialect { sqlite, postgres };

// A running transaction. Valid only inside the body it was given to. Once a statement has failed, the
// transaction can only end: every further statement throws the same error, and it is rolled back even where
// the body returns.
class Transaction {
  public:
    virtual ~Transaction() = default;
    template <class... Args>
    boost::asio::awaitable<Result> query(const Statement& statement, Args&&... args) {
        return run(statement, std::vector<Value>{to_value(std::forward<Args>(args))...});
    }
    virtual boost::asio::awaitable<Result> run(const Statement& statement, std::vector<Value> args) = 0;
    // Statements separated by ';' in the engine's own dialect, without parameters and without a time limit:
    // migrations.
    virtual boost::asio::awaitable<void> run_script(std::string script) = 0;
};

class Database {
  public:
    virtual ~Database() = default;

    // Runs one statement. A write returns once it is durable. Suspends; cancelling the caller leaves a write
    // that was already queued to happen or not. Throws ConstraintViolation, Error{unavailable} (engine gone,
    // queue full, disk full) or Error{deadline_exceeded}.
    template <class... Args>
    boost::asio::awaitable<Result> query(const Statement& statement, Args&&... args) {
        return run(statement, std::vector<Value>{to_value(std::forward<Args>(args))...});
    }

    // Runs `body` (Transaction&) -> awaitable<T> in a transaction: committed and durable when it returns,
    // rolled back when it throws. `body` may run more than once (serialization failure, group commit broken
    // by a full disk), runs on the engine's own thread, and so touches only its arguments and what it
    // captured, and awaits nothing but its transaction.
    template <class Body>
    auto transaction(Body body) -> std::invoke_result_t<Body, Transaction&> {
        using Returned = typename std::invoke_result_t<Body, Transaction&>::value_type;
        if constexpr (std::is_void_v<Returned>) {
            co_await run_transaction([body](Transaction& tx) mutable { return body(tx); });
        } else {
            auto result = std::make_shared<std::optional<Returned>>();
            co_await run_transaction(
                [body, result](Transaction& tx) mutable { return keep<Returned>(body(tx), result); });
            co_return std::move(**result);
        }
    }

    virtual Dialect dialect() const = 0;

    // Cheap proof of life for /readyz; throws Error{unavailable}.
    virtual boost::asio::awaitable<void> check() = 0;

    virtual boost::asio::awaitable<Result> run(const Statement& statement, std::vector<Value> args) = 0;
    using TransactionBody = std::function<boost::asio::awaitable<void>(Transaction&)>;
    virtual boost::asio::awaitable<void> run_transaction(TransactionBody body) = 0;

  private:
    template <class T>
    static boost::asio::awaitable<void> keep(boost::asio::awaitable<T> work,
                                             std::shared_ptr<std::optional<T>> result) {
        result->emplace(co_await std::move(work));
    }
};

// Reads one stored value as T; the conversions that Row::get makes.
template <class T>
T read_value(const Value& value, std::string_view column);

// URLs of replicas that a node takes.
inline constexpr std::size_t replicas_max = 8;

struct OpenOptions {
    std::size_t io_threads = 1;  // how many threads call `query`
    std::size_t read_pool_threads = 2;
    // postgres://…, each a streaming replica of the PostgreSQL server: they answer lists. No use elsewhere.
    std::vector<std::string> replicas{};
};
// `url`: sqlite:FILE (relative to the working directory) or postgres://…. Applies no migration.
// Throws Error{invalid_argument} for a URL that no adapter knows and Error{unavailable} when it cannot be
// opened.
std::unique_ptr<Database> open(const std::string& url, OpenOptions options);

// ---- conversions
template <>
bool read_value<bool>(const Value&, std::string_view);
template <>
std::int64_t read_value<std::int64_t>(const Value&, std::string_view);
template <>
int read_value<int>(const Value&, std::string_view);
template <>
double read_value<double>(const Value&, std::string_view);
template <>
std::string read_value<std::string>(const Value&, std::string_view);
template <>
Uuid read_value<Uuid>(const Value&, std::string_view);
template <>
Timestamp read_value<Timestamp>(const Value&, std::string_view);
template <>
Money read_value<Money>(const Value&, std::string_view);
template <>
boost::json::value read_value<boost::json::value>(const Value&, std::string_view);

template <class T>
T Row::get(std::string_view column) const {
    const Value& value = result_->at(index_, column);
    if constexpr (requires(T t) {
                      t.has_value();
                      typename T::value_type;
                  }) {
        if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
        using Inner = typename T::value_type;
        if constexpr (requires(Inner inner) { inner.value.is_nil(); }) {
            return Inner{read_value<Uuid>(value, column)};
        } else {
            return read_value<Inner>(value, column);
        }
    } else if constexpr (requires(T t) { t.value.is_nil(); }) {
        return T{read_value<Uuid>(value, column)};
    } else {
        return read_value<T>(value, column);
    }
}

}  // namespace spaktok::relational
