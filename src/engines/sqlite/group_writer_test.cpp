#include "engines/sqlite/group_writer.h"

#include <filesystem>
#include <future>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "engines/testing/testing.h"

namespace spaktok::sqlite {

using engines::testing::error_of;
using engines::testing::FolderPlace;
using engines::testing::run;

namespace {

Connection open_rows(const FolderPlace& place) {
    Connection connection({.path = place.path().string()});
    connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, filling BLOB) STRICT");
    return connection;
}

std::int64_t count_rows(const FolderPlace& place) {
    Connection connection = open_rows(place);
    Rows rows = connection.query("SELECT count(*) FROM rows");
    rows.next();
    return rows.integer(0);
}

void insert(Connection& connection, int id) {
    connection.run("INSERT INTO rows (id) VALUES (?)", id);
}

// Holds the writer in a job until released, so that what is submitted meanwhile forms one group.
class Gate {
  public:
    explicit Gate(GroupWriter& writer) {
        std::promise<void> entered;
        auto inside = entered.get_future();
        thread_ = std::thread([this, &writer, &entered] {
            writer.run_blocking([&](Connection&) {
                entered.set_value();
                released_.get_future().wait();
            });
        });
        inside.wait();
    }
    ~Gate() { thread_.join(); }
    void release() { released_.set_value(); }

  private:
    std::promise<void> released_;
    std::thread thread_;
};

}  // namespace

class GroupWriterTest : public testing::Test {
  protected:
    FolderPlace place_{"", "writer.db"};
    GroupWriter writer_{open_rows(place_), {.name = "test", .queue_jobs_max = 4}};

    // Submits all bodies as one group and returns what each caller was told: nullopt, or its error's code.
    std::vector<std::optional<ErrorCode>> as_one_group(std::vector<std::function<void(Connection&)>> bodies) {
        std::vector<std::optional<ErrorCode>> outcomes(bodies.size());
        std::vector<std::thread> callers;
        Gate gate(writer_);
        for (std::size_t i = 0; i < bodies.size(); ++i) {
            callers.emplace_back([&, i] {
                try {
                    writer_.run_blocking(bodies[i]);
                } catch (const Error& error) {
                    outcomes[i] = error.code();
                }
            });
            EXPECT_TRUE(engines::testing::eventually([&] { return writer_.queued() == i + 1; }));
        }
        gate.release();
        for (auto& caller : callers)
            caller.join();
        return outcomes;
    }
};

TEST_F(GroupWriterTest, AMemberThatFailsIsUndoneAlone) {
    const auto outcomes = as_one_group({
        [](Connection& connection) { insert(connection, 1); },
        [](Connection& connection) {
            insert(connection, 2);
            throw Error(ErrorCode::forbidden, "no");
        },
        [](Connection& connection) {
            insert(connection, 3);
            insert(connection, 1);  // there already
        },
        [](Connection& connection) { insert(connection, 4); },
    });
    const std::vector<std::optional<ErrorCode>> expected{std::nullopt, ErrorCode::forbidden,
                                                         ErrorCode::conflict, std::nullopt};
    EXPECT_EQ(outcomes, expected);
    EXPECT_EQ(count_rows(place_), 2);
}

TEST_F(GroupWriterTest, AFullDiskFailsOnlyWhoDoesNotFit) {
    writer_.run_blocking([](Connection& connection) { connection.execute("PRAGMA max_page_count = 16"); });
    const auto fill = [](int id, int bytes) {
        return [id, bytes](Connection& connection) {
            connection.run("INSERT INTO rows (id, filling) VALUES (?, zeroblob(?))", id, bytes);
        };
    };
    const auto outcomes = as_one_group({fill(1, 10), fill(2, 1'000'000), fill(3, 10)});
    const std::vector<std::optional<ErrorCode>> expected{std::nullopt, ErrorCode::unavailable, std::nullopt};
    EXPECT_EQ(outcomes, expected);
    EXPECT_EQ(count_rows(place_), 2);
}

TEST_F(GroupWriterTest, RefusesWhatTheQueueCannotHold) {
    std::vector<std::thread> callers;
    {
        Gate gate(writer_);
        for (int i = 0; i < 4; ++i) {
            callers.emplace_back(
                [&, i] { writer_.run_blocking([i](Connection& connection) { insert(connection, i); }); });
        }
        EXPECT_TRUE(engines::testing::eventually([&] { return writer_.queued() == 4; }));
        EXPECT_EQ(error_of(writer_.run([](Connection& connection) { insert(connection, 9); })),
                  ErrorCode::unavailable);
        gate.release();
    }
    for (auto& caller : callers)
        caller.join();
    EXPECT_EQ(count_rows(place_), 4);
}

TEST_F(GroupWriterTest, ShowsWhatIsCommittedBeforeTheCallerGoesOn) {
    std::int64_t shown = -1;
    const int result = run(writer_.run(
        [](Connection& connection) {
            insert(connection, 1);
            return 41;
        },
        [&](int& value) {
            shown = count_rows(place_);  // from another connection: it is committed
            ++value;
        }));
    EXPECT_EQ(result, 42);
    EXPECT_EQ(shown, 1);
}

TEST_F(GroupWriterTest, ShowsNothingOfWhatFailed) {
    bool shown = false;
    EXPECT_EQ(error_of(writer_.run([](Connection&) { throw Error(ErrorCode::not_found, "no"); },
                                   [&] { shown = true; })),
              ErrorCode::not_found);
    EXPECT_FALSE(shown);
}

TEST_F(GroupWriterTest, StopCommitsWhatIsQueuedAndRefusesWhatComesLater) {
    std::vector<std::thread> callers;
    std::thread stopping;
    {
        Gate gate(writer_);
        callers.emplace_back(
            [&] { writer_.run_blocking([](Connection& connection) { insert(connection, 1); }); });
        EXPECT_TRUE(engines::testing::eventually([&] { return writer_.queued() == 1; }));
        stopping = std::thread([&] { writer_.stop(); });
        gate.release();
    }
    for (auto& caller : callers)
        caller.join();
    stopping.join();
    EXPECT_EQ(count_rows(place_), 1);
    EXPECT_EQ(error_of(writer_.run([](Connection& connection) { insert(connection, 2); })),
              ErrorCode::unavailable);
}

TEST_F(GroupWriterTest, CutsTheLogWhenAsked) {
    writer_.run_blocking([](Connection& connection) { insert(connection, 1); });
    const std::string log = place_.path().string() + "-wal";
    EXPECT_GT(std::filesystem::file_size(log), 0u);
    writer_.truncate_log();
    EXPECT_TRUE(engines::testing::eventually([&] { return std::filesystem::file_size(log) == 0; }));
    EXPECT_EQ(count_rows(place_), 1);
}

TEST_F(GroupWriterTest, LeavesTheLogToWhoReadsIt) {
    writer_.run_blocking([](Connection& connection) { insert(connection, 1); });
    Connection reader = open_rows(place_);
    Rows reading = reader.query("SELECT id FROM rows");
    ASSERT_TRUE(reading.next());
    writer_.run_blocking([](Connection& connection) { insert(connection, 2); });
    writer_.truncate_log();
    writer_.run_blocking([](Connection& connection) { insert(connection, 3); });
    EXPECT_GT(std::filesystem::file_size(place_.path().string() + "-wal"), 0u);
    EXPECT_FALSE(reading.next());
    EXPECT_EQ(count_rows(place_), 3);
}

TEST(SqliteConnectionTest, EndsAStatementThatCostsMoreThanItMay) {
    Connection connection({.path = ":memory:"});
    const std::string_view sum =
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "
        "SELECT sum(n) FROM numbers";
    Rows rows = connection.query(sum, 100'000);
    connection.limit_operations(20'000);
    try {
        rows.next();
        FAIL() << "was not ended";
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), ErrorCode::deadline_exceeded);
    }
    Rows unlimited = connection.query(sum, 100'000);
    EXPECT_TRUE(unlimited.next());
}

TEST(SqliteConnectionTest, KeepsWhatWasAttachedToAStatement) {
    Connection connection({.path = ":memory:"});
    int made = 0;
    const auto make = [&](const Rows& rows) {
        ++made;
        return std::string(rows.column_name(0));
    };
    for (int time = 0; time < 3; ++time)
        EXPECT_EQ(connection.query("SELECT 1 AS one").attached<std::string>(make), "one");
    EXPECT_EQ(made, 1);
}

TEST(SqliteConnectionTest, RefusesWhatIsNotOneStatementOrWritesOnAReader) {
    const FolderPlace place("", "rows.db");
    open_rows(place);
    Connection reader({.path = place.path().string(), .access = Connection::Access::read_only});
    for (const char* sql : {"", "-- nothing", "SELECT 1; SELECT 2", "DELETE FROM rows"}) {
        try {
            reader.query(sql);
            ADD_FAILURE() << sql;
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.code(), ErrorCode::internal) << sql;
        }
    }
}

TEST(SqliteConnectionTest, KeepsAStatementThatIsInUseApartFromItsSecondRun) {
    Connection connection({.path = ":memory:"});
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY) STRICT");
    for (int id = 1; id <= 3; ++id)
        insert(connection, id);
    const std::string_view sql = "SELECT id FROM rows ORDER BY id";
    Rows outer = connection.query(sql);
    std::int64_t pairs = 0;
    while (outer.next()) {
        Rows inner = connection.query(sql);
        while (inner.next())
            ++pairs;
    }
    EXPECT_EQ(pairs, 9);
}

TEST(SqliteConnectionTest, ForgetsTheStatementsThatAreUnusedForLongest) {
    Connection connection({.path = ":memory:"});
    Rows held = connection.query("SELECT 1");
    for (int i = 0; i < 1'000; ++i)
        connection.run("SELECT " + std::to_string(i));
    EXPECT_TRUE(held.next());
}

TEST(SqliteConnectionTest, SaysWhatCannotBeOpened) {
    try {
        Connection connection({.path = "/proc/no/such/folder/file.db"});
        FAIL() << "was opened";
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), ErrorCode::unavailable);
        EXPECT_NE(failure.detail().find("/proc/no/such"), std::string::npos);
    }
}

}  // namespace spaktok::sqlite
