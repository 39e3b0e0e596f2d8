// The part of the port's contract that is about many callers at once, and about what a kill leaves.
#include <atomic>
#include <future>
#include <map>
#include <set>
#include <thread>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io_threads.h"
#include "engines/relational/migrations.h"
#include "engines/relational/relational_contract_suite.h"

namespace spaktok::relational::contract {
namespace {

namespace asio = boost::asio;

constexpr Statement set_number{
    .name = "set_number", .sql = "UPDATE samples SET number = $2 WHERE id = $1", .mode = Mode::write};

class RelationalContractConcurrent : public RelationalSamples {
  protected:
    void SetUp() override {
        RelationalSamples::SetUp();
        threads_.start();
    }
    // Starts `callers` coroutines, in turn on three I/O threads, and waits for all of them.
    void run_on_threads(int callers, const std::function<asio::awaitable<void>(int caller)>& work) {
        std::vector<std::future<void>> running;
        for (int caller = 0; caller < callers; ++caller) {
            running.push_back(
                asio::co_spawn(threads_.context(threads_.next()), work(caller), asio::use_future));
        }
        for (auto& one : running)
            one.get();
    }

  private:
    // The engine is closed before its callers' threads are gone, as in the program.
    void TearDown() override {
        database_.reset();
        threads_.stop();
    }
    IoThreads threads_{3};
};

asio::awaitable<void> increment(Database& database, Uuid id, int times) {
    for (int time = 0; time < times; ++time) {
        co_await database.transaction([id](Transaction& tx) -> asio::awaitable<void> {
            const auto rows = co_await tx.query(find_sample, id);
            co_await tx.query(set_number, id, rows[0].get<std::int64_t>("number") + 1);
        });
    }
}

TEST_P(RelationalContractConcurrent, LosesNoneOfManyConcurrentIncrements) {
    constexpr Statement insert{
        .name = "insert_zero", .sql = "INSERT INTO samples (id, number) VALUES ($1, 0)", .mode = Mode::write};
    const auto id = make_id();
    run(database().query(insert, id));
    run_on_threads(12, [&](int) { return increment(database(), id, 25); });
    EXPECT_EQ(run(database().query(find_sample, id))[0].get<int>("number"), 12 * 25);
}

asio::awaitable<void> note_home(Database& database, Uuid id, std::atomic<int>& strayed) {
    const auto home = IoThreads::current();
    co_await database.query(insert_label, id, "x");
    if (IoThreads::current() != home) ++strayed;
    co_await database.query(count_samples);
    if (IoThreads::current() != home) ++strayed;
    co_await database.transaction(
        [id](Transaction& tx) -> asio::awaitable<void> { co_await tx.query(set_number, id, 1); });
    if (IoThreads::current() != home) ++strayed;
}

TEST_P(RelationalContractConcurrent, ResumesEachCallerOnItsOwnThread) {
    std::atomic<int> strayed = 0;
    run_on_threads(30, [&](int) { return note_home(database(), make_id(), strayed); });
    EXPECT_EQ(strayed, 0);
}

struct Attempt {
    Uuid first;
    Uuid second;  // the same as `first` where the second statement is to be refused
    bool throws = false;
    std::string outcome;
};

asio::awaitable<void> try_pair(Database& database, Attempt& attempt) {
    try {
        co_await database.transaction([&attempt](Transaction& tx) -> asio::awaitable<void> {
            co_await tx.query(insert_label, attempt.first, "first");
            co_await tx.query(insert_label, attempt.second, "second");
            if (attempt.throws) throw Error(ErrorCode::forbidden, "no");
        });
        attempt.outcome = "done";
    } catch (const ConstraintViolation& violation) {
        attempt.outcome = violation.constraint();
    } catch (const Error& error) {
        attempt.outcome = to_string(error.code());
    }
}

TEST_P(RelationalContractConcurrent, OneThatFailsTakesNothingOfTheOthersWithIt) {
    std::vector<Attempt> attempts(300);
    std::size_t expected_rows = 0;
    for (std::size_t index = 0; index < attempts.size(); ++index) {
        auto& attempt = attempts[index];
        attempt.first = make_id();
        attempt.second = index % 3 == 1 ? attempt.first : make_id();
        attempt.throws = index % 3 == 2;
        if (index % 3 == 0) expected_rows += 2;
    }
    run_on_threads(static_cast<int>(attempts.size()), [&](int caller) {
        return try_pair(database(), attempts[static_cast<std::size_t>(caller)]);
    });
    const std::string expected[] = {"done", "samples_pkey", "forbidden"};
    for (std::size_t index = 0; index < attempts.size(); ++index) {
        EXPECT_EQ(attempts[index].outcome, expected[index % 3]) << index;
        const bool stored = !run(database().query(find_sample, attempts[index].first)).empty();
        EXPECT_EQ(stored, index % 3 == 0) << index;
    }
    EXPECT_EQ(count(), static_cast<std::int64_t>(expected_rows));
}

asio::awaitable<void> insert_everywhere(Database& database, std::atomic<bool>& reading, Random& random) {
    while (reading) {
        const auto at = Timestamp{std::chrono::milliseconds{1'700'000'000'000 + random.below(2'000)}};
        co_await database.query(insert_label, Uuid::v7(at, random), "new");
    }
}

asio::awaitable<void> read_pages(Database& database, std::vector<Uuid>& seen, std::atomic<bool>& reading) {
    constexpr Statement page{.name = "page_of_samples",
                             .sql = "SELECT id FROM samples WHERE id < $1 ORDER BY id DESC LIMIT 7",
                             .list = true};
    Uuid last = *Uuid::parse("ffffffff-ffff-ffff-ffff-ffffffffffff");
    while (true) {
        const auto rows = co_await database.query(page, last);
        if (rows.empty()) break;
        for (const auto row : rows)
            seen.push_back(row.get<Uuid>("id"));
        last = seen.back();
    }
    reading = false;
}

TEST_P(RelationalContractConcurrent, PagesNeitherRepeatNorLoseARowWhileOthersAreInserted) {
    std::set<Uuid> before;
    for (int made = 0; made < 400; ++made) {
        const auto at = Timestamp{std::chrono::milliseconds{1'700'000'000'000 + 5 * made}};
        before.insert(Uuid::v7(at, random_));
    }
    run(database().transaction([&](Transaction& tx) -> asio::awaitable<void> {
        for (const auto& id : before)
            co_await tx.query(insert_label, id, "old");
    }));
    std::vector<Uuid> seen;
    std::atomic<bool> reading = true;
    run_on_threads(3, [&](int caller) {
        return caller == 0 ? read_pages(database(), seen, reading)
                           : insert_everywhere(database(), reading, random_);
    });
    for (std::size_t index = 1; index < seen.size(); ++index)
        ASSERT_LT(seen[index], seen[index - 1]);
    const std::set<Uuid> found(seen.begin(), seen.end());
    for (const auto& id : before)
        EXPECT_TRUE(found.contains(id)) << id.to_string();
    EXPECT_GT(static_cast<std::size_t>(count()), before.size());
}

TEST_P(RelationalContractConcurrent, TwoNodesMayMigrateTheSameDatabaseAtOnce) {
    for (int round = 0; round < 5; ++round) {
        const auto place = GetParam().make_place();
        std::vector<std::future<MigrationPlan>> nodes;
        for (int node = 0; node < 3; ++node) {
            nodes.push_back(std::async(std::launch::async, [&place] {
                const auto database = open(place->url(), {});
                return run(migrate(*database, Timestamp{}));
            }));
        }
        for (auto& node : nodes) {
            const auto plan = node.get();
            EXPECT_EQ(plan.applied.size(), all_migrations().size());
            EXPECT_TRUE(plan.pending.empty());
        }
    }
}

// ---- what a kill leaves
class RelationalDurability : public RelationalSamples {};

asio::awaitable<void> write_and_tell(Database& database, Random& random, int pipe) {
    while (true) {
        const auto id = Uuid::v7(Timestamp{std::chrono::milliseconds{1'700'000'000'000}}, random);
        co_await database.query(insert_label, id, "acknowledged");
        if (::write(pipe, id.bytes().data(), id.bytes().size()) != 16) ::_exit(1);
    }
}

// Eight callers write, and tell each acknowledged row, until someone kills the process.
[[noreturn]] void write_until_killed(const std::string& url, int pipe) {
    SystemRandom random;
    const auto database = open(url, {});
    asio::io_context context(1);
    for (int caller = 0; caller < 8; ++caller) {
        asio::co_spawn(context, write_and_tell(*database, random, pipe),
                       [](std::exception_ptr) { ::_exit(1); });
    }
    context.run();
    ::_exit(0);
}

// The rows that a killed child had acknowledged.
std::vector<Uuid> rows_acknowledged_before_a_kill(const std::string& url, std::size_t at_least) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    const auto child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        write_until_killed(url, ends[1]);
    }
    ::close(ends[1]);
    std::vector<Uuid> acknowledged;
    std::array<std::uint8_t, 16> bytes{};
    while (::read(ends[0], bytes.data(), bytes.size()) == 16) {
        acknowledged.emplace_back(bytes);
        if (acknowledged.size() == at_least) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    return acknowledged;
}

TEST_P(RelationalDurability, EveryAcknowledgedRowIsThereAfterAKill) {
    std::vector<Uuid> acknowledged;
    for (std::size_t round = 0; round < 3; ++round) {
        database_.reset();  // a process with threads must not fork
        const auto rows = rows_acknowledged_before_a_kill(place_->url(), 300 + 77 * round);
        acknowledged.insert(acknowledged.end(), rows.begin(), rows.end());
        database_ = reopen();
        EXPECT_GE(acknowledged.size(), 300U);
        for (const auto& id : acknowledged)
            EXPECT_EQ(run(database().query(find_sample, id)).size(), 1U);
    }
}

INSTANTIATE_TEST_SUITE_P(Adapters, RelationalContractConcurrent, testing::ValuesIn(all_adapters()),
                         adapter_name);
INSTANTIATE_TEST_SUITE_P(Adapters, RelationalDurability, testing::ValuesIn(all_adapters()), adapter_name);

}  // namespace
}  // namespace spaktok::relational::contract
