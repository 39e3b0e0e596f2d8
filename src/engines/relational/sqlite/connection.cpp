#include "engines/relational/sqlite/connection.h"

#include <charconv>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "engines/relational/sqlite/binding.h"
#include "engines/relational/sqlite/failure.h"

namespace spaktok::relational::sqlite {

namespace {

// How often (in operations of SQLite's virtual machine) a running statement is asked whether it may go on.
constexpr int progress_interval_operations = 1'000;

[[noreturn]] void cannot_open(const std::string& file, const std::string& why) {
    throw Error(ErrorCode::unavailable, "The database file cannot be opened.",
                {.field = "relational", .detail = fmt::format("{}: {}", file, why)});
}

// Password hashes are in this file: only its owner reads it. SQLite gives the -wal and -shm files the same
// mode.
void create_private_file(const std::string& file) {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) cannot_open(file, fmt::format("errno {}", errno));
    ::close(descriptor);
}

Error misuse(std::string_view name, const std::string& what) {
    return Error(ErrorCode::internal, "The database could not run this.",
                 {.detail = fmt::format("{}: {}", name, what)});
}

// "$3" → 2
std::size_t parameter_index(const char* slot_name, std::string_view statement_name) {
    const std::string_view text = slot_name == nullptr ? "" : slot_name;
    std::size_t number = 0;
    const auto [end, error] =
        std::from_chars(text.data() + (text.empty() ? 0 : 1), text.data() + text.size(), number);
    if (text.empty() || text[0] != '$' || error != std::errc{} || end != text.data() + text.size() ||
        number == 0) {
        throw misuse(statement_name, fmt::format("parameter '{}' is not $1, $2 …", text));
    }
    return number - 1;
}

struct ResetWhenDone {
    sqlite3_stmt* statement;
    ~ResetWhenDone() {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }
};

std::shared_ptr<const std::vector<std::string>> column_names(sqlite3_stmt* statement) {
    auto columns = std::make_shared<std::vector<std::string>>();
    for (int column = 0; column < sqlite3_column_count(statement); ++column) {
        columns->emplace_back(sqlite3_column_name(statement, column));
    }
    return columns;
}

bool is_interrupt(int code) {
    return (code & 0xff) == SQLITE_INTERRUPT;
}

}  // namespace

Connection::Connection(const std::string& file, Access access, ConnectionLimits limits)
    : reads_only_(access == Access::read), limits_(limits) {
    if (access == Access::write) create_private_file(file);
    sqlite3* raw = nullptr;
    // A reader opens the file for writing too, because it must be able to recover the WAL; query_only keeps
    // it from more.
    const int code =
        sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    handle_.reset(raw);
    if (code != SQLITE_OK) cannot_open(file, raw == nullptr ? "out of memory" : sqlite3_errmsg(raw));
    sqlite3_extended_result_codes(raw, 1);
    try {
        configure(access);
    } catch (const Error& error) {
        cannot_open(file, error.detail());
    }
    sqlite3_progress_handler(raw, progress_interval_operations, &Connection::on_progress, this);
}

Connection::~Connection() = default;

void Connection::configure(Access access) {
    sqlite3_busy_timeout(handle_.get(), static_cast<int>(limits_.busy_time_max.count()));
    if (access == Access::write) {
        switch_to_write_ahead_log();
        // FULL: the WAL is synced at every commit, so what was acknowledged survives a power loss.
        execute("PRAGMA synchronous = FULL", "open");
        // After a burst the WAL file shrinks again to this.
        execute("PRAGMA journal_size_limit = 67108864", "open");
    } else {
        execute("PRAGMA query_only = ON", "open");
    }
    execute(
        "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA "
        "cache_size = -8192;",
        "open");
    // Cells that point where they should not are an error, instead of anything at all.
    execute("PRAGMA cell_size_check = ON", "open");
}

void Connection::switch_to_write_ahead_log() {
    const auto give_up_at = std::chrono::steady_clock::now() + limits_.busy_time_max;
    while (true) {
        const int code = sqlite3_exec(handle_.get(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
        if (code == SQLITE_OK) break;
        // Two processes that make the file at once meet here, and for this lock SQLite itself does not wait.
        const bool busy = (code & 0xff) == SQLITE_BUSY && std::chrono::steady_clock::now() < give_up_at;
        if (!busy) fail(code, sqlite3_errmsg(handle_.get()), "open");
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    constexpr Statement journal_mode{.name = "open", .sql = "PRAGMA journal_mode"};
    // SQLite stays silent where the file system cannot share memory between processes.
    if (run(journal_mode, {})[0].get<std::string>("journal_mode") != "wal") {
        throw Error(ErrorCode::unavailable, "The database file cannot be opened.",
                    {.detail = "the file system does not support write-ahead logs"});
    }
}

void Connection::execute(const std::string& script, std::string_view name) {
    operations_left_.reset();
    deadline_.reset();
    const int code = sqlite3_exec(handle_.get(), script.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(code, sqlite3_errmsg(handle_.get()), name);
}

Result Connection::run(const Statement& statement, const std::vector<Value>& args) {
    operations_left_.reset();
    deadline_ = std::chrono::steady_clock::now() + limits_.statement_time_max;
    return std::move(*run_limited(statement, args));
}

std::optional<Result> Connection::run_point_read(const Statement& statement, const std::vector<Value>& args) {
    operations_left_ = point_read_operations_max;
    deadline_.reset();
    return run_limited(statement, args);
}

std::optional<Result> Connection::run_limited(const Statement& statement, const std::vector<Value>& args) {
    Prepared& prepared = prepare(statement);
    sqlite3_stmt* raw = prepared.statement.get();
    if (args.size() != prepared.parameters) {
        throw misuse(statement.name,
                     fmt::format("{} arguments for {} parameters", args.size(), prepared.parameters));
    }
    const auto started = std::chrono::steady_clock::now();
    const auto changes_before = sqlite3_total_changes64(handle_.get());
    std::vector<std::vector<Value>> rows;
    int code = SQLITE_OK;
    std::string message;
    {
        const ResetWhenDone reset{raw};
        for (std::size_t slot = 0; slot < prepared.parameter_of_slot.size(); ++slot) {
            bind(raw, static_cast<int>(slot) + 1, args[prepared.parameter_of_slot[slot]]);
        }
        code = step(prepared, rows);
        if (code == SQLITE_ROW)
            throw misuse(statement.name, fmt::format("more than {} rows", result_rows_max));
        if (code != SQLITE_DONE) message = sqlite3_errmsg(handle_.get());
    }
    if (is_interrupt(code) && operations_left_) return std::nullopt;
    prepared.runs.add();
    prepared.seconds.observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    if (code != SQLITE_DONE) {
        prepared.errors.add();
        fail(code, message, statement.name);
    }
    // Of a statement that reads, sqlite3_changes would still tell what the one before it changed.
    const bool changed = sqlite3_total_changes64(handle_.get()) != changes_before;
    return Result(prepared.columns, std::move(rows), changed ? sqlite3_changes64(handle_.get()) : 0);
}

int Connection::step(Prepared& prepared, std::vector<std::vector<Value>>& rows) {
    sqlite3_stmt* raw = prepared.statement.get();
    while (true) {
        const int code = sqlite3_step(raw);
        if (code != SQLITE_ROW) return code;
        if (rows.size() == result_rows_max) return code;
        // SQLite compiles anew after a migration, and `SELECT *` may then have other columns.
        if (rows.empty() && sqlite3_column_count(raw) != static_cast<int>(prepared.columns->size())) {
            prepared.columns = column_names(raw);
        }
        rows.push_back(read_row(raw));
    }
}

Connection::Prepared& Connection::prepare(const Statement& statement) {
    const auto found = statements_.find(statement.sql);
    if (found != statements_.end()) return found->second;
    if (statements_.size() == cached_statements_max) statements_.clear();
    return statements_.emplace(std::string(statement.sql), make_prepared(statement)).first->second;
}

Connection::Prepared Connection::make_prepared(const Statement& statement) {
    sqlite3_stmt* raw = nullptr;
    const char* tail = nullptr;
    const int code =
        sqlite3_prepare_v3(handle_.get(), statement.sql.data(), static_cast<int>(statement.sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &raw, &tail);
    std::unique_ptr<sqlite3_stmt, Finalize> owned(raw);
    if (code != SQLITE_OK) fail(code, sqlite3_errmsg(handle_.get()), statement.name);
    const std::string_view rest(tail,
                                static_cast<std::size_t>(statement.sql.data() + statement.sql.size() - tail));
    if (raw == nullptr || rest.find_first_not_of(" \n\t;") != std::string_view::npos) {
        throw misuse(statement.name, "a statement is exactly one statement");
    }
    if (reads_only_ && sqlite3_stmt_readonly(raw) == 0)
        throw misuse(statement.name, "is declared a read, but writes");

    std::vector<std::size_t> parameter_of_slot;
    std::size_t parameters = 0;
    for (int slot = 1; slot <= sqlite3_bind_parameter_count(raw); ++slot) {
        parameter_of_slot.push_back(parameter_index(sqlite3_bind_parameter_name(raw, slot), statement.name));
        parameters = std::max(parameters, parameter_of_slot.back() + 1);
    }
    const metrics::Labels labels{{"statement", std::string(statement.name)}};
    return Prepared{
        .statement = std::move(owned),
        .parameter_of_slot = std::move(parameter_of_slot),
        .parameters = parameters,
        .columns = column_names(raw),
        .runs = metrics::counter("spaktok_relational_statements_total", "Statements run.", labels),
        .errors =
            metrics::counter("spaktok_relational_statement_errors_total", "Statements that failed.", labels),
        .seconds = metrics::histogram("spaktok_relational_statement_seconds",
                                      "Time in the engine, without waiting for it.", labels),
    };
}

void Connection::fail(int code, const std::string& message, std::string_view name) {
    // Naming a broken rule reads the schema, which the limits of the statement that failed must not cut
    // short.
    operations_left_.reset();
    deadline_.reset();
    std::rethrow_exception(failure(handle_.get(), code, message, name));
}

int Connection::on_progress(void* self) {
    auto& connection = *static_cast<Connection*>(self);
    if (connection.operations_left_) {
        *connection.operations_left_ -= progress_interval_operations;
        return *connection.operations_left_ < 0 ? 1 : 0;
    }
    return connection.deadline_ && std::chrono::steady_clock::now() > *connection.deadline_ ? 1 : 0;
}

}  // namespace spaktok::relational::sqlite
