#include "engines/sqlite/connection.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include <sqlite3.h>

#include "base/assert.h"

namespace spaktok::sqlite {

namespace {

constexpr std::size_t cached_statements_max = 128;
constexpr std::chrono::milliseconds busy_wait_max{10'000};

ErrorCode code_for(int sqlite_code) {
    switch (sqlite_code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_NOMEM:
        case SQLITE_READONLY:
        case SQLITE_INTERRUPT:
            return ErrorCode::unavailable;
        case SQLITE_CONSTRAINT:
            return ErrorCode::conflict;
        default:
            return ErrorCode::internal;
    }
}

const char* message_for(ErrorCode code) {
    switch (code) {
        case ErrorCode::unavailable:
            return "The server cannot reach its storage. Try again in a moment.";
        case ErrorCode::conflict:
            return "This conflicts with what is stored already.";
        default:
            return "Something went wrong in the server.";
    }
}

ErrorOptions options_for(ErrorCode code, std::string detail) {
    ErrorOptions options{.detail = std::move(detail)};
    if (code == ErrorCode::unavailable) options.retry_after = std::chrono::seconds(1);
    return options;
}

// SQLite's own handler sleeps up to 100 ms; another writer of the file holds it for one fsync, which is
// shorter.
int wait_for_other_writer(void*, int attempt) {
    constexpr std::chrono::microseconds step_max{5'000};
    const auto step = std::min(step_max, std::chrono::microseconds(100) * (attempt + 1));
    // Steps grow to step_max within its first 50 attempts; what they add up to is bounded from above by
    // attempt * step_max.
    if (step_max * attempt > busy_wait_max) return 0;
    std::this_thread::sleep_for(step);
    return 1;
}

}  // namespace

Failure::Failure(int sqlite_code, std::string detail)
    : Error(code_for(sqlite_code), message_for(code_for(sqlite_code)),
            options_for(code_for(sqlite_code), std::move(detail))),
      sqlite_code_(sqlite_code) {}

bool Failure::is_unique_violation() const {
    return sqlite_code_ == SQLITE_CONSTRAINT_UNIQUE || sqlite_code_ == SQLITE_CONSTRAINT_PRIMARYKEY;
}

std::string Failure::violated_index() const {
    constexpr std::string_view before = "index '";
    const auto start = detail().find(before);
    if (start == std::string::npos) return {};
    const auto name = start + before.size();
    return detail().substr(name, detail().find('\'', name) - name);
}

struct Connection::Cache {
    std::list<Cached> entries;  // the one used last is in front
    std::unordered_map<std::string_view, std::list<Cached>::iterator> by_sql;

    ~Cache() {
        for (auto& entry : entries)
            sqlite3_finalize(entry.statement);
    }
    void drop_oldest() {
        for (auto it = entries.end(); it != entries.begin();) {
            --it;
            if (it->in_use) continue;
            sqlite3_finalize(it->statement);
            by_sql.erase(it->sql);
            entries.erase(it);
            return;
        }
    }
};

void Connection::Closer::operator()(sqlite3* handle) const {
    sqlite3_close_v2(handle);
}

Connection::Connection(Options options) : cache_(std::make_unique<Cache>()) {
    const bool writes = options.access == Access::read_write;
    const auto folder = std::filesystem::path(options.path).parent_path();
    std::error_code ignored;  // opening the file says what is wrong
    if (writes && !folder.empty()) std::filesystem::create_directories(folder, ignored);

    sqlite3* handle = nullptr;
    // A read connection is opened for writing too: the last one to close must be able to fold the WAL into
    // the file.
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writes ? SQLITE_OPEN_CREATE : 0);
    const int code = sqlite3_open_v2(options.path.c_str(), &handle, flags, nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) throw Failure(code, options.path + ": " + sqlite3_errstr(code));
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_handler(handle, wait_for_other_writer, nullptr);
    execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;"
        "PRAGMA journal_size_limit=67108864;");
    if (options.secure_delete) execute("PRAGMA secure_delete=ON");
    if (!writes) execute("PRAGMA query_only=ON");
}

Connection::Connection(Connection&&) noexcept = default;
Connection::~Connection() = default;

Rows Connection::prepare(std::string_view sql) {
    if (const auto found = cache_->by_sql.find(sql); found != cache_->by_sql.end()) {
        const auto entry = found->second;
        if (entry->in_use) return Rows(*this, compile(sql, false), false);
        cache_->entries.splice(cache_->entries.begin(), cache_->entries, entry);
        entry->in_use = true;
        return Rows(*this, entry->statement, true);
    }
    sqlite3_stmt* statement = compile(sql, true);
    if (cache_->entries.size() >= cached_statements_max) cache_->drop_oldest();
    cache_->entries.push_front({.sql = std::string(sql), .statement = statement, .in_use = true});
    cache_->by_sql.emplace(cache_->entries.front().sql, cache_->entries.begin());
    return Rows(*this, statement, true);
}

sqlite3_stmt* Connection::compile(std::string_view sql, bool keep) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        keep ? SQLITE_PREPARE_PERSISTENT : 0, &statement, nullptr);
    if (code != SQLITE_OK) fail(code);
    return statement;
}

void Connection::release(sqlite3_stmt* statement, bool cached) {
    if (!cached) {
        sqlite3_finalize(statement);
        return;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    const auto found = cache_->by_sql.find(sqlite3_sql(statement));
    SPAKTOK_ASSERT(found != cache_->by_sql.end());
    found->second->in_use = false;
}

void Connection::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(code);
}

bool Connection::in_transaction() const {
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

std::int64_t Connection::changes() const {
    return sqlite3_changes64(handle_.get());
}

void Connection::fail(int code) const {
    throw Failure(code, sqlite3_errmsg(handle_.get()));
}

Rows::Rows(Connection& connection, sqlite3_stmt* statement, bool cached)
    : connection_(&connection), statement_(statement), cached_(cached) {}

Rows::Rows(Rows&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      cached_(other.cached_),
      bound_(other.bound_) {}

Rows::~Rows() {
    if (statement_ != nullptr) connection_->release(statement_, cached_);
}

void Rows::check(int code) const {
    if (code != SQLITE_OK) connection_->fail(code);
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

bool Rows::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
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
