#include "engines/relational/sqlite/sqlite_database.h"

#include <csignal>
#include <fstream>
#include <future>
#include <thread>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/metrics.h"
#include "engines/relational/relational_contract_suite.h"
#include "engines/relational/sqlite/run_statement.h"

namespace spaktok::relational::sqlite {
namespace {

namespace asio = boost::asio;
using contract::error_of;
using contract::run;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr Statement create_notes{
    .name = "create_notes",
    .sql = "CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, label TEXT) STRICT",
    .mode = Mode::write};
constexpr Statement insert_note{
    .name = "insert_note", .sql = "INSERT INTO notes (id, label) VALUES ($1, $2)", .mode = Mode::write};
constexpr Statement insert_endless{
    .name = "insert_endless",
    .sql =
        "INSERT INTO notes (id) WITH RECURSIVE endless (n) AS (SELECT 1000 UNION ALL "
        "SELECT n + 1 FROM endless) SELECT n FROM endless WHERE n < 0",
    .mode = Mode::write};
constexpr Statement list_notes{.name = "list_notes", .sql = "SELECT id FROM notes ORDER BY id"};
constexpr Statement read_endless{.name = "read_endless",
                                 .sql =
                                     "WITH RECURSIVE endless (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM "
                                     "endless) SELECT n FROM endless WHERE n < 0"};

// Keeps the writer inside a transaction until released, so that a test decides what queues up behind it.
class HeldWriter {
  public:
    explicit HeldWriter(Database& database)
        : thread_([this, &database] {
              run(database.transaction([this](Transaction&) -> asio::awaitable<void> {
                  held_.set_value();
                  released_.get_future().wait();
                  co_return;
              }));
          }) {
        held_.get_future().wait();
    }
    ~HeldWriter() { release(); }
    HeldWriter(const HeldWriter&) = delete;
    HeldWriter& operator=(const HeldWriter&) = delete;
    void release() {
        if (!thread_.joinable()) return;
        released_.set_value();
        thread_.join();
    }

  private:
    std::promise<void> held_;
    std::promise<void> released_;
    std::thread thread_;
};

// Callers on the test's own thread, each with its outcome: "done" or the error's code.
class Callers {
  public:
    template <class T>
    void start(asio::awaitable<T> work) {
        const auto index = outcomes_.size();
        outcomes_.emplace_back("waits");
        asio::co_spawn(*context_, note(std::move(work), index), [](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
        });
        context_->restart();
        context_->poll();
    }
    // Runs until everyone has an outcome.
    const std::vector<std::string>& finish() {
        context_->restart();
        context_->run();
        return outcomes_;
    }
    const std::vector<std::string>& outcomes() const { return outcomes_; }

  private:
    template <class T>
    asio::awaitable<void> note(asio::awaitable<T> work, std::size_t index) {
        try {
            co_await std::move(work);
            outcomes_[index] = "done";
        } catch (const Error& error) {
            outcomes_[index] = to_string(error.code());
        }
    }

    contract::BorrowedContext context_;
    std::vector<std::string> outcomes_;
};

class SqliteDatabaseTest : public testing::Test {
  protected:
    SqliteDatabase& open_with(SqliteDatabase::Options options, OpenOptions open_options = {}) {
        database_.reset();
        database_ = std::make_unique<SqliteDatabase>(place_.path().string(), open_options, options);
        run(database_->run_transaction([](Transaction& tx) -> asio::awaitable<void> {
            co_await tx.run_script(
                "CREATE TABLE IF NOT EXISTS notes (id INTEGER NOT NULL PRIMARY KEY, label TEXT) STRICT");
        }));
        return *database_;
    }
    std::vector<int> notes() {
        std::vector<int> ids;
        const auto rows = run(database_->query(list_notes));
        for (const auto row : rows)
            ids.push_back(row.get<int>("id"));
        return ids;
    }
    // A transaction that inserts one note and counts how often it ran.
    asio::awaitable<void> insert_counting(int id, int& runs) {
        co_await database_->transaction([id, &runs](Transaction& tx) -> asio::awaitable<void> {
            ++runs;
            co_await tx.query(insert_note, id, "small");
        });
    }

    contract::FolderPlace place_{"sqlite:", "test.db"};
    std::unique_ptr<SqliteDatabase> database_;
};

TEST_F(SqliteDatabaseTest, TakesWritesUpToTheQueueLimitAndRefusesOneMore) {
    auto& database = open_with({.writer = {.name = "relational", .queue_jobs_max = 4}});
    HeldWriter held(database);
    Callers callers;
    for (int id = 1; id <= 4; ++id)
        callers.start(database.query(insert_note, id, "x"));
    EXPECT_EQ(error_of(database.check()).code(), ErrorCode::unavailable);
    const auto refused = error_of(database.query(insert_note, 5, "x"));
    EXPECT_EQ(refused.code(), ErrorCode::unavailable);
    EXPECT_TRUE(refused.retry_after());
    held.release();
    EXPECT_THAT(callers.finish(), testing::Each("done"));
    EXPECT_THAT(notes(), testing::ElementsAre(1, 2, 3, 4));
    run(database.query(insert_note, 6, "there is room again"));
}

TEST_F(SqliteDatabaseTest, CommitsWhatIsQueuedWhenItIsClosed) {
    auto& database = open_with({});
    Callers callers;
    {
        HeldWriter held(database);
        for (int id = 1; id <= 3; ++id)
            callers.start(database.query(insert_note, id, "x"));
    }
    database_.reset();
    EXPECT_THAT(callers.finish(), testing::Each("done"));
    open_with({});
    EXPECT_THAT(notes(), testing::ElementsAre(1, 2, 3));
}

TEST_F(SqliteDatabaseTest, RunsAGroupsMembersOneByOneWhenAFullDiskEndsIt) {
    auto& database = open_with({});
    run(database.transaction([](Transaction& tx) -> asio::awaitable<void> {
        co_await tx.run_script("PRAGMA max_page_count = 30");
    }));
    int first_runs = 0;
    int last_runs = 0;
    Callers callers;
    HeldWriter held(database);
    callers.start(insert_counting(1, first_runs));
    callers.start(database.query(insert_note, 2, std::string(1'000'000, 'x')));
    callers.start(insert_counting(3, last_runs));
    held.release();
    EXPECT_THAT(callers.finish(), testing::ElementsAre("done", "unavailable", "done"));
    EXPECT_THAT(notes(), testing::ElementsAre(1, 3));
    EXPECT_EQ(first_runs, 2) << "the group was not ended, so this tests nothing";
}

TEST_F(SqliteDatabaseTest, KeepsWhatIsCommittedAndGoesOnWhenTheFileSystemTakesNoMore) {
    auto& database = open_with({});
    run(database.query(insert_note, 1, "before"));
    auto wal = place_.path();
    wal += "-wal";
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit = before;
    limit.rlim_cur = std::filesystem::file_size(wal);
    int runs = 0;
    Callers callers;
    {
        HeldWriter held(database);
        callers.start(insert_counting(2, runs));
        callers.start(database.query(insert_note, 3, "x"));
        ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    }
    const auto outcomes = callers.finish();
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, old_handler);
    EXPECT_THAT(outcomes, testing::ElementsAre("unavailable", "unavailable"));
    EXPECT_EQ(runs, 2);  // in the group, and alone
    EXPECT_THAT(notes(), testing::ElementsAre(1));
    run(database.query(insert_note, 4, "after"));
    EXPECT_THAT(notes(), testing::ElementsAre(1, 4));
}

TEST_F(SqliteDatabaseTest, EndsAWriteThatTakesTooLongWithoutTheOthersOfItsGroup) {
    auto& database = open_with({.statement_time_max = milliseconds(50)});
    int runs = 0;
    Callers callers;
    HeldWriter held(database);
    callers.start(insert_counting(1, runs));
    callers.start(database.query(insert_endless));
    callers.start(insert_counting(2, runs));
    held.release();
    EXPECT_THAT(callers.finish(), testing::ElementsAre("done", "deadline_exceeded", "done"));
    EXPECT_THAT(notes(), testing::ElementsAre(1, 2));
}

TEST_F(SqliteDatabaseTest, EndsAReadThatTakesTooLong) {
    auto& database = open_with({.statement_time_max = milliseconds(50)});
    EXPECT_EQ(error_of(database.query(read_endless)).code(), ErrorCode::deadline_exceeded);
    EXPECT_THAT(notes(), testing::IsEmpty());
}

TEST_F(SqliteDatabaseTest, AnswersEveryoneWhenAnotherProcessKeepsTheWriteLock) {
    auto& database = open_with({.busy_time_max = milliseconds(30)});
    Callers callers;
    HeldWriter held(database);
    callers.start(database.query(insert_note, 1, "x"));
    callers.start(database.query(insert_note, 2, "x"));
    // Another process would be another connection too. It gets the lock only once the writer has let go of
    // it, and the writer's next group waits for this thread's poll: the lock is taken before the group
    // begins.
    Connection other({.path = place_.path().string(), .busy_time_max = milliseconds(10)});
    const auto take_lock = [&] {
        try {
            other.execute("BEGIN IMMEDIATE");
            return true;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::unavailable);
            return false;
        }
    };
    EXPECT_FALSE(take_lock());
    held.release();
    callers.finish();
    ASSERT_TRUE(take_lock());
    EXPECT_EQ(error_of(database.query(insert_note, 3, "x")).code(), ErrorCode::unavailable);
    EXPECT_EQ(notes().size(), 2U);  // readers do not wait
    other.execute("COMMIT");
    run(database.query(insert_note, 3, "x"));
}

TEST_F(SqliteDatabaseTest, AnswersAPointReadThatTurnsOutToBeLong) {
    auto& database = open_with({});
    constexpr Statement sum{
        .name = "sum",
        .sql =
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1) "
            "SELECT sum(n) AS total FROM numbers",
        .mode = Mode::point_read};
    EXPECT_EQ(run(database.query(sum, 10))[0].get<std::int64_t>("total"), 55);
    EXPECT_EQ(run(database.query(sum, 100'000))[0].get<std::int64_t>("total"), 5'000'050'000);
    EXPECT_EQ(run(database.query(sum, 10))[0].get<std::int64_t>("total"), 55);
}

TEST_F(SqliteDatabaseTest, RefusesAReadThatWrites) {
    auto& database = open_with({});
    for (const auto mode : {Mode::read, Mode::point_read}) {
        const auto error =
            error_of(database.query(Statement{.name = "liar", .sql = "DELETE FROM notes", .mode = mode}));
        EXPECT_EQ(error.code(), ErrorCode::internal);
        EXPECT_THAT(error.detail(), HasSubstr("liar"));
    }
}

TEST_F(SqliteDatabaseTest, RefusesSqlThatIsNotOneStatementWithNumberedParameters) {
    auto& database = open_with({});
    for (const auto* sql :
         {"SELECT 1; SELECT 2", "", "-- nothing", "SELECT ?1", "SELECT $name", "SELECT $0", "SELEC 1"}) {
        EXPECT_EQ(error_of(database.query(Statement{.name = "odd", .sql = sql}, 1)).code(),
                  ErrorCode::internal)
            << sql;
    }
    EXPECT_EQ(
        run(database.query(Statement{.name = "even", .sql = "SELECT 1 AS one ; \n"}))[0].get<int>("one"), 1);
}

TEST_F(SqliteDatabaseTest, RefusesAResultOfMoreRowsThanItsLimit) {
    auto& database = open_with({});
    constexpr Statement rows{
        .name = "rows",
        .sql =
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
            "WHERE n < $1) SELECT n FROM numbers"};
    EXPECT_EQ(run(database.query(rows, static_cast<std::int64_t>(result_rows_max))).size(), result_rows_max);
    EXPECT_EQ(error_of(database.query(rows, static_cast<std::int64_t>(result_rows_max) + 1)).code(),
              ErrorCode::internal);
}

TEST_F(SqliteDatabaseTest, LeavesNothingOfAWriteThatReturnsMoreRowsThanItsLimit) {
    auto& database = open_with({});
    constexpr Statement insert_many{.name = "insert_many",
                                    .sql =
                                        "INSERT INTO notes (id) WITH RECURSIVE numbers (n) AS (SELECT 1000 "
                                        "UNION ALL SELECT n + 1 FROM numbers "
                                        "WHERE n < $1) SELECT n FROM numbers WHERE true RETURNING id",
                                    .mode = Mode::write};
    Callers callers;
    HeldWriter held(database);
    callers.start(database.query(insert_note, 1, "x"));
    callers.start(database.query(insert_many, 1000 + static_cast<std::int64_t>(result_rows_max)));
    callers.start(database.query(insert_note, 2, "x"));
    held.release();
    EXPECT_THAT(callers.finish(), testing::ElementsAre("done", "internal", "done"));
    EXPECT_THAT(notes(), testing::ElementsAre(1, 2));
}

TEST_F(SqliteDatabaseTest, GoesOnWhenMoreStatementsAreMadeUpThanItKeeps) {
    auto& database = open_with({});
    for (std::size_t made = 0; made <= Connection::statements_kept_max; ++made) {
        const auto sql = "SELECT " + std::to_string(made) + " AS number";
        const auto rows =
            run(database.query(Statement{.name = "made_up", .sql = sql, .mode = Mode::point_read}));
        ASSERT_EQ(rows[0].get<std::int64_t>("number"), static_cast<std::int64_t>(made));
    }
}

TEST_F(SqliteDatabaseTest, SeesColumnsThatAMigrationAdds) {
    auto& database = open_with({});
    constexpr Statement all{.name = "all_notes", .sql = "SELECT * FROM notes", .mode = Mode::point_read};
    run(database.query(insert_note, 1, "x"));
    EXPECT_EQ(run(database.query(all))[0].get<int>("id"), 1);
    run(database.query(Statement{.name = "alter",
                                 .sql = "ALTER TABLE notes ADD COLUMN more INTEGER NOT NULL DEFAULT 7",
                                 .mode = Mode::write}));
    EXPECT_EQ(run(database.query(all))[0].get<int>("more"), 7);
}

TEST_F(SqliteDatabaseTest, IsReadableByItsOwnerOnly) {
    open_with({});
    for (const auto* suffix : {"", "-wal", "-shm"}) {
        struct stat status{};
        ASSERT_EQ(::stat((place_.path().string() + suffix).c_str(), &status), 0) << suffix;
        EXPECT_EQ(status.st_mode & 0777U, 0600U) << suffix;
    }
}

TEST_F(SqliteDatabaseTest, MakesTheFolderOfItsFile) {
    const auto nested = place_.path().parent_path() / "a" / "b" / "new.db";
    const auto database = open("sqlite:" + nested.string(), {});
    run(database->check());
    EXPECT_TRUE(std::filesystem::exists(nested));
}

TEST_F(SqliteDatabaseTest, SaysThatAFileIsNoDatabase) {
    std::ofstream(place_.path()) << std::string(4096, 'x');
    for (const auto& path : {place_.path(), place_.path().parent_path()}) {
        try {
            open("sqlite:" + path.string(), {});
            ADD_FAILURE() << path;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::unavailable);
            EXPECT_THAT(error.detail(), HasSubstr(path.string()));
        }
    }
}

TEST_F(SqliteDatabaseTest, CountsStatementsByName) {
    auto& database = open_with({});
    constexpr Statement counted{
        .name = "counted_note", .sql = "INSERT INTO notes (id) VALUES ($1)", .mode = Mode::write};
    run(database.query(counted, 1));
    run(database.query(counted, 2));
    error_of(database.query(counted, 2));
    const auto text = metrics::expose();
    EXPECT_THAT(text, HasSubstr("spaktok_relational_statements_total{statement=\"counted_note\"} 3"));
    EXPECT_THAT(text, HasSubstr("spaktok_relational_statement_errors_total{statement=\"counted_note\"} 1"));
}

asio::awaitable<void> wait_inside(Database& database) {
    co_await database.transaction([](Transaction&) -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
        co_await timer.async_wait(asio::use_awaitable);
    });
}

TEST_F(SqliteDatabaseTest, StopsTheProgramWhoseTransactionWaitsForSomethingElse) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            open_with({});
            run(wait_inside(*database_));
        },
        "finished");
}

// Thirty threads of which two have a connection for point reads; the others go by the pool.
TEST(SqliteDatabaseConcurrent, AnswersPointReadsOfMoreThreadsThanItHasConnectionsFor) {
    const contract::FolderPlace place("sqlite:", "test.db");
    SqliteDatabase database(place.path().string(), {.io_threads = 2});
    run(database.query(create_notes));
    for (int id = 0; id < 30; ++id)
        run(database.query(insert_note, id, std::to_string(id)));
    constexpr Statement find{
        .name = "find_note", .sql = "SELECT label FROM notes WHERE id = $1", .mode = Mode::point_read};
    std::vector<std::future<int>> threads;
    for (int id = 0; id < 30; ++id) {
        threads.push_back(std::async(std::launch::async, [&database, &find, id] {
            int wrong = 0;
            for (int time = 0; time < 20; ++time) {
                if (run(database.query(find, id))[0].get<std::string>("label") != std::to_string(id)) ++wrong;
            }
            return wrong;
        }));
    }
    for (auto& thread : threads)
        EXPECT_EQ(thread.get(), 0);
}

}  // namespace
}  // namespace spaktok::relational::sqlite
