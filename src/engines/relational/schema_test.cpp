#include "engines/relational/schema.h"

#include <set>

#include <gmock/gmock.h>

namespace spaktok::relational {
namespace {

using testing::ElementsAre;

TEST(Schema, ReadsTablesColumnsKeysAndReferences) {
    const auto tables = read_schema(
        "# a comment\n\ntable a partitioned\n  column id uuid not null\n  column sum numeric(10,2) not null "
        "default 0\n  key (id)\n  check a_sum\n\ntable b\n  column x varchar(3) not null\n  column a_id "
        "uuid\n"
        "  column b_x varchar(3)\n  key (x, a_id)\n  reference a_id a on delete cascade\n"
        "  reference b_x b on delete cascade\n  index i (x)\n");
    ASSERT_EQ(tables.size(), 2U);
    EXPECT_EQ(tables[0].name, "a");
    EXPECT_THAT(tables[0].key, ElementsAre("id"));
    EXPECT_EQ(tables[0].column("sum").type, ColumnType::money);
    EXPECT_TRUE(tables[0].column("sum").required);
    EXPECT_EQ(tables[0].own_reference(), std::nullopt);
    EXPECT_THAT(tables[1].key, ElementsAre("x", "a_id"));
    EXPECT_FALSE(tables[1].column("a_id").required);
    EXPECT_EQ(tables[1].references.size(), 2U);
    EXPECT_EQ(tables[1].own_reference(), "b_x");
}

TEST(Schema, HasEachTableBehindThoseItRefersTo) {
    std::set<std::string> seen;
    for (const auto& table : all_tables()) {
        EXPECT_FALSE(table.key.empty()) << table.name;
        seen.insert(table.name);
        for (const auto& reference : table.references)
            EXPECT_TRUE(seen.contains(reference.table)) << table.name << " refers to " << reference.table;
        for (const auto& column : table.key)
            EXPECT_TRUE(table.column(column).required) << table.name;
    }
    EXPECT_GT(seen.size(), 30U);
}

}  // namespace
}  // namespace spaktok::relational
