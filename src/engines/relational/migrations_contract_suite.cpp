#include <algorithm>
#include <array>

#include <gmock/gmock.h>

#include "engines/relational/migrations.h"
#include "engines/relational/relational_contract_suite.h"

namespace spaktok::relational::contract {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Migration things{1, "things", "CREATE TABLE things (id TEXT NOT NULL PRIMARY KEY) STRICT; -- one\n",
                           "CREATE TABLE things (id UUID NOT NULL PRIMARY KEY); -- one\n"};
constexpr Migration parts{2, "parts", "CREATE TABLE parts (id TEXT NOT NULL PRIMARY KEY) STRICT;",
                          "CREATE TABLE parts (id UUID NOT NULL PRIMARY KEY);"};
constexpr Migration changed_things{1, "things",
                                   "CREATE TABLE things (id INTEGER NOT NULL PRIMARY KEY) STRICT;",
                                   "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY);"};
constexpr Migration broken{2, "broken",
                           "CREATE TABLE half (id INTEGER NOT NULL PRIMARY KEY) STRICT; CREATE TABL oops",
                           "CREATE TABLE half (id BIGINT NOT NULL PRIMARY KEY); CREATE TABL oops"};
constexpr Statement count_things{.name = "count_things", .sql = "SELECT count(*) FROM things"};
constexpr Statement count_half{.name = "count_half", .sql = "SELECT count(*) FROM half"};

class RelationalMigrations : public RelationalContract {};

TEST_P(RelationalMigrations, ArePendingInAnEmptyDatabaseAndChangeNothingUntilAsked) {
    const std::array known{things, parts};
    const auto plan = run(plan_migrations(database(), known));
    EXPECT_THAT(plan.applied, IsEmpty());
    EXPECT_THAT(plan.pending, ElementsAre(1, 2));
    EXPECT_EQ(error_of(database().query(count_things)).code(), ErrorCode::internal);
}

TEST_P(RelationalMigrations, AreAppliedOnce) {
    const std::array known{things, parts};
    for (int time = 0; time < 2; ++time) {
        const auto plan = run(migrate(database(), known));
        EXPECT_THAT(plan.applied, ElementsAre(1, 2));
        EXPECT_THAT(plan.pending, IsEmpty());
    }
    run(database().query(count_things));
}

TEST_P(RelationalMigrations, ApplyOnlyWhatANewerProgramAdds) {
    run(migrate(database(), std::array{things}));
    const std::array known{things, parts};
    EXPECT_THAT(run(plan_migrations(database(), known)).pending, ElementsAre(2));
    EXPECT_THAT(run(migrate(database(), known)).applied, ElementsAre(1, 2));
}

TEST_P(RelationalMigrations, RefuseADatabaseWhoseHistoryDiffers) {
    run(migrate(database(), std::array{things}));
    const std::array known{changed_things, parts};
    const auto error = error_of(migrate(database(), known));
    EXPECT_EQ(error.code(), ErrorCode::conflict);
    EXPECT_THAT(error.detail(), HasSubstr("migration 1 (things)"));
}

TEST_P(RelationalMigrations, RefuseADatabaseThatIsNewerThanTheProgram) {
    run(migrate(database(), std::array{things, parts}));
    const auto error = error_of(migrate(database(), std::array{things}));
    EXPECT_EQ(error.code(), ErrorCode::conflict);
    EXPECT_THAT(error.detail(), HasSubstr("migration 2 (parts)"));
}

TEST_P(RelationalMigrations, LeaveNothingOfOneThatFails) {
    const std::array known{things, broken};
    EXPECT_EQ(error_of(migrate(database(), known)).code(), ErrorCode::internal);
    EXPECT_THAT(run(plan_migrations(database(), known)).applied, ElementsAre(1));
    EXPECT_EQ(error_of(database().query(count_half)).code(), ErrorCode::internal);
    run(database().query(count_things));
}

TEST_P(RelationalMigrations, OfTheProgramAreNumberedWithoutGapsAndApplyInOrder) {
    const auto all = all_migrations();
    for (std::size_t index = 0; index < all.size(); ++index) {
        EXPECT_EQ(all[index].number, static_cast<int>(index) + 1) << all[index].name;
        EXPECT_FALSE(all[index].sqlite.empty());
        EXPECT_FALSE(all[index].postgres.empty());
    }
    EXPECT_EQ(run(migrate(database(), Timestamp{})).applied.size(), all.size());
}

INSTANTIATE_TEST_SUITE_P(Adapters, RelationalMigrations, testing::ValuesIn(all_adapters()), adapter_name);

}  // namespace
}  // namespace spaktok::relational::contract
