// What the SQLite adapter promises beyond the contract: queries are served by the declared indexes.
#include "engines/document/sqlite/sqlite_store.h"

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "base/random.h"
#include "engines/document/sqlite/translate.h"
#include "engines/testing/testing.h"

namespace spaktok::document::sqlite {

using engines::testing::FolderPlace;
using engines::testing::run;
using std::string_literals::operator""s;

class SqliteStoreTest : public testing::Test {
  protected:
    void SetUp() override {
        run(store_.ensure(
            "chats", shape_,
            {{.name = "room_seq", .fields = {{.field = "room_id"}, {.field = "seq"}}, .unique = true},
             {.name = "client",
              .fields = {{.field = "sender_id"}, {.field = "client_id"}},
              .unique = true,
              .sparse = true}}));
    }
    std::string plan(const Filter& filter, const std::vector<Sort>& sort) {
        spaktok::sqlite::Connection connection({.path = place_.path().string()});
        const Where where = translate(filter, shape_);
        auto rows = connection.query("EXPLAIN QUERY PLAN SELECT body FROM documents_chats WHERE " +
                                     where.sql + order_by(sort));
        bind(rows, where.values);
        std::string text;
        while (rows.next())
            text += std::string(rows.text(3)) + "\n";
        return text;
    }

    static double writes_committed() {
        const std::string name = "spaktok_sqlite_commit_members_total{writer=\"documents\"} ";
        const std::string all = metrics::expose();
        const auto at = all.find(name);
        return at == std::string::npos ? 0 : std::stod(all.substr(at + name.size()));
    }

    FolderPlace place_{"", "documents.db"};
    DocumentShape shape_{{"_id", FieldType::object_id}, {"room_id", FieldType::uuid}};
    SqliteStore store_{{.path = place_.path().string()}};
};

TEST_F(SqliteStoreTest, PagesOfARoomAreReadFromItsIndexWithoutASort) {
    const std::string text =
        plan({eq("room_id", Uuid{}), lt("seq", std::int64_t{9})}, {{.field = "seq", .descending = true}});
    EXPECT_NE(
        text.find("SEARCH documents_chats USING INDEX documents_chats__room_seq (<expr>=? AND <expr><?)"),
        std::string::npos)
        << text;
    EXPECT_EQ(text.find("TEMP B-TREE"), std::string::npos) << text;
}

TEST_F(SqliteStoreTest, ASparseIndexServesWhoAsksForItsFields) {
    const std::string text = plan({eq("sender_id", Uuid{}), eq("client_id", Uuid{})}, {});
    EXPECT_NE(text.find("USING INDEX documents_chats__client (<expr>=? AND <expr>=?)"), std::string::npos)
        << text;
}

TEST_F(SqliteStoreTest, InIsServedByAnIndex) {
    const std::string text = plan({in("room_id", {"a"s, "b"s})}, {});
    EXPECT_NE(text.find("SEARCH documents_chats USING INDEX documents_chats__room_seq (<expr>=?)"),
              std::string::npos)
        << text;
}

TEST_F(SqliteStoreTest, AnIdIsLookedUpInThePrimaryKey) {
    EXPECT_NE(plan({eq("_id", ObjectId{})}, {}).find("sqlite_autoindex_documents_chats_1 (id=?)"),
              std::string::npos);
}

TEST_F(SqliteStoreTest, TheSameFiltersGiveTheSameTextWhateverTheirValues) {
    EXPECT_EQ(translate({in("seq", {std::int64_t{1}})}, shape_).sql,
              translate({in("seq", {std::int64_t{1}, std::int64_t{2}, "x"s})}, shape_).sql);
}

TEST_F(SqliteStoreTest, SharesItsFileWithAnotherWriter) {
    spaktok::sqlite::Connection other({.path = place_.path().string()});
    other.execute(
        "CREATE TABLE theirs (id INTEGER PRIMARY KEY) STRICT; BEGIN IMMEDIATE; INSERT INTO theirs VALUES "
        "(1)");
    std::thread committing([&] { other.execute("COMMIT"); });
    EXPECT_EQ(run(store_.remove("chats", {})), 0);
    committing.join();
}

TEST_F(SqliteStoreTest, UpdatesManyInBatchesBetweenWhichOthersWrite) {
    constexpr std::size_t documents = 2 * SqliteStore::update_batch_max + 1;
    SeededRandom random(1);
    std::vector<json::Object> chats;
    for (std::size_t seq = 0; seq < documents; ++seq) {
        chats.push_back({{"_id", ObjectId::make(Timestamp{}, random).to_string()},
                         {"room_id", Uuid{}.to_string()},
                         {"seq", seq}});
    }
    run(store_.insert_many("chats", std::move(chats)));
    const double writes_before = writes_committed();
    EXPECT_EQ(run(store_.update_many("chats", {}, {set("content", "x"s)})),
              static_cast<std::int64_t>(documents));
    EXPECT_EQ(writes_committed() - writes_before, 3);
    EXPECT_EQ(run(store_.count("chats", {eq("content", "x"s)})), static_cast<std::int64_t>(documents));
}

TEST_F(SqliteStoreTest, OtherUrlsAreRefused) {
    EXPECT_THROW(open("mysql://localhost"), Error);
    EXPECT_THROW(open("sqlite:"), Error);
}

}  // namespace spaktok::document::sqlite
