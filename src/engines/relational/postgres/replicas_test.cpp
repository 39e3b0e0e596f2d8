// Lists on a replica: what each node's users see, and replicas that fall behind, die, or are none.
#include "engines/relational/postgres/replicas.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>

#include "base/metrics.h"
#include "engines/relational/postgres/postgres_database.h"
#include "engines/relational/postgres/test_server.h"
#include "engines/relational/relational_contract_suite.h"

namespace spaktok::relational::postgres {
namespace {

namespace asio = boost::asio;
using contract::error_of;
using contract::run;
using engines::testing::eventually;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr Statement insert_note{
    .name = "insert_note", .sql = "INSERT INTO notes (id) VALUES ($1)", .mode = Mode::write};
// Each says which server answered.
constexpr Statement list_notes{
    .name = "list_notes",
    .sql = "SELECT pg_is_in_recovery() AS by_replica, max(id) AS newest, count(*) AS notes FROM notes",
    .list = true};
constexpr Statement read_notes{
    .name = "read_notes",
    .sql = "SELECT pg_is_in_recovery() AS by_replica, max(id) AS newest, count(*) AS notes FROM notes"};
constexpr Statement divide_by_zero{
    .name = "divide_by_zero", .sql = "SELECT 1 / count(*) AS quotient FROM notes", .list = true};

class PostgresReplica : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        primary_ = std::make_unique<TestServer>();
        replica_ = std::make_unique<TestServer>(ReplicaOf{*primary_});
    }
    static void TearDownTestSuite() {
        replica_.reset();
        primary_.reset();
    }
    void SetUp() override {
        run(first_.run_transaction([](Transaction& tx) -> asio::awaitable<void> {
            co_await tx.run_script(
                "DROP TABLE IF EXISTS notes; CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY)");
        }));
    }

    // Patient, so that a slow machine is no slow replica.
    PostgresDatabase::Options options() {
        return {.replicas = {.urls = {replica_->url()}, .lag_max = milliseconds(1'500)}};
    }
    static bool is_by_replica(Database& node) {
        return run(node.query(list_notes))[0].get<bool>("by_replica");
    }
    static bool comes_to_use(Database& node) {
        return eventually([&] { return is_by_replica(node); });
    }
    static bool is_left_out() {
        return eventually([] {
            return metrics::expose().find("spaktok_postgres_replica_usable{replica=\"1\"} 0\n") !=
                   std::string::npos;
        });
    }
    // Acknowledged on one node, and the newest on both.
    void write_and_list(std::int64_t id) {
        Database& writer = id % 2 == 0 ? first_ : second_;
        run(writer.query(insert_note, id));
        for (Database* node : {static_cast<Database*>(&first_), static_cast<Database*>(&second_)}) {
            const auto answer = run(node->query(list_notes));
            ASSERT_EQ(answer[0].get<std::optional<std::int64_t>>("newest"), id);
            by_replica_ += answer[0].get<bool>("by_replica") ? 1 : 0;
        }
    }

    static inline std::unique_ptr<TestServer> primary_;
    static inline std::unique_ptr<TestServer> replica_;
    PostgresDatabase first_{primary_->url(), options()};  // two nodes
    PostgresDatabase second_{primary_->url(), options()};
    int by_replica_ = 0;
};

// ---- What users see

TEST_F(PostgresReplica, WhatWasWrittenOnAnyNodeIsInTheNextListOfEach) {
    EXPECT_TRUE(comes_to_use(first_));
    EXPECT_TRUE(comes_to_use(second_));
    for (std::int64_t id = 1; id <= 300; ++id)
        write_and_list(id);
    EXPECT_GT(by_replica_, 300);  // of 600
}

TEST_F(PostgresReplica, WhatWasWrittenIsListedAlsoWhileTheReplicaStandsStillAndWhenItWasKilled) {
    EXPECT_TRUE(comes_to_use(first_));
    EXPECT_TRUE(comes_to_use(second_));
    for (std::int64_t id = 1; id <= 100; ++id) {
        if (id == 20) replica_->query("SELECT pg_wal_replay_pause()");
        if (id == 40) replica_->query("SELECT pg_wal_replay_resume()");
        if (id == 60) replica_->kill();
        if (id == 80) replica_->start();
        write_and_list(id);
    }
    EXPECT_TRUE(comes_to_use(first_));
    EXPECT_EQ(run(first_.query(list_notes))[0].get<std::int64_t>("notes"), 100);
}

TEST_F(PostgresReplica, OnlyListsGoThere) {
    EXPECT_TRUE(comes_to_use(first_));
    EXPECT_FALSE(run(first_.query(read_notes))[0].get<bool>("by_replica"));
    run(first_.query(insert_note, 1));
    const bool in_transaction = run(first_.transaction([](Transaction& tx) -> asio::awaitable<bool> {
        const auto answer = co_await tx.query(list_notes);
        co_return answer[0].get<bool>("by_replica");
    }));
    EXPECT_FALSE(in_transaction);
}

TEST_F(PostgresReplica, AListThatIsWrongFailsAsThePrimarySays) {
    EXPECT_TRUE(comes_to_use(first_));
    EXPECT_THAT(error_of(first_.query(divide_by_zero)).detail(), HasSubstr("22012"));
    EXPECT_TRUE(is_by_replica(first_));  // that is no fault of the replica's
}

// ---- Replicas that cannot be used

TEST_F(PostgresReplica, ThatFallsBehindIsLeftOutUntilItHasCaughtUp) {
    EXPECT_TRUE(comes_to_use(first_));
    replica_->query("SELECT pg_wal_replay_pause()");
    EXPECT_TRUE(
        eventually([&] { return replica_->query("SELECT pg_get_wal_replay_pause_state()") == "paused"; }));
    run(first_.query(insert_note, 1));
    EXPECT_FALSE(is_by_replica(first_));
    EXPECT_TRUE(is_left_out());
    replica_->query("SELECT pg_wal_replay_resume()");
    EXPECT_TRUE(comes_to_use(first_));
}

TEST_F(PostgresReplica, ThatDiesIsLeftOutUntilItIsBack) {
    EXPECT_TRUE(comes_to_use(first_));
    replica_->kill();
    EXPECT_FALSE(is_by_replica(first_));
    EXPECT_TRUE(is_left_out());
    replica_->start();
    EXPECT_TRUE(comes_to_use(first_));
}

TEST_F(PostgresReplica, ThatIsSilentIsGivenUpInTimeForThePrimary) {
    EXPECT_TRUE(comes_to_use(first_));
    replica_->pause();
    const auto begun = steady_clock::now();
    EXPECT_FALSE(is_by_replica(first_));
    EXPECT_LT(steady_clock::now() - begun, milliseconds(8'000));
    replica_->resume();
    EXPECT_TRUE(comes_to_use(first_));
}

TEST_F(PostgresReplica, ThatWasPromotedIsNoneAnyMore) {
    const TestServer promoted(ReplicaOf{*primary_});
    auto of_promoted = options();
    of_promoted.replicas.urls = {promoted.url()};
    PostgresDatabase node(primary_->url(), of_promoted);
    EXPECT_TRUE(comes_to_use(node));
    promoted.query("SELECT pg_promote()");
    promoted.query("INSERT INTO notes (id) VALUES (1)");  // which the primary knows nothing of
    EXPECT_TRUE(eventually([&] { return run(node.query(list_notes))[0].get<std::int64_t>("notes") == 0; }));
}

TEST_F(PostgresReplica, IsOfUseAgainAfterThePrimaryWasKilled) {
    EXPECT_TRUE(comes_to_use(first_));
    primary_->kill();
    EXPECT_EQ(error_of(first_.query(list_notes)).code(), ErrorCode::unavailable);
    primary_->start();
    EXPECT_TRUE(eventually([&] {
        try {
            return is_by_replica(first_);
        } catch (const Error&) {
            return false;
        }
    }));
}

TEST_F(PostgresReplica, MayBeOneOfSeveralOfWhichSomeAreDead) {
    auto some = options();
    some.replicas.urls.insert(some.replicas.urls.begin(), "postgres://nobody@127.0.0.1:1/none");
    PostgresDatabase node(primary_->url(), some);
    EXPECT_TRUE(comes_to_use(node));
}

TEST_F(PostgresReplica, IsTakenInOnlyWhereItFollowsThisPrimary) {
    const auto system = primary_->query("SELECT system_identifier FROM pg_control_system()");
    const auto usable_after_inspection = [](std::string url, std::string of) {
        asio::io_context context(1);
        const ReplicaOptions options{.urls = {std::move(url)}};
        Replica replica(context, options, 1);
        asio::co_spawn(
            context,
            [](Replica& inspected, std::string of_system) -> asio::awaitable<void> {
                co_await inspected.inspect(std::move(of_system), 1);
                inspected.close();
            }(replica, std::move(of)),
            asio::detached);
        context.run();
        return replica.is_usable();
    };
    EXPECT_TRUE(usable_after_inspection(replica_->url(), system));
    EXPECT_FALSE(usable_after_inspection(replica_->url(), "another"));
    EXPECT_FALSE(usable_after_inspection(primary_->url(), system));
}

// ---- The primary's position

// Each question's number, once it is set.
asio::awaitable<Result> answer_in_turn(asio::io_context& context,
                                       std::vector<std::shared_ptr<Event>>& questions) {
    const auto question = std::make_shared<Event>(context);
    questions.push_back(question);
    const auto number = static_cast<std::int64_t>(questions.size());
    co_await question->wait();
    co_return Result(std::make_shared<const std::vector<std::string>>(1, "position"), {{number}}, 0);
}

TEST(PrimaryPosition, IsAskedForOnceByAllWhoComeWhileAnAnswerIsUnderWay) {
    asio::io_context context(1);
    std::vector<std::shared_ptr<Event>> questions;
    PrimaryPosition primary(context, [&](Statement) { return answer_in_turn(context, questions); });
    std::vector<std::int64_t> answers;
    const auto ask = [&] {
        asio::co_spawn(
            context,
            [](PrimaryPosition& asked, std::vector<std::int64_t>& given) -> asio::awaitable<void> {
                const auto position = co_await asked.now();
                given.push_back(position);
            }(primary, answers),
            asio::detached);
        context.restart();
        context.poll();
    };
    const auto answer = [&](std::size_t question) {
        questions.at(question)->set();
        context.restart();
        context.poll();
    };
    ask();
    ask();
    ask();
    EXPECT_EQ(questions.size(), 1U);
    answer(0);
    EXPECT_THAT(answers, testing::ElementsAre(1));
    ASSERT_EQ(questions.size(), 2U);
    ask();  // the second question may be older than this call
    answer(1);
    EXPECT_THAT(answers, testing::ElementsAre(1, 2, 2));
    ASSERT_EQ(questions.size(), 3U);
    answer(2);
    EXPECT_THAT(answers, testing::ElementsAre(1, 2, 2, 3));
}

}  // namespace
}  // namespace spaktok::relational::postgres
