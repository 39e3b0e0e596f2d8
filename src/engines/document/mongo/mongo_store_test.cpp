// What is MongoDB's own: types that any client reads, and a server that goes away in all the ways that
// servers do. The port's contract is in document_contract_suite.cpp.
#include "engines/document/mongo/mongo_store.h"

#include <atomic>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "base/random.h"
#include "engines/document/document_contract_suite.h"
#include "engines/document/limits.h"

namespace spaktok::document::mongo {
namespace {

using contract::Note;
using engines::testing::error_of;
using engines::testing::run;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

constexpr Timestamp noon = Timestamp{milliseconds{1'700'000'000'000}};

// Short limits, so that a test sees them pass.
MongoStore::Options hasty() {
    return {.limits = {.selection_max = milliseconds(2'000),
                       .connect_max = milliseconds(1'000),
                       .heartbeat = milliseconds(500),
                       .answer_max = milliseconds(1'000),
                       .execution_max = milliseconds(800),
                       .index_max = milliseconds(60'000),
                       .connections_max = 4}};
}

std::vector<Index> indexes() {
    return {{.name = "slug", .fields = {{.field = "slug"}}, .unique = true, .sparse = true},
            {.name = "deleted",
             .fields = {{.field = "deleted_at"}},
             .sparse = true,
             .expires_at_field = "deleted_at"}};
}

Note make_note(std::int64_t likes = 0) {
    static SeededRandom random{7};
    return {._id = ObjectId::make(noon, random),
            .owner_id = *Uuid::parse("018bd1c2-0000-7000-8000-0123456789ab"),
            .likes = likes,
            .written_at = noon};
}

class MongoStoreTest : public testing::Test {
  protected:
    void SetUp() override { run(notes_.ensure(indexes())); }
    std::string command(const std::string& text) {
        return TestServer::shared().command(database_.name(), text);
    }

    TestDatabase database_;
    MongoStore store_{database_.url()};
    Collection<Note> notes_{store_, "notes"};
};

TEST_F(MongoStoreTest, AnyClientReadsIdentifiersAndTimesAsSuch) {
    Note note = make_note(3);
    note.readers = {note.owner_id};
    run(notes_.insert(note));
    const auto found = command(R"({"find": "notes", "filter": {}})");
    EXPECT_THAT(found, HasSubstr(R"("_id" : { "$oid" : ")" + note._id.to_string()));
    EXPECT_THAT(found, HasSubstr(R"("owner_id" : { "$binary" : { "base64" : "AYvRwgAAcACAAAEjRWeJqw==", )"
                                 R"("subType" : "04" } })"));
    EXPECT_THAT(found, HasSubstr(R"("readers" : [ { "$binary")"));
    EXPECT_THAT(found, HasSubstr(R"("written_at" : { "$date" : { "$numberLong" : "1700000000000" } })"));
    EXPECT_THAT(found, HasSubstr(R"("likes" : { "$numberLong" : "3" })"));
    EXPECT_THAT(found, Not(HasSubstr("slug")));
}

TEST_F(MongoStoreTest, WhatExpiresIsRemovedByTheServerADayLaterAtTheLatest) {
    EXPECT_THAT(command(R"({"listIndexes": "notes"})"),
                HasSubstr(R"("expireAfterSeconds" : { "$numberInt" : "86400")"));
}

TEST_F(MongoStoreTest, AUniqueIndexThatWhatIsStoredBreaksIsNotBuilt) {
    run(notes_.insert_many({make_note(1), make_note(1)}));
    try {
        run(notes_.ensure({{.name = "likes", .fields = {{.field = "likes"}}, .unique = true}}));
        FAIL() << "was not refused";
    } catch (const DuplicateKey& duplicate) {
        EXPECT_EQ(duplicate.index(), "likes");
    }
}

TEST_F(MongoStoreTest, AnIndexThatWasRenamedIsBuiltAnew) {
    auto renamed = indexes();
    renamed[0].name = "slug_of_note";
    run(notes_.ensure(renamed));
    const auto listed = command(R"({"listIndexes": "notes"})");
    EXPECT_THAT(listed, HasSubstr(R"("name" : "slug_of_note")"));
    EXPECT_THAT(listed, Not(HasSubstr(R"("name" : "slug" )")));
}

TEST_F(MongoStoreTest, MeasuresItsRequests) {
    run(notes_.count({}));
    EXPECT_THAT(metrics::expose(), HasSubstr(R"(spaktok_mongo_seconds_count{operation="count"})"));
    EXPECT_THAT(metrics::expose(), HasSubstr("spaktok_mongo_under_way 0"));
}

TEST_F(MongoStoreTest, RefusesAtOnceWhatItsQueueCannotHold) {
    constexpr int callers = 50;
    MongoStore narrow(database_.url(), {.limits = {.connections_max = 1}, .waiting_max = 1});
    run(narrow.ensure("notes", Collection<Note>::shape(), {}));
    engines::testing::BorrowedContext context;
    std::atomic<int> done = 0;
    std::atomic<int> busy = 0;
    for (int caller = 0; caller < callers; ++caller) {
        boost::asio::co_spawn(*context, narrow.count("notes", {}),
                              [&](std::exception_ptr error, std::int64_t) {
                                  try {
                                      if (error) std::rethrow_exception(error);
                                      ++done;
                                  } catch (const Error& refused) {
                                      EXPECT_EQ(refused.code(), ErrorCode::unavailable);
                                      EXPECT_EQ(refused.reason(), "busy");
                                      ++busy;
                                  }
                              });
    }
    context->run();
    EXPECT_GE(done, 1);
    EXPECT_GE(busy, 1);
    EXPECT_EQ(done + busy, callers);
}

TEST(MongoUrl, NamesADatabaseAndKeepsItsPassword) {
    for (const char* url :
         {"mongodb://", "mongodb://host", "mongodb://u:secret@host:1", "mongodb://u:secret@host:x/db"}) {
        try {
            open(url);
            FAIL() << url;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
            EXPECT_EQ((error.message() + error.detail()).find("secret"), std::string::npos);
        }
    }
}

TEST(MongoUrl, ThatLeadsNowhereIsUnavailable) {
    MongoStore store("mongodb://nobody:secret@127.0.0.1:1/none", hasty());
    try {
        run(store.check());
        FAIL() << "did not throw";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
        EXPECT_THAT(error.detail(), Not(HasSubstr("secret")));
    }
}

// ---- Outages

TEST(MongoOutage, IsTriedByOneCallerAfterGrowingPauses) {
    Outage outage;
    Outage::Moment now{std::chrono::hours(1)};
    const auto is_refused = [&] {
        try {
            outage.check(now);
            return false;
        } catch (const ServerGone&) {
            return true;
        }
    };
    EXPECT_FALSE(is_refused());
    for (const int pause : {100, 200, 400, 800, 1'600, 2'000, 2'000}) {
        outage.failed(now, now, ServerGone("gone"));
        outage.failed(now - milliseconds(1), now, ServerGone("the same outage"));
        now += milliseconds(pause - 1);
        EXPECT_TRUE(is_refused()) << pause;
        now += milliseconds(1);
        EXPECT_FALSE(is_refused()) << pause;
        EXPECT_TRUE(is_refused()) << "a second caller";
    }
    outage.ended();
    EXPECT_FALSE(is_refused());
}

class MongoServerOutage : public testing::Test {
  protected:
    void SetUp() override { run(notes_.ensure(indexes())); }
    // Until the server is back and the pause between two attempts has passed.
    bool comes_back() {
        const auto deadline = steady_clock::now() + std::chrono::seconds(30);
        while (steady_clock::now() < deadline) {
            try {
                run(store_.check());
                run(notes_.count({}));
                return true;
            } catch (const Error&) {
                std::this_thread::sleep_for(milliseconds(20));
            }
        }
        return false;
    }

    TestServer server_;
    MongoStore store_{server_.url("notes"), hasty()};
    Collection<Note> notes_{store_, "notes"};
};

// The server's own fault injection: the next `times` commands of that name fail with `fault`.
class MongoServerFault : public MongoServerOutage {
  protected:
    void fail_next(int times, const std::string& name, const std::string& fault) {
        server_.command("admin", R"({"configureFailPoint": "failCommand", "mode": {"times": )" +
                                     std::to_string(times) + R"(}, "data": {"failCommands": [")" + name +
                                     R"("], )" + fault + "}}");
    }
    static constexpr int always = 1'000;
};

TEST_F(MongoServerFault, WithoutTtlIndexesTheIndexIsAPlainOne) {
    fail_next(1, "createIndexes", R"("errorCode": 67)");
    run(notes_.ensure(
        {{.name = "written", .fields = {{.field = "written_at"}}, .expires_at_field = "written_at"}}));
    const auto listed = server_.command("notes", R"({"listIndexes": "notes"})");
    const auto at = listed.find(R"("name" : "written")");
    ASSERT_NE(at, std::string::npos) << listed;
    EXPECT_EQ(listed.find("expireAfterSeconds", at), std::string::npos) << listed;
}

TEST_F(MongoServerFault, AnIndexThatIsRefusedOtherwiseIsAnError) {
    fail_next(always, "createIndexes", R"("errorCode": 67)");
    EXPECT_EQ(error_of(notes_.ensure({{.name = "likes", .fields = {{.field = "likes"}}}})),
              ErrorCode::internal);
}

TEST_F(MongoServerFault, AReadAndAWriteSurviveAConnectionThatEndsOnce) {
    const Note note = make_note(1);
    fail_next(1, "insert", R"("closeConnection": true)");
    run(notes_.insert(note));
    fail_next(1, "findAndModify", R"("closeConnection": true)");
    EXPECT_EQ(run(notes_.update_one({eq("_id", note._id)}, {increment("likes", 1)}))->likes, 2);
    fail_next(1, "find", R"("closeConnection": true)");
    EXPECT_EQ(run(notes_.find({})).size(), 1U);
}

TEST_F(MongoServerFault, AnInsertThatWasRepeatedIsNoDuplicateOfItself) {
    const Note note = make_note(1);
    run(notes_.insert(note));  // as if its answer had been lost
    fail_next(1, "insert", R"("closeConnection": true)");
    run(notes_.insert(note));
    Note other = note;
    other.likes = 2;
    const std::vector<std::optional<std::string>> outcomes{std::nullopt, "_id", std::nullopt};
    fail_next(1, "insert", R"("closeConnection": true)");
    EXPECT_EQ(run(notes_.insert_many({note, other, make_note()})), outcomes);
    EXPECT_THROW(run(notes_.insert(note)), DuplicateKey);  // that was not repeated
}

TEST_F(MongoServerFault, AConnectionThatEndsAgainAndAgainIsUnavailable) {
    fail_next(always, "insert", R"("closeConnection": true)");
    EXPECT_EQ(error_of(notes_.insert(make_note())), ErrorCode::unavailable);
    EXPECT_EQ(error_of(notes_.insert_many({make_note(), make_note()})), ErrorCode::unavailable);
}

TEST_F(MongoServerFault, AnswersOfTheServerAreThePortsErrors) {
    const struct {
        int code;
        ErrorCode error;
    } cases[] = {
        {10107, ErrorCode::unavailable},        // not the primary
        {11600, ErrorCode::unavailable},        // shutting down
        {13, ErrorCode::unavailable},           // not authorised
        {50, ErrorCode::deadline_exceeded},     // maxTimeMS has passed
        {10334, ErrorCode::payload_too_large},  // beyond 16 MiB
        {14, ErrorCode::invalid_argument},      // an update that does not fit
        {8000, ErrorCode::internal},
    };
    for (const auto& each : cases) {
        EXPECT_TRUE(comes_back());  // the driver looks for another primary after some of them
        fail_next(always, "findAndModify", R"("errorCode": )" + std::to_string(each.code));
        EXPECT_EQ(error_of(notes_.update_one({}, {increment("likes", 1)})), each.error) << each.code;
    }
}

TEST_F(MongoServerFault, AWriteThatNoMajorityConfirmedIsUnavailable) {
    const std::string unconfirmed =
        R"("writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"})";
    fail_next(always, "insert", unconfirmed);
    EXPECT_EQ(error_of(notes_.insert(make_note())), ErrorCode::unavailable);
    EXPECT_EQ(error_of(notes_.insert_many({make_note()})), ErrorCode::unavailable);
    fail_next(always, "findAndModify", unconfirmed);
    EXPECT_EQ(error_of(notes_.update_one({}, {increment("likes", 1)})), ErrorCode::unavailable);
    fail_next(always, "update", unconfirmed);
    EXPECT_EQ(error_of(notes_.update_many({}, {increment("likes", 1)})), ErrorCode::unavailable);
    fail_next(always, "delete", unconfirmed);
    EXPECT_EQ(error_of(notes_.remove({})), ErrorCode::unavailable);
}

TEST_F(MongoServerOutage, KeepsEveryAcknowledgedDocumentOnceThroughKillsOfTheServer) {
    std::atomic<bool> is_writing = true;
    std::vector<std::vector<ObjectId>> acknowledged(4);
    std::atomic<int> counted = 0;
    const Note counter = make_note();
    run(notes_.insert(counter));
    std::vector<std::thread> writers;
    for (auto& mine : acknowledged) {
        std::vector<Note> made;
        for (int i = 0; i < 10'000; ++i)
            made.push_back(make_note(i));
        writers.emplace_back([&, notes = std::move(made)]() mutable {
            for (std::size_t next = 0; is_writing && next < notes.size(); ++next) {
                try {
                    run(notes_.insert(notes[next]));
                    mine.push_back(notes[next]._id);
                    run(notes_.update_one({eq("_id", counter._id)}, {increment("likes", 1)}));
                    ++counted;
                } catch (const Error& error) {
                    EXPECT_EQ(error.code(), ErrorCode::unavailable) << error.detail();
                    std::this_thread::sleep_for(milliseconds(5));
                }
            }
        });
    }
    for (int kills = 0; kills < 3; ++kills) {
        std::this_thread::sleep_for(milliseconds(500));
        server_.kill();
        server_.start();
        EXPECT_TRUE(comes_back());
    }
    is_writing = false;
    for (auto& writer : writers)
        writer.join();
    std::multiset<ObjectId> stored;
    for (const auto& note : run(notes_.find({}, {.limit = find_limit_max})))
        stored.insert(note._id);
    std::size_t all = 0;
    for (const auto& ids : acknowledged) {
        all += ids.size();
        for (const auto& id : ids)
            ASSERT_EQ(stored.count(id), 1U) << id.to_string();
    }
    EXPECT_GT(all, 20U);
    EXPECT_GE(run(notes_.find_one({eq("_id", counter._id)}))->likes, counted);
}

TEST_F(MongoServerOutage, RefusesAtOnceWhileTheServerIsGone) {
    server_.kill();
    EXPECT_EQ(error_of(notes_.count({})), ErrorCode::unavailable);
    const auto begun = steady_clock::now();
    EXPECT_EQ(error_of(notes_.insert(make_note())), ErrorCode::unavailable);
    EXPECT_LT(steady_clock::now() - begun, milliseconds(1'000));
    server_.start();
    EXPECT_TRUE(comes_back());
    EXPECT_NO_THROW(run(notes_.insert(make_note())));
}

TEST_F(MongoServerOutage, GivesUpOnAServerThatIsSilentAndComesBackToIt) {
    run(notes_.insert(make_note()));
    server_.pause();
    const auto begun = steady_clock::now();
    EXPECT_EQ(error_of(notes_.count({})), ErrorCode::unavailable);
    EXPECT_EQ(error_of(notes_.insert(make_note())), ErrorCode::unavailable);
    EXPECT_LT(steady_clock::now() - begun, milliseconds(10'000));
    server_.resume();
    EXPECT_TRUE(comes_back());
    EXPECT_GE(run(notes_.count({})), 1);
}

TEST_F(MongoServerOutage, AServerThatIsDownAtTheStartIsAnErrorOfTheFirstRequest) {
    server_.kill();
    MongoStore early(server_.url("notes"), hasty());
    Collection<Note> notes(early, "notes");
    EXPECT_EQ(error_of(notes.ensure(indexes())), ErrorCode::unavailable);
    server_.start();
    EXPECT_TRUE(comes_back());
    EXPECT_TRUE(engines::testing::eventually([&] {
        try {
            run(notes.ensure(indexes()));
            return true;
        } catch (const Error&) {
            return false;
        }
    }));
    EXPECT_EQ(run(notes.count({})), 0);
}

}  // namespace
}  // namespace spaktok::document::mongo
