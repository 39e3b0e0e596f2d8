#include "engines/sqlite/connection.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <list>
#include <thread>
#include <unordered_map>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/assert.h"

namespace spaktok::sqlite {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// How often (in operations of SQLite's virtual machine) a running statement is asked whether it may go on.
constexpr int progress_interval_operations = 1'000;
constexpr std::string_view memory_path = ":memory:";

ErrorCode code_for(int sqlite_code) {
    switch (sqlite_code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_NOMEM:
        case SQLITE_PROTOCOL:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return ErrorCode::unavailable;
        case SQLITE_INTERRUPT:
            return ErrorCode::deadline_exceeded;
        case SQLITE_CONSTRAINT:
            return ErrorCode::conflict;
        case SQLITE_TOOBIG:
            return ErrorCode::payload_too_large;
        default:
            return ErrorCode::internal;
    }
}

const char* message_for(ErrorCode code) {
    switch (code) {
        case ErrorCode::unavailable:
            return "The server cannot reach its storage. Try again in a moment.";
        case ErrorCode::deadline_exceeded:
            return "The server's storage took too long. Try again in a moment.";
        case ErrorCode::conflict:
            return "This conflicts with what is stored already.";
        case ErrorCode::payload_too_large:
            return "This is too large to be stored.";
        default:
            return "Something went wrong in the server.";
    }
}

ErrorOptions options_for(ErrorCode code, std::string detail) {
    ErrorOptions options{.detail = std::move(detail)};
    const bool may_pass = code == ErrorCode::unavailable || code == ErrorCode::deadline_exceeded;
    if (may_pass) options.retry_after = std::chrono::seconds(1);
    return options;
}

// What is in these files is for their owner only (password hashes, sessions, messages). SQLite gives the -wal
// and -shm files the same mode.
void create_private_file(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path();
    std::error_code ignored;  // opening the file says what is wrong
    if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) throw Failure(SQLITE_CANTOPEN, fmt::format("{}: errno {}", path, errno));
    ::close(descriptor);
}

}  // namespace

Failure::Failure(int sqlite_code, std::string detail)
    : Error(code_for(sqlite_code), message_for(code_for(sqlite_code)),
            options_for(code_for(sqlite_code), std::move(detail))),
      sqlite_code_(sqlite_code) {}

bool Failure::is_unique_violation() const {
    return sqlite_code_ == SQLITE_CONSTRAINT_UNIQUE || sqlite_code_ == SQLITE_CONSTRAINT_PRIMARYKEY ||
           sqlite_code_ == SQLITE_CONSTRAINT_ROWID;
}

std::string Failure::violated_index() const {
    constexpr std::string_view before = "index '";
    const auto start = detail().find(before);
    if (start == std::string::npos) return {};
    const auto name = start + before.size();
    return detail().substr(name, detail().find('\'', name) - name);
}

struct CompiledStatement {
    struct Finalize {
        void operator()(sqlite3_stmt* compiled) const { sqlite3_finalize(compiled); }
    };
    std::string sql;
    std::unique_ptr<sqlite3_stmt, Finalize> statement;
    bool in_use = false;
    std::any attachment;
};

// What SQLite's callbacks and the statements in use point into: it stays where it is when the connection
// moves.
struct Connection::State {
    Options options;

    std::list<CompiledStatement> statements{};  // the one used last is in front
    std::unordered_map<std::string_view, std::list<CompiledStatement>::iterator> by_sql{};

    // The limits of the statement that was begun last.
    std::optional<int> operations_left{};
    std::optional<SteadyTime> deadline{};
    std::chrono::milliseconds busy_time_max{options.busy_time_max};
    SteadyTime busy_since{};

    void drop_oldest() {
        for (auto it = statements.end(); it != statements.begin();) {
            --it;
            if (it->in_use) continue;
            by_sql.erase(it->sql);
            statements.erase(it);
            return;
        }
    }
};

void Connection::Closer::operator()(sqlite3* handle) const {
    sqlite3_close_v2(handle);
}

Connection::Connection(Options options)
    : state_(std::make_unique<State>(State{.options = std::move(options)})) {
    const std::string& path = state_->options.path;
    const bool writes = state_->options.access == Access::read_write;
    if (writes && path != memory_path) create_private_file(path);
    sqlite3* handle = nullptr;
    // A read connection is opened for writing too: it must be able to recover the WAL, and the last one to
    // close to fold it into the file.
    const int code =
        sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) throw Failure(code, path + ": " + sqlite3_errstr(code));
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_handler(handle, &Connection::on_busy, state_.get());
    sqlite3_progress_handler(handle, progress_interval_operations, &Connection::on_progress, state_.get());
    try {
        configure();
    } catch (const Failure& failure) {
        throw Failure(failure.sqlite_code(), path + ": " + failure.detail());
    }
}

Connection::Connection(Connection&&) noexcept = default;
Connection::~Connection() = default;

void Connection::configure() {
    const Options& options = state_->options;
    if (options.access == Access::read_write) {
        if (options.path != memory_path) switch_to_write_ahead_log();
        // FULL: the WAL is synced at every commit, so what was acknowledged survives a power loss. It is
        // folded into the file at 8 MiB: a page that many transactions change is then written once. After a
        // burst the WAL file shrinks again to the limit.
        execute(
            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2048;"
            "PRAGMA journal_size_limit = 67108864");
    } else {
        execute("PRAGMA query_only = ON");
    }
    // Cells that point where they should not are an error, instead of anything at all.
    execute(
        "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;"
        "PRAGMA cell_size_check = ON");
    if (options.secure_delete) execute("PRAGMA secure_delete = ON");
}

void Connection::switch_to_write_ahead_log() {
    const auto give_up_at = std::chrono::steady_clock::now() + state_->options.busy_time_max;
    while (true) {
        const int code = sqlite3_exec(handle_.get(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
        if (code == SQLITE_OK) break;
        // Two processes that make the file at once meet here, and for this lock SQLite itself does not wait.
        const bool busy = (code & 0xff) == SQLITE_BUSY && std::chrono::steady_clock::now() < give_up_at;
        if (!busy) fail(code);
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    Rows mode = query("PRAGMA journal_mode");
    mode.next();
    // SQLite stays silent where the file system cannot share memory between processes.
    if (mode.text(0) != "wal")
        throw Failure(SQLITE_CANTOPEN, "the file system does not support write-ahead logs");
}

Rows Connection::prepare(std::string_view sql) {
    State& state = *state_;
    state.operations_left.reset();
    state.deadline.reset();
    if (const auto limit = state.options.statement_time_max)
        state.deadline = std::chrono::steady_clock::now() + *limit;
    if (const auto found = state.by_sql.find(sql); found != state.by_sql.end()) {
        const auto entry = found->second;
        if (entry->in_use) {
            auto own = std::make_unique<CompiledStatement>();
            own->statement.reset(compile(sql, false));
            return Rows(*this, std::move(own));
        }
        state.statements.splice(state.statements.begin(), state.statements, entry);
        return Rows(*this, *entry);
    }
    CompiledStatement compiled{.sql = std::string(sql), .statement{compile(sql, true)}, .attachment{}};
    if (state.statements.size() >= statements_kept_max) state.drop_oldest();
    state.statements.push_front(std::move(compiled));
    state.by_sql.emplace(state.statements.front().sql, state.statements.begin());
    return Rows(*this, state.statements.front());
}

sqlite3_stmt* Connection::compile(std::string_view sql, bool keep) {
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        keep ? SQLITE_PREPARE_PERSISTENT : 0, &statement, &tail);
    if (code != SQLITE_OK) fail(code);
    const std::string_view rest(tail, static_cast<std::size_t>(sql.data() + sql.size() - tail));
    const char* wrong = nullptr;
    if (statement == nullptr || rest.find_first_not_of(" \n\t;") != std::string_view::npos)
        wrong = "a statement is exactly one statement";
    else if (state_->options.access == Access::read_only && sqlite3_stmt_readonly(statement) == 0)
        wrong = "is declared a read, but writes";
    if (wrong == nullptr) return statement;
    sqlite3_finalize(statement);
    throw Failure(SQLITE_MISUSE, wrong);
}

void Connection::execute(const std::string& sql) {
    state_->operations_left.reset();
    state_->deadline.reset();
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(code);
}

void Connection::limit_operations(int operations_max) {
    state_->operations_left = operations_max;
    state_->deadline.reset();
}

bool Connection::in_transaction() const {
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

std::int64_t Connection::changes() const {
    return sqlite3_changes64(handle_.get());
}

std::int64_t Connection::total_changes() const {
    return sqlite3_total_changes64(handle_.get());
}

bool Connection::truncate_log() {
    // Nobody who writes should wait for a reader to end: it is tried again another time.
    state_->busy_time_max = std::chrono::milliseconds(0);
    const int code =
        sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    state_->busy_time_max = state_->options.busy_time_max;
    if ((code & 0xff) == SQLITE_BUSY) return false;
    if (code != SQLITE_OK) fail(code);
    return true;
}

void Connection::fail(int code) const {
    throw Failure(code, sqlite3_errmsg(handle_.get()));
}

int Connection::on_progress(void* pointer) {
    auto& state = *static_cast<State*>(pointer);
    if (state.operations_left) {
        *state.operations_left -= progress_interval_operations;
        return *state.operations_left < 0 ? 1 : 0;
    }
    return state.deadline && std::chrono::steady_clock::now() > *state.deadline ? 1 : 0;
}

// SQLite's own handler sleeps up to 100 ms; another writer of the file holds it for one fsync, which is
// shorter.
int Connection::on_busy(void* pointer, int attempt) {
    auto& state = *static_cast<State*>(pointer);
    constexpr std::chrono::microseconds step_max{5'000};
    const auto now = std::chrono::steady_clock::now();
    if (attempt == 0) state.busy_since = now;
    if (now - state.busy_since >= state.busy_time_max) return 0;
    std::this_thread::sleep_for(std::min(step_max, std::chrono::microseconds(100) * (attempt + 1)));
    return 1;
}

Rows::Rows(Connection& connection, CompiledStatement& cached)
    : connection_(&connection), compiled_(&cached), statement_(cached.statement.get()) {
    cached.in_use = true;
}

Rows::Rows(Connection& connection, std::unique_ptr<CompiledStatement> own)
    : connection_(&connection),
      compiled_(own.get()),
      own_(std::move(own)),
      statement_(compiled_->statement.get()) {}

Rows::Rows(Rows&& other) noexcept
    : connection_(other.connection_),
      compiled_(other.compiled_),
      own_(std::move(other.own_)),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_) {}

Rows::~Rows() {
    if (statement_ == nullptr || own_ != nullptr) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    compiled_->in_use = false;
}

void Rows::check(int code) const {
    if (code != SQLITE_OK) connection_->fail(code);
}

std::any& Rows::attachment() {
    return compiled_->attachment;
}

Rows& Rows::bind(std::nullptr_t) {
    check(sqlite3_bind_null(statement_, ++bound_));
    return *this;
}
Rows& Rows::bind(std::int64_t value) {
    check(sqlite3_bind_int64(statement_, ++bound_, value));
    return *this;
}
Rows& Rows::bind(double value) {
    check(sqlite3_bind_double(statement_, ++bound_, value));
    return *this;
}
Rows& Rows::bind(std::string_view text) {
    // A null pointer would bind NULL instead of the empty text.
    check(sqlite3_bind_text64(statement_, ++bound_, text.data() == nullptr ? "" : text.data(), text.size(),
                              SQLITE_TRANSIENT, SQLITE_UTF8));
    return *this;
}
Rows& Rows::bind(Bytes bytes) {
    check(sqlite3_bind_blob64(statement_, ++bound_, bytes.value.data() == nullptr ? "" : bytes.value.data(),
                              bytes.value.size(), SQLITE_TRANSIENT));
    return *this;
}

int Rows::parameter_count() const {
    return sqlite3_bind_parameter_count(statement_);
}
std::string_view Rows::parameter_name(int slot) const {
    const char* name = sqlite3_bind_parameter_name(statement_, slot);
    return name == nullptr ? std::string_view{} : name;
}

bool Rows::next() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    connection_->fail(code);
}

void Rows::finish() {
    while (next()) {
    }
}

int Rows::column_count() const {
    return sqlite3_column_count(statement_);
}
std::string_view Rows::column_name(int column) const {
    return sqlite3_column_name(statement_, column);
}

ColumnType Rows::type(int column) const {
    switch (sqlite3_column_type(statement_, column)) {
        case SQLITE_INTEGER:
            return ColumnType::integer;
        case SQLITE_FLOAT:
            return ColumnType::real;
        case SQLITE_TEXT:
            return ColumnType::text;
        case SQLITE_BLOB:
            return ColumnType::bytes;
        default:
            return ColumnType::null;
    }
}
std::int64_t Rows::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}
double Rows::real(int column) const {
    return sqlite3_column_double(statement_, column);
}

std::string_view Rows::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return data == nullptr
               ? std::string_view{}
               : std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}
std::string_view Rows::bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return data == nullptr
               ? std::string_view{}
               : std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::optional<std::string> path_of_url(std::string_view url, std::string_view scheme) {
    if (!url.starts_with(scheme)) return std::nullopt;
    return std::string(url.substr(scheme.size()));
}

}  // namespace spaktok::sqlite
