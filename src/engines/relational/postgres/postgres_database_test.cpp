// What is PostgreSQL's own: its types, its sessions, and a server that goes away in all the ways that servers
// do. The port's contract is in relational_contract_suite.cpp.
#include "engines/relational/postgres/postgres_database.h"

#include <future>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include "base/io_threads.h"
#include "base/metrics.h"
#include "engines/relational/postgres/test_server.h"
#include "engines/relational/relational_contract_suite.h"

namespace spaktok::relational::postgres {
namespace {

namespace asio = boost::asio;
using contract::error_of;
using contract::PostgresPlace;
using contract::run;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr Statement insert_note{
    .name = "insert_note", .sql = "INSERT INTO notes (id, label) VALUES ($1, $2)", .mode = Mode::write};
constexpr Statement find_note{
    .name = "find_note", .sql = "SELECT * FROM notes WHERE id = $1", .mode = Mode::point_read};
constexpr Statement rename_note{
    .name = "rename_note", .sql = "UPDATE notes SET label = $1 WHERE id = $2", .mode = Mode::write};
constexpr Statement count_notes{.name = "count_notes", .sql = "SELECT count(*) AS notes FROM notes"};
constexpr Statement divide{.name = "divide", .sql = "SELECT 12 / $1 AS quotient", .mode = Mode::point_read};
constexpr Statement sleep_long{.name = "sleep_long", .sql = "SELECT pg_sleep(30)"};
constexpr Statement end_all_others{.name = "end_all_others",
                                   .sql =
                                       "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                       "WHERE application_name = 'spaktok' AND pid <> pg_backend_pid()"};

asio::awaitable<void> make_notes(Database& database) {
    co_await database.run_transaction([](Transaction& tx) -> asio::awaitable<void> {
        co_await tx.run_script("CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, label TEXT)");
    });
}

// The value of a series, such as sessions{pool="read"}; 0 where there is none.
double measured(const std::string& series) {
    const std::string name = "\nspaktok_postgres_" + series + " ";
    const auto text = metrics::expose();
    const auto found = text.find(name);
    return found == std::string::npos ? 0 : std::stod(text.substr(found + name.size()));
}

// Short limits, so that a test sees them pass.
PostgresDatabase::Options hasty() {
    return {.transactions = {.count = 2, .waiting_max = 3, .wait_max = milliseconds(300)},
            .sessions = {.connect_timeout = milliseconds(1'000),
                         .statement_timeout = milliseconds(400),
                         .silence_max = milliseconds(1'000)}};
}

class PostgresDatabaseTest : public testing::Test {
  protected:
    void SetUp() override { run(make_notes(database_)); }
    std::int64_t notes() { return run(database_.query(count_notes))[0].get<std::int64_t>("notes"); }

    IoThreads threads_{2};  // of the callers, whose contexts outlive the database
    PostgresPlace place_;
    PostgresDatabase database_{place_.url(), hasty()};
};

// ---- Types

TEST_F(PostgresDatabaseTest, KeepsMoneyAsDecimalsOfANumeric) {
    run(database_.run_transaction([](Transaction& tx) -> asio::awaitable<void> {
        co_await tx.run_script("CREATE TABLE prices (amount NUMERIC(15, 2) NOT NULL)");
    }));
    constexpr Statement insert{
        .name = "insert_price", .sql = "INSERT INTO prices (amount) VALUES ($1)", .mode = Mode::write};
    constexpr Statement list{.name = "list_prices", .sql = "SELECT amount FROM prices ORDER BY amount"};
    constexpr Statement sum{.name = "sum_prices", .sql = "SELECT sum(amount) AS total FROM prices"};
    const std::vector<std::int64_t> amounts{-999'999'999'999'999, -105, -5, 0, 7, 250, 999'999'999'999'999};
    for (const auto minor : amounts)
        run(database_.query(insert, Money::from_minor(minor)));
    std::vector<std::int64_t> found;
    for (const auto row : run(database_.query(list)))
        found.push_back(row.get<Money>("amount").minor());
    EXPECT_EQ(found, amounts);
    EXPECT_EQ(run(database_.query(sum))[0].get<Money>("total"), Money::from_minor(147));
}

TEST_F(PostgresDatabaseTest, ReadsASumOfWholeNumbersAsAWholeNumber) {
    for (int id = 1; id <= 3; ++id)
        run(database_.query(insert_note, id, "x"));
    constexpr Statement sum{.name = "sum_ids", .sql = "SELECT sum(id) AS total FROM notes"};
    EXPECT_EQ(run(database_.query(sum))[0].get<std::int64_t>("total"), 6);
}

// ---- Sessions

TEST_F(PostgresDatabaseTest, AReadThatFailsTakesNoneOfThoseWithItThatShareItsSync) {
    threads_.start();
    std::vector<std::future<std::string>> readers;
    for (int reader = 0; reader < 200; ++reader) {
        const int divisor = reader % 10 == 3 ? 0 : 3;
        readers.push_back(asio::co_spawn(
            threads_.context(threads_.next()),
            [](Database& database, int by) -> asio::awaitable<std::string> {
                try {
                    const auto rows = co_await database.query(divide, by);
                    co_return std::to_string(rows[0].get<int>("quotient"));
                } catch (const Error& error) {
                    co_return error.detail();
                }
            }(database_, divisor),
            asio::use_future));
    }
    for (std::size_t reader = 0; reader < readers.size(); ++reader) {
        const auto outcome = readers[reader].get();
        if (reader % 10 == 3) {
            EXPECT_THAT(outcome, HasSubstr("22012")) << reader;
        } else {
            EXPECT_EQ(outcome, "4") << reader;
        }
    }
    threads_.stop();
}

TEST_F(PostgresDatabaseTest, AStatementThatTakesTooLongIsEndedAndTheSessionGoesOn) {
    const auto begun = steady_clock::now();
    EXPECT_EQ(error_of(database_.query(sleep_long)).code(), ErrorCode::deadline_exceeded);
    EXPECT_LT(steady_clock::now() - begun, milliseconds(10'000));
    EXPECT_EQ(notes(), 0);
}

TEST_F(PostgresDatabaseTest, ATableMayChangeUnderItsPreparedStatements) {
    run(database_.query(insert_note, 1, "x"));
    EXPECT_EQ(run(database_.query(find_note, 1)).size(), 1U);
    run(database_.run_transaction([](Transaction& tx) -> asio::awaitable<void> {
        co_await tx.run_script("ALTER TABLE notes ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'");
    }));
    EXPECT_EQ(run(database_.query(find_note, 1))[0].get<std::string>("colour"), "blue");
}

asio::awaitable<void> hold_until(std::shared_future<void> released, Database& database,
                                 std::atomic<int>& held) {
    co_await database.run_transaction([released, &held](Transaction&) -> asio::awaitable<void> {
        ++held;
        asio::steady_timer timer(co_await asio::this_coro::executor);
        while (released.wait_for(milliseconds(0)) != std::future_status::ready) {
            timer.expires_after(milliseconds(5));
            co_await timer.async_wait(asio::use_awaitable);
        }
    });
}

TEST_F(PostgresDatabaseTest, TransactionsBeyondTheSessionsWaitInOrderAndForALimitedTime) {
    threads_.start();
    std::promise<void> release;
    const auto released = release.get_future().share();
    std::atomic<int> held = 0;
    std::vector<std::future<void>> holding;
    for (int holder = 0; holder < 2; ++holder)
        holding.push_back(
            asio::co_spawn(threads_.context(0), hold_until(released, database_, held), asio::use_future));
    EXPECT_TRUE(engines::testing::eventually([&] { return held == 2; }));
    EXPECT_EQ(measured("sessions{pool=\"transaction\"}"), 2);
    EXPECT_EQ(measured("under_way{pool=\"transaction\"}"), 2);
    const auto nothing = [](Transaction&) -> asio::awaitable<void> { co_return; };
    const auto refused = error_of(database_.run_transaction(nothing));
    EXPECT_EQ(refused.code(), ErrorCode::unavailable);
    EXPECT_EQ(refused.reason(), "busy");
    auto waiting = asio::co_spawn(threads_.context(0), database_.run_transaction(nothing), asio::use_future);
    EXPECT_TRUE(engines::testing::eventually([] { return measured("waiting{pool=\"transaction\"}") == 1; }));
    release.set_value();
    waiting.get();
    for (auto& holder : holding)
        holder.get();
    threads_.stop();
    EXPECT_EQ(measured("under_way{pool=\"transaction\"}"), 0);
    EXPECT_EQ(measured("waiting{pool=\"transaction\"}"), 0);
}

asio::awaitable<void> rename_after(std::shared_future<void> released, Database& database,
                                   std::atomic<int>& attempts) {
    co_await database.run_transaction([released, &attempts](Transaction& tx) -> asio::awaitable<void> {
        co_await tx.query(find_note, 1);
        ++attempts;
        asio::steady_timer timer(co_await asio::this_coro::executor);
        while (released.wait_for(milliseconds(0)) != std::future_status::ready) {
            timer.expires_after(milliseconds(5));
            co_await timer.async_wait(asio::use_awaitable);
        }
        co_await tx.query(rename_note, "late", 1);
    });
}

TEST_F(PostgresDatabaseTest, CountsTheConflictsAfterWhichATransactionRunsAgain) {
    run(database_.query(insert_note, 1, "x"));
    const auto before = measured("conflicts_total{pool=\"transaction\"}");
    threads_.start();
    std::promise<void> release;
    std::atomic<int> attempts = 0;
    auto late =
        asio::co_spawn(threads_.context(0), rename_after(release.get_future().share(), database_, attempts),
                       asio::use_future);
    EXPECT_TRUE(engines::testing::eventually([&] { return attempts == 1; }));
    run(database_.query(rename_note, "early", 1));
    release.set_value();
    late.get();
    threads_.stop();
    EXPECT_EQ(attempts, 2);
    EXPECT_EQ(run(database_.query(find_note, 1))[0].get<std::string>("label"), "late");
    EXPECT_EQ(measured("conflicts_total{pool=\"transaction\"}"), before + 1);
}

asio::awaitable<void> insert_pair(Database& database, std::int64_t id, std::int64_t other) {
    constexpr Statement insert{.name = "insert_pair",
                               .sql = "INSERT INTO pairs (id, other_id) VALUES ($1, $2)",
                               .mode = Mode::write};
    co_await database.run_transaction([insert, id, other](Transaction& tx) -> asio::awaitable<void> {
        co_await tx.query(insert, id, other);
    });
}

TEST_F(PostgresDatabaseTest, ACommitThatIsRefusedLeavesThoseAloneThatAreSentBehindIt) {
    run(database_.run_transaction([](Transaction& tx) -> asio::awaitable<void> {
        co_await tx.run_script(
            "CREATE TABLE pairs (id BIGINT NOT NULL PRIMARY KEY, "
            "other_id BIGINT NOT NULL REFERENCES pairs (id) DEFERRABLE INITIALLY DEFERRED)");
    }));
    threads_.start();
    constexpr std::int64_t nobody = -1;
    std::vector<std::future<void>> inserting;
    for (std::int64_t id = 0; id < 5; ++id)  // two have a session, three wait for one
        inserting.push_back(asio::co_spawn(
            threads_.context(0), insert_pair(database_, id, id % 2 == 0 ? nobody : id), asio::use_future));
    for (std::size_t id = 0; id < inserting.size(); ++id) {
        if (id % 2 == 0) {
            EXPECT_THROW(inserting[id].get(), ConstraintViolation) << id;
        } else {
            EXPECT_NO_THROW(inserting[id].get()) << id;
        }
    }
    threads_.stop();
    constexpr Statement count{.name = "count_pairs", .sql = "SELECT count(*) AS pairs FROM pairs"};
    EXPECT_EQ(run(database_.query(count))[0].get<std::int64_t>("pairs"), 2);
}

TEST_F(PostgresDatabaseTest, AStatementDoesNotRunWhereItsTransactionDidNotBegin) {
    constexpr Statement begin{.name = "begin", .sql = "BEGIN"};
    constexpr Statement rollback{.name = "rollback", .sql = "ROLLBACK"};
    asio::io_context context;
    auto outcome = asio::co_spawn(
        context,
        [](asio::io_context& on, std::string url, Statement first,
           Statement last) -> asio::awaitable<std::string> {
            const auto session =
                co_await Session::connect(on, {.url = std::move(url), .metrics = PoolMetrics("transaction")});
            co_await session->run(insert_note, {std::int64_t{1}, std::string("before")});
            co_await session->run(first, {});
            std::string said;
            try {
                co_await session->run(divide, {std::int64_t{0}});
            } catch (const Error&) {
                said = "failed; ";  // and until its end the server refuses every statement, BEGIN too
            }
            session->begin();
            try {
                co_await session->run(insert_note, {std::int64_t{2}, std::string("not begun")});
            } catch (const Error& error) {
                said += error.detail();
            }
            co_await session->run(last, {});
            session->close();
            co_return said;
        }(context, place_.url(), begin, rollback),
        asio::use_future);
    context.run();
    EXPECT_EQ(outcome.get(), "failed; the transaction did not begin");
    EXPECT_EQ(notes(), 1);
}

// ---- Servers that go away

class PostgresOutage : public testing::Test {
  protected:
    void SetUp() override { run(make_notes(database_)); }
    std::int64_t notes() { return run(database_.query(count_notes))[0].get<std::int64_t>("notes"); }
    // Until the server is back and the pause between two attempts has passed.
    bool comes_back() {
        const auto deadline = steady_clock::now() + std::chrono::seconds(30);
        while (steady_clock::now() < deadline) {
            try {
                run(database_.check());
                notes();
                return true;
            } catch (const Error&) {
                std::this_thread::sleep_for(milliseconds(20));
            }
        }
        return false;
    }

    TestServer server_;
    PostgresDatabase database_{server_.url(), hasty()};
};

TEST_F(PostgresOutage, KeepsEveryAcknowledgedRowThroughKillsOfTheServer) {
    std::atomic<bool> is_writing = true;
    std::vector<std::vector<std::int64_t>> acknowledged(4);
    std::vector<std::thread> writers;
    for (std::size_t writer = 0; writer < acknowledged.size(); ++writer) {
        writers.emplace_back([&, writer] {
            for (std::int64_t id = static_cast<std::int64_t>(writer); is_writing; id += 4) {
                try {
                    run(database_.query(insert_note, id, "acknowledged"));
                    acknowledged[writer].push_back(id);
                } catch (const Error& error) {
                    EXPECT_EQ(error.code(), ErrorCode::unavailable) << error.detail();
                    std::this_thread::sleep_for(milliseconds(5));
                }
            }
        });
    }
    for (int kills = 0; kills < 3; ++kills) {
        std::this_thread::sleep_for(milliseconds(300));
        server_.kill();
        server_.start();
        EXPECT_TRUE(comes_back());
    }
    is_writing = false;
    for (auto& writer : writers)
        writer.join();
    std::size_t rows = 0;
    for (const auto& ids : acknowledged) {
        rows += ids.size();
        for (const auto id : ids)
            ASSERT_EQ(run(database_.query(find_note, id)).size(), 1U) << id;
    }
    EXPECT_GT(rows, 20U);
}

TEST_F(PostgresOutage, RefusesAtOnceWhileTheServerIsGone) {
    server_.kill();
    EXPECT_EQ(error_of(database_.query(count_notes)).code(), ErrorCode::unavailable);
    const auto begun = steady_clock::now();
    const auto error = error_of(database_.query(count_notes));
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_TRUE(error.retry_after().has_value());
    EXPECT_LT(steady_clock::now() - begun, milliseconds(1'000));
    server_.start();
    EXPECT_TRUE(comes_back());
}

TEST_F(PostgresOutage, GivesUpOnAServerThatIsSilentAndComesBackToIt) {
    EXPECT_EQ(notes(), 0);
    server_.pause();
    const auto begun = steady_clock::now();
    EXPECT_EQ(error_of(database_.query(count_notes)).code(), ErrorCode::unavailable);
    EXPECT_EQ(error_of(database_.query(insert_note, 1, "x")).code(), ErrorCode::unavailable);
    EXPECT_LT(steady_clock::now() - begun, milliseconds(15'000));
    server_.resume();
    EXPECT_TRUE(comes_back());
}

TEST_F(PostgresOutage, ReadsSurviveTheEndOfTheirSession) {
    for (int round = 0; round < 5; ++round) {
        EXPECT_EQ(notes(), 0);
        run(database_.query(end_all_others));
        EXPECT_EQ(notes(), 0);
    }
}

TEST_F(PostgresOutage, CountsSessionsThatAreLostAndOpenedAgain) {
    const auto opened = measured("sessions_opened_total{pool=\"transaction\"}");
    const auto lost = measured("sessions_lost_total{pool=\"transaction\"}");
    run(database_.query(end_all_others));
    EXPECT_TRUE(engines::testing::eventually(
        [&] { return measured("sessions_lost_total{pool=\"transaction\"}") == lost + 1; }));
    EXPECT_EQ(measured("sessions{pool=\"transaction\"}"), 0);
    run(database_.run_transaction([](Transaction&) -> asio::awaitable<void> { co_return; }));
    EXPECT_EQ(measured("sessions_opened_total{pool=\"transaction\"}"), opened + 1);
    EXPECT_EQ(measured("sessions{pool=\"transaction\"}"), 1);
}

TEST_F(PostgresOutage, SaysThatItIsBusyWhereTheServerTakesNoMoreConnections) {
    server_.query("CREATE ROLE guest LOGIN CONNECTION LIMIT 1; GRANT ALL ON notes TO guest");
    auto url = server_.url();
    url.replace(url.find("user=spaktok"), 12, "user=guest");
    PostgresDatabase first(url, hasty());
    PostgresDatabase second(url, hasty());
    EXPECT_EQ(run(first.query(count_notes)).size(), 1U);
    const auto error = error_of(second.query(count_notes));
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_THAT(error.detail(), HasSubstr("too many connections"));
}

TEST(PostgresUrl, ThatLeadsNowhereIsUnavailable) {
    PostgresDatabase database("postgres://nobody@127.0.0.1:1/none", hasty());
    EXPECT_EQ(error_of(database.check()).code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace spaktok::relational::postgres
