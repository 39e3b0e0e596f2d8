#include "app/checker.h"

#include <gmock/gmock.h>

#include "app/testing/places.h"
#include "base/object_id.h"
#include "engines/relational/migrations.h"
#include "features/chat/chat_store.h"
#include "features/events/events.h"
#include "features/streams/live_board.h"
#include "features/streams/stream_store.h"

namespace spaktok::app {
namespace {

namespace asio = boost::asio;
using document::eq;
using engines::testing::run;
using relational::Mode;
using relational::Statement;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

// A place with a person, two streams (one live), a post that they like, and a message.
template <class Engines>
class Check : public ::testing::Test {
  protected:
    Check() {
        run(relational::migrate(*database_, now_));
        write(
            "INSERT INTO users (id, username, email, password_hash) VALUES ($1, 'ada', 'ada@example.org', "
            "'x')",
            user_.value);
        write("INSERT INTO posts (id, user_id, content, likes_count) VALUES ($1, $2, 'Looms', 1)", post_,
              user_.value);
        write("INSERT INTO likes (id, user_id, post_id) VALUES ($1, $2, $3)", new_id(), user_.value, post_);
        run(board_.ensure());
        for (const auto& stream : {live_, ended_}) {
            run(database_->transaction(
                [stream](relational::Transaction& tx) { return streams::StreamStore::insert(tx, stream); }));
            run(board_.follow(stream));
        }
        chat::ChatStore chats(*documents_);
        run(chats.ensure());
        run(chats.insert({{._id = ObjectId::make(now_, random_),
                           .sender_id = user_,
                           .room_id = room_,
                           .content = "Hello",
                           .timestamp = now_,
                           .client_id = new_id()}}));
    }
    ~Check() override { run(realtime_->stop()); }

    template <class... Args>
    void write(std::string_view sql, Args... args) {
        run(database_->query(Statement{.name = "check_test", .sql = sql, .mode = Mode::write}, args...));
    }
    Uuid new_id() { return Uuid::v7(now_, random_); }
    static streams::Stream stream(StreamId id, UserId user, streams::Status status, Timestamp at) {
        streams::Stream made{.id = id, .user_id = user, .title = "Looms", .status = status};
        made.started_at = at;
        if (status == streams::Status::ended) made.ended_at = at + std::chrono::hours(1);
        made.created_at = made.updated_at = at;
        return made;
    }

    // What is found, each as "place: stored → expected".
    std::vector<std::string> findings(bool repair = false) {
        std::vector<std::string> told;
        checking::Findings findings({.repair = repair, .tell = [&](const checking::Difference& difference) {
                                         EXPECT_EQ(difference.repaired, repair);
                                         told.push_back(difference.place + ": " + difference.stored + " → " +
                                                        difference.expected);
                                     }});
        run(check_place(settings(), findings));
        EXPECT_EQ(findings.differences(), static_cast<std::int64_t>(told.size()));
        compared_ = findings.compared();
        return told;
    }
    Settings settings() const {
        Settings settings;
        settings.relational = engines_.urls().relational;
        settings.document = engines_.urls().document;
        settings.realtime = realtime_url();
        return settings;
    }
    // The embedded one is one process's: the check opens another, and has no ranking to look at.
    std::string realtime_url() const {
        const auto url = engines_.urls().realtime;
        return url.starts_with("local:") ? url + "-of-check" : url;
    }
    bool has_ranking() const { return !engines_.urls().realtime.starts_with("local:"); }

    const Timestamp now_ = from_unix_milliseconds(1'795'000'000'000);
    ManualClock clock_{now_};
    SeededRandom random_{7};
    Engines engines_;
    std::unique_ptr<relational::Database> database_ = relational::open(engines_.urls().relational, {});
    std::unique_ptr<document::Store> documents_ = document::open(engines_.urls().document);
    std::unique_ptr<realtime::Engine> realtime_ =
        realtime::open(engines_.urls().realtime, {.node_id = "test", .clock = &clock_, .random = &random_});
    streams::LiveBoard board_{{.documents = *documents_,
                               .realtime = *realtime_,
                               .clock = clock_,
                               .random = random_,
                               .publish = [](const std::string&, const std::string&,
                                             const json::Value&) -> asio::awaitable<void> { co_return; },
                               .players_without_socket = [](StreamId) { return std::int64_t{0}; }}};
    const UserId user_{new_id()};
    const Uuid post_ = new_id();
    const RoomId room_{new_id()};
    const streams::Stream live_ = stream({new_id()}, user_, streams::Status::live, now_);
    const streams::Stream ended_ = stream({new_id()}, user_, streams::Status::ended, now_);
    std::int64_t compared_ = 0;
};

using Forms = ::testing::Types<testing::Embedded, testing::ScaleOut>;
class FormName {
  public:
    template <class Engines>
    static std::string GetName(int) {
        return std::is_same_v<Engines, testing::Embedded> ? "Embedded" : "ScaleOut";
    }
};
TYPED_TEST_SUITE(Check, Forms, FormName);

TYPED_TEST(Check, FindsNothingWhereAllAgrees) {
    EXPECT_THAT(this->findings(), IsEmpty());
    EXPECT_GE(this->compared_, 4);  // the post's two counts, two streams, a room
}

TYPED_TEST(Check, FindsAndRepairsCounts) {
    this->write("UPDATE posts SET likes_count = 7, comments_count = 2 WHERE id = $1", this->post_);
    const auto of = " of " + this->post_.to_string() + ": ";
    const std::vector<std::string> wrong{"posts.likes_count" + of + "7 → 1",
                                         "posts.comments_count" + of + "2 → 0"};
    EXPECT_EQ(this->findings(), wrong);
    EXPECT_EQ(this->findings(), wrong) << "it was repaired without being asked to";
    EXPECT_EQ(this->findings(true), wrong);
    EXPECT_THAT(this->findings(), IsEmpty());
}

TYPED_TEST(Check, FindsAndRepairsDocumentsOfStreams) {
    document::Collection<streams::LiveStream> live(*this->documents_, "live_streams");
    run(live.update_one({eq("stream_id", this->live_.id.value)},
                        {document::set("title", std::string("Lomos"))}));
    run(live.remove({eq("stream_id", this->ended_.id.value)}));
    const auto gone = this->new_id();
    run(live.insert(
        {._id = ObjectId::make(this->now_, this->random_), .stream_id = {gone}, .status = "ended"}));
    const std::vector<std::string> wrong{
        "live_streams.title of stream " + this->live_.id.to_string() + ": Lomos → Looms",
        "live_streams._id of stream " + this->ended_.id.to_string() + ": none → a document",
        "live_streams.stream_id " + gone.to_string() + ": a document → none, as there is no such stream"};
    EXPECT_THAT(this->findings(true), UnorderedElementsAreArray(wrong));
    EXPECT_THAT(this->findings(), IsEmpty());
}

TYPED_TEST(Check, LeavesWhatAnEventWillSetRight) {
    document::Collection<streams::LiveStream> live(*this->documents_, "live_streams");
    run(live.update_one({eq("stream_id", this->live_.id.value)},
                        {document::set("title", std::string("Lomos"))}));
    run(live.remove({eq("stream_id", this->ended_.id.value)}));
    run(this->database_->transaction([this](relational::Transaction& tx) {
        return events::append(tx, {.id = this->new_id(),
                                   .aggregate_type = "stream",
                                   .aggregate_id = this->live_.id.to_string(),
                                   .type = "stream.updated",
                                   .payload = {}});
    }));
    EXPECT_THAT(this->findings(), ElementsAre("live_streams._id of stream " + this->ended_.id.to_string() +
                                              ": none → a document"));
}

TYPED_TEST(Check, FindsAndRepairsTheRankingOfLiveStreams) {
    auto& rankings = this->realtime_->rankings();
    const std::string board(streams::live_ranking);
    run(rankings.remove(board, this->live_.id.to_string()));
    run(rankings.set(board, this->ended_.id.to_string(), 3));
    const auto of = "ranking of live streams, stream ";
    if (!this->has_ranking()) {
        EXPECT_THAT(this->findings(), IsEmpty());
        return;
    }
    EXPECT_THAT(this->findings(true),
                UnorderedElementsAre(of + this->live_.id.to_string() + ": missing → ranked",
                                     of + this->ended_.id.to_string() + ": ranked → missing"));
    EXPECT_THAT(this->findings(), IsEmpty());
}

TYPED_TEST(Check, FindsAndRepairsCountersBehindTheirMessages) {
    document::Collection<chat::RoomCounter> counters(*this->documents_, "room_counters");
    const auto of = "room_counters.seq of room " + this->room_.to_string();
    run(counters.update_one({eq("room_id", this->room_.value)}, {document::set("seq", std::int64_t{5})}));
    EXPECT_THAT(this->findings(), IsEmpty()) << "gaps are legal";
    run(counters.update_one({eq("room_id", this->room_.value)}, {document::set("seq", std::int64_t{0})}));
    EXPECT_THAT(this->findings(true), ElementsAre(of + ": 0 → at least 1"));
    run(counters.remove({eq("room_id", this->room_.value)}));
    EXPECT_THAT(this->findings(true), ElementsAre(of + ": 0 → at least 1"));
    EXPECT_THAT(this->findings(), IsEmpty());
}

TYPED_TEST(Check, WantsTheSchemaToBeUpToDate) {
    this->write("DELETE FROM schema_migrations WHERE number = (SELECT max(number) FROM schema_migrations)");
    EXPECT_EQ(engines::testing::error_of([this]() -> asio::awaitable<void> {
                  checking::Findings findings({.repair = false, .tell = [](const auto&) {}});
                  co_await check_place(this->settings(), findings);
              }()),
              ErrorCode::conflict);
}

}  // namespace
}  // namespace spaktok::app
