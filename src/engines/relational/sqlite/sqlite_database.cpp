#include "engines/relational/sqlite/sqlite_database.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/assert.h"

namespace spaktok::relational::sqlite {

namespace {

// The file as given, after making its folder: the first start needs nothing prepared.
const std::string& with_folder(const std::string& file) {
    const auto folder = std::filesystem::path(file).parent_path();
    std::error_code error;  // what matters is whether the file can be opened, and that says so
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    return file;
}

}  // namespace

// As many connections as the pool has threads, so that a thread always finds one.
class SqliteDatabase::PoolReaders {
  public:
    PoolReaders(const std::string& file, std::size_t count, ConnectionLimits limits) {
        for (std::size_t made = 0; made < count; ++made) {
            free_.push_back(std::make_unique<Connection>(file, Connection::Access::read, limits));
        }
    }

    Result run(const Statement& statement, const std::vector<Value>& args) {
        const Borrowed borrowed{*this, take()};
        return borrowed.connection->run(statement, args);
    }

  private:
    struct Borrowed {
        PoolReaders& owner;
        std::unique_ptr<Connection> connection;
        Borrowed(PoolReaders& from, std::unique_ptr<Connection> taken)
            : owner(from), connection(std::move(taken)) {}
        ~Borrowed() {
            const std::lock_guard lock(owner.mutex_);
            owner.free_.push_back(std::move(connection));
        }
        Borrowed(const Borrowed&) = delete;
        Borrowed& operator=(const Borrowed&) = delete;
    };

    std::unique_ptr<Connection> take() {
        const std::lock_guard lock(mutex_);
        SPAKTOK_ASSERT(!free_.empty());
        auto connection = std::move(free_.back());
        free_.pop_back();
        return connection;
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> free_;
};

SqliteDatabase::SqliteDatabase(const std::string& file, OpenOptions open_options, Options options)
    : writer_(with_folder(file), options.writer),
      inline_readers_(file, open_options.io_threads),
      pool_readers_(std::make_unique<PoolReaders>(file, open_options.read_pool_threads, options.readers)),
      pool_({.name = "sqlite-reader",
             .threads = open_options.read_pool_threads,
             .queue_jobs_max = options.read_queue_max}) {}

SqliteDatabase::~SqliteDatabase() = default;

boost::asio::awaitable<void> SqliteDatabase::check() {
    constexpr Statement alive{.name = "check", .sql = "SELECT count(*) FROM sqlite_schema"};
    if (writer_.queue_is_full()) {
        throw Error(ErrorCode::unavailable, "The database is not available at the moment.",
                    {.detail = "the write queue is full", .retry_after = std::chrono::seconds{1}});
    }
    co_await read_on_pool(alive, {});
}

boost::asio::awaitable<Result> SqliteDatabase::run(const Statement& statement, std::vector<Value> args) {
    if (statement.mode == Mode::write) co_return co_await writer_.run(statement, std::move(args));
    if (statement.mode == Mode::point_read) {
        auto* reader = inline_readers_.of_this_thread();
        if (reader != nullptr) {
            if (auto result = reader->run_point_read(statement, args)) co_return std::move(*result);
        }
    }
    co_return co_await read_on_pool(statement, std::move(args));
}

boost::asio::awaitable<Result> SqliteDatabase::read_on_pool(Statement statement, std::vector<Value> args) {
    co_return co_await pool_.run([&] { return pool_readers_->run(statement, args); });
}

boost::asio::awaitable<void> SqliteDatabase::run_transaction(TransactionBody body) {
    co_await writer_.run_transaction(std::move(body));
}

}  // namespace spaktok::relational::sqlite
