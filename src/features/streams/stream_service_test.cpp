#include "features/streams/stream_service.h"

#include <set>

#include "features/streams/stream_routes.h"
#include "features/testing/world.h"

namespace spaktok::streams {

namespace asio = boost::asio;
using features_testing::eventually;
using features_testing::failure_of;
using features_testing::run;
using features_testing::World;
using http::Method;

namespace {

// The world with streams in it; the live hub is replaced by what it was told.
class StreamWorld : public World {
  public:
    StreamWorld()
        : documents(open_documents()),
          board({.documents = *documents,
                 .realtime = *realtime,
                 .clock = clock,
                 .random = random,
                 .publish = [this](std::string topic, std::string event,
                                   json::Value data) { return hear(topic, event, data); },
                 .players_without_socket = [](StreamId) { return std::int64_t{0}; }}),
          origins({.values = realtime->key_values(), .clock = clock, .node_id = "here"}),
          elsewhere({.values = realtime->key_values(), .clock = clock, .node_id = "elsewhere"}),
          streams(
              {.database = *database,
               .accounts = accounts,
               .graph = graph,
               .events = events,
               .board = board,
               .origins = origins,
               .clock = clock,
               .random = random,
               .end_broadcast = [this](StreamId stream,
                                       std::string) { return note("end " + stream.to_string()); },
               .disconnect_publisher = [this](UserId user,
                                              std::string) { return note("disconnect " + user.to_string()); },
               .take_from_others = [this](StreamId stream) { return note("take " + stream.to_string()); }}) {
        elsewhere.serve_at("http://elsewhere:8080");
        run(board.ensure());
        add_routes(router, streams, accounts, "rtmp://example.org/live");
    }

    asio::awaitable<void> hear(std::string topic, std::string event, json::Value data) {
        const std::scoped_lock lock(mutex);
        heard.push_back(topic + " " + event);
        last = std::move(data);
        co_return;
    }
    asio::awaitable<void> note(std::string what) {
        hub.push_back(std::move(what));
        co_return;
    }
    bool has_heard(const std::string& what) {
        const std::scoped_lock lock(mutex);
        return std::ranges::find(heard, what) != heard.end();
    }
    StreamId publish(UserId user) {
        const auto key = run(streams.rotate_key(user));
        const auto publication = run(streams.authorize(key, "198.51.100.1"));
        run(streams.on_air({.stream_id = publication.stream_id, .protocol = "rtmp", .connected = true}));
        return publication.stream_id;
    }

    std::unique_ptr<document::Store> documents;
    LiveBoard board;
    Origins origins;
    Origins elsewhere;  // of another node
    Service streams;
    std::mutex mutex;
    std::vector<std::string> heard;
    json::Value last;
    std::vector<std::string> hub;
};

TEST(StreamService, APublishMakesAStreamAndGoesLiveAndItsEndIsFinal) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const StreamId id = world.publish(ada.id);
    auto stream = run(world.streams.find(id));
    EXPECT_EQ(stream.status, Status::live);
    EXPECT_EQ(stream.title, "ada live");
    EXPECT_TRUE(stream.started_at);
    EXPECT_TRUE(run(world.accounts.account(ada.id)).is_streamer);
    EXPECT_TRUE(run(world.streams.live_among({ada.id})).contains(ada.id));

    stream = run(world.streams.end(ada.id, id));
    EXPECT_EQ(stream.status, Status::ended);
    EXPECT_EQ(world.hub.back(), "end " + id.to_string());
    EXPECT_EQ(failure_of(world.streams.on_air({.stream_id = id})), "conflict stream_ended");
    run(world.streams.off_air(id, "late"));
    EXPECT_EQ(run(world.streams.end(ada.id, id)).ended_at, stream.ended_at);
}

TEST(StreamService, TheNextPublishTakesThePreparedStream) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto prepared = run(world.streams.create(ada.id, {.title = "Keyboards"}));
    EXPECT_EQ(world.publish(ada.id), prepared.id);
    EXPECT_EQ(world.publish(ada.id), prepared.id);  // it is live: a return goes on in the same broadcast
}

TEST(StreamService, OnlyTheNewestKeyPublishes) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto first = run(world.streams.rotate_key(ada.id));
    const auto second = run(world.streams.rotate_key(ada.id));
    EXPECT_EQ(world.hub.size(), 2U);
    EXPECT_EQ(failure_of(world.streams.authorize(first, "x")), "unauthenticated unknown_stream_key");
    EXPECT_EQ(failure_of(world.streams.authorize(std::string(101, 'k'), "x")),
              "unauthenticated unknown_stream_key");
    EXPECT_EQ(run(world.streams.authorize(second, "x")).user_id, ada.id);
    run(world.streams.delete_key(ada.id));
    EXPECT_EQ(failure_of(world.streams.authorize(second, "x")), "unauthenticated unknown_stream_key");
}

TEST(StreamService, TwentyStreamsMayWaitAndNoMore) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    for (int i = 0; i < not_yet_live_max; ++i)
        run(world.streams.create(ada.id, {.title = "t"}));
    EXPECT_EQ(failure_of(world.streams.create(ada.id, {.title = "t"})), "conflict too_many_streams");
}

TEST(StreamService, RefusesInOrderOfPrecedence) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto bob = world.add_user("bob");
    const auto moderator = world.add_user("mia", accounts::Role::moderator);
    const auto none = StreamId::make(world.clock.now(), world.random);
    const auto waiting = run(world.streams.create(ada.id, {.title = "t"}));
    EXPECT_EQ(failure_of(world.streams.update(bob.id, none, {.title = ""})), "not_found");
    EXPECT_EQ(failure_of(world.streams.update(bob.id, waiting.id, {.title = ""})), "forbidden");
    EXPECT_EQ(failure_of(world.streams.end(bob.id, waiting.id)), "forbidden");
    EXPECT_EQ(failure_of(world.streams.end(ada.id, waiting.id)), "conflict stream_not_live");
    EXPECT_EQ(failure_of(world.streams.remove(bob.id, waiting.id)), "forbidden");
    const StreamId live = world.publish(ada.id);
    EXPECT_EQ(failure_of(world.streams.remove(ada.id, live)), "conflict stream_not_scheduled");
    EXPECT_EQ(run(world.streams.end(moderator.id, live)).status, Status::ended);
    EXPECT_EQ(failure_of(world.streams.update(ada.id, live, {.title = "t"})), "conflict stream_ended");
}

TEST(StreamService, AChangeIsToldToViewersEveryoneAndFollowers) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto bob = world.add_user("bob");
    run(world.graph.follow_user(bob.id, ada.id));
    announce_streams(world.events, world.streams, world.board, world.graph,
                     [&](std::string topic, std::string event, json::Value data) {
                         return world.hear(topic, event, data);
                     });
    world.events.start();
    const StreamId id = world.publish(ada.id);
    world.events.poke();
    for (const auto& topic :
         {"stream:" + id.to_string(), std::string("live"), "user:" + bob.id.to_string()}) {
        EXPECT_TRUE(eventually([&] { return world.has_heard(topic + " stream.started"); })) << topic;
    }
    EXPECT_FALSE(world.has_heard("live stream.created"));  // preparing is nobody's business
    run(world.streams.off_air(id, "gone"));
    EXPECT_TRUE(eventually([&] { return world.has_heard("live stream.ended"); }));
    run(world.events.stop());
}

TEST(StreamService, ViewersAreSummedRankedAnnouncedOnceAndKeptAsThePeak) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto bob = world.add_user("bob");
    const StreamId first = world.publish(ada.id);
    const StreamId second = world.publish(bob.id);
    world.board.set_subscribers(first, 3);
    world.board.set_subscribers(second, 7);
    run(world.board.tick());
    run(world.board.tick());
    EXPECT_EQ(std::ranges::count(world.heard, "stream:" + second.to_string() + " viewers"), 1);
    const auto page = run(world.streams.list(Status::live, {}));
    ASSERT_EQ(page.items.size(), 2U);
    EXPECT_EQ(page.items[0].id, second);
    EXPECT_EQ(run(world.board.view(second)).viewer_count, 7);
    world.board.set_subscribers(second, 1);
    run(world.board.tick());
    run(world.streams.off_air(second, "gone"));
    EXPECT_EQ(run(world.streams.find(second)).viewers_count, 7);
}

TEST(StreamService, PagesOfLiveStreamsWalkOneSnapshot) {
    StreamWorld world;
    std::vector<StreamId> streams;
    for (int i = 0; i < 7; ++i) {
        const auto user = world.add_user("user_" + std::to_string(i));
        streams.push_back(world.publish(user.id));
        world.board.set_subscribers(streams.back(), 10 + i);
    }
    run(world.board.tick());
    std::set<StreamId> seen;
    std::optional<std::string> cursor;
    do {
        const auto page = run(world.streams.list(Status::live, {.limit = 3, .cursor = cursor}));
        for (const auto& stream : page.items)
            EXPECT_TRUE(seen.insert(stream.id).second);
        cursor = page.next_cursor;
        // The ranking turns over between two pages.
        for (std::size_t i = 0; i < streams.size(); ++i)
            world.board.set_subscribers(streams[i], 100 - static_cast<std::int64_t>(i));
        run(world.board.tick());
    } while (cursor);
    EXPECT_EQ(seen.size(), 7U);
    const auto first = run(world.streams.list(Status::live, {.limit = 3}));
    world.clock.advance(std::chrono::minutes(6));
    EXPECT_EQ(failure_of(world.streams.list(Status::live, {.limit = 3, .cursor = first.next_cursor})),
              "invalid_argument invalid_cursor cursor");
}

TEST(StreamService, FirstPagesOfTheSameSecondShareASnapshotUntilAStreamBeginsOrEnds) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto bob = world.add_user("bob");
    const StreamId first = world.publish(ada.id);
    const StreamId second = world.publish(bob.id);
    const auto first_of = [&] { return run(world.streams.list(Status::live, {.limit = 1})).items.at(0).id; };
    const auto cursor_of = [&] { return run(world.streams.list(Status::live, {.limit = 1})).next_cursor; };
    world.board.set_subscribers(first, 5);
    run(world.board.tick());
    EXPECT_EQ(first_of(), first);
    const auto cursor = cursor_of();
    world.board.set_subscribers(second, 9);
    run(world.board.tick());
    EXPECT_EQ(first_of(), first);
    EXPECT_EQ(cursor_of(), cursor);
    world.clock.advance(std::chrono::seconds(1));
    EXPECT_EQ(first_of(), second);
    const auto eve = world.add_user("eve");
    world.publish(eve.id);
    EXPECT_EQ(run(world.streams.list(Status::live, {})).items.size(), 3U);
    run(world.streams.off_air(second, "gone"));
    EXPECT_EQ(first_of(), first);
}

TEST(StreamService, WhatCrowdsAskForShowsOwnChangesAtOnceAndOthersAfterTwoSeconds) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const StreamId id = world.publish(ada.id);
    EXPECT_EQ(run(world.streams.recent(id)).status, Status::live);
    EXPECT_EQ(run(world.streams.live_of(ada.id)), id);
    run(world.streams.update(ada.id, id, {.title = "Mine"}));
    EXPECT_EQ(run(world.streams.recent(id)).title, "Mine");
    constexpr relational::Statement rename{.name = "test_rename",
                                           .sql = "UPDATE streams SET title = $1 WHERE id = $2",
                                           .mode = relational::Mode::write};
    run(world.database->query(rename, "Another node's", id));
    EXPECT_EQ(run(world.streams.recent(id)).title, "Mine");
    world.clock.advance(std::chrono::seconds(2));
    EXPECT_EQ(run(world.streams.recent(id)).title, "Another node's");
    run(world.streams.off_air(id, "gone"));
    EXPECT_EQ(run(world.streams.recent(id)).status, Status::ended);
    EXPECT_EQ(run(world.streams.live_of(ada.id)), std::nullopt);
    const auto unknown = StreamId::make(world.clock.now(), world.random);
    EXPECT_EQ(failure_of(world.streams.recent(unknown)), "not_found");
}

TEST(StreamService, ListsOfFollowedStreamsLoseNoneBetweenOthers) {
    StreamWorld world;
    const auto me = world.add_user("me_myself");
    std::set<StreamId> wanted;
    for (int i = 0; i < 6; ++i) {
        const auto user = world.add_user("user_" + std::to_string(i));
        if (i % 2 == 0) run(world.graph.follow_user(me.id, user.id));
        for (int n = 0; n < 4; ++n) {
            const auto at = world.clock.now() + std::chrono::hours(1 + n * 6 + i);
            const auto stream = run(world.streams.create(user.id, {.title = "t", .scheduled_for = at}));
            if (i % 2 == 0) wanted.insert(stream.id);
        }
    }
    std::set<StreamId> seen;
    std::optional<std::string> cursor;
    Timestamp before{};
    do {
        const auto page =
            run(world.streams.list(Status::scheduled, {.limit = 5, .cursor = cursor, .followed_by = me.id}));
        for (const auto& stream : page.items) {
            EXPECT_GE(*stream.scheduled_for, before);
            before = *stream.scheduled_for;
            EXPECT_TRUE(seen.insert(stream.id).second);
        }
        cursor = page.next_cursor;
    } while (cursor);
    EXPECT_EQ(seen, wanted);
}

TEST(StreamService, StreamsThatNoNodeHasEndAfterTheGrace) {
    using std::chrono::seconds;
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto bob = world.add_user("bob");
    const auto eve = world.add_user("eve");
    const StreamId gone = world.publish(ada.id);
    const StreamId back = world.publish(bob.id);
    const StreamId moved = world.publish(eve.id);
    const auto look = [&] { run(world.streams.end_abandoned(seconds(30))); };
    const auto status = [&](StreamId id) { return run(world.streams.find(id)).status; };
    look();
    world.clock.advance(Origins::life + seconds(1));  // nobody renews
    run(world.elsewhere.claim(moved));
    look();
    world.clock.advance(seconds(29));
    run(world.elsewhere.claim(moved));
    look();
    EXPECT_EQ(status(gone), Status::live);
    run(world.streams.on_status({.stream_id = back, .protocol = "rtmp", .connected = true}));
    world.clock.advance(seconds(2));
    look();
    EXPECT_EQ(status(gone), Status::ended);
    EXPECT_EQ(status(back), Status::live);
    EXPECT_EQ(status(moved), Status::live);
}

TEST(StreamService, APublisherTakesItsStreamFromTheNodeThatHadIt) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto key = run(world.streams.rotate_key(ada.id));
    const StreamId stream = run(world.streams.authorize(key, "198.51.100.1")).stream_id;
    run(world.streams.on_air({.stream_id = stream, .protocol = "rtmp", .connected = true}));
    EXPECT_EQ(run(world.streams.origin_of(stream)), std::nullopt);
    run(world.streams.authorize(key, "198.51.100.1"));
    const std::string taken = "take " + stream.to_string();
    EXPECT_THAT(world.hub, testing::Not(testing::Contains(taken)));
    // The publisher goes to another node, whose broadcast this one's end must not touch.
    run(world.elsewhere.claim(stream));
    world.clock.advance(std::chrono::seconds(2));  // it is asked for once a second
    EXPECT_EQ(run(world.streams.origin_of(stream)), "http://elsewhere:8080");
    run(world.streams.off_air(stream, "its publisher is elsewhere"));
    EXPECT_EQ(run(world.streams.find(stream)).status, Status::live);
    run(world.origins.release(stream));  // not its own
    EXPECT_TRUE(run(world.elsewhere.find(stream)));
    // And comes back: viewers are served from there until there is a picture here.
    run(world.streams.authorize(key, "198.51.100.1"));
    EXPECT_THAT(world.hub, testing::Not(testing::Contains(taken)));
    EXPECT_EQ(run(world.origins.find(stream))->node, "elsewhere");
    run(world.streams.on_air({.stream_id = stream, .protocol = "rtmp", .connected = true}));
    EXPECT_THAT(world.hub, testing::Contains(taken));
    EXPECT_EQ(run(world.origins.find(stream))->node, "here");
    run(world.elsewhere.claim(stream));
    // One that is away leaves the place to whoever it comes back to.
    run(world.streams.on_status({.stream_id = stream, .protocol = "rtmp", .connected = false}));
    EXPECT_EQ(run(world.origins.find(stream))->node, "elsewhere");
    run(world.streams.on_status({.stream_id = stream, .protocol = "rtmp", .connected = true}));
    EXPECT_EQ(run(world.origins.find(stream))->node, "here");
    run(world.streams.off_air(stream, "done"));
    EXPECT_EQ(run(world.streams.find(stream)).status, Status::ended);
    EXPECT_EQ(run(world.origins.find(stream)), std::nullopt);
}

TEST(StreamRoutes, OnlyTheOwnerSeesTheIngest) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto bob = world.add_user("bob");
    const StreamId id = world.publish(ada.id);
    const std::string path = "/api/v1/streams/" + id.to_string();
    EXPECT_TRUE(world.call(Method::get, path).body.at("ingest").is_null());
    EXPECT_TRUE(
        world.call(Method::get, path, {.session = world.sign_in(bob.id)}).body.at("ingest").is_null());
    EXPECT_EQ(
        world.call(Method::get, path, {.session = world.sign_in(ada.id)}).body.at("ingest").at("protocol"),
        "rtmp");
}

TEST(StreamRoutes, APatchTellsAbsentFromNull) {
    StreamWorld world;
    const auto ada = world.add_user("ada");
    const auto session = world.sign_in(ada.id);
    const auto at = to_rfc3339(world.clock.now() + std::chrono::hours(5));
    const auto made =
        world.call(Method::post, "/api/v1/streams",
                   {.session = session,
                    .json = json::Object{{"title", "t"}, {"description", "d"}, {"scheduled_for", at}}});
    EXPECT_EQ(made.status, 201U);
    const auto path = made.header("Location");
    auto changed =
        world.call(Method::patch, path, {.session = session, .json = json::Object{{"title", "new"}}});
    EXPECT_EQ(changed.body.at("scheduled_for"), at.c_str());
    EXPECT_EQ(changed.body.at("description"), "d");
    changed = world.call(
        Method::patch, path,
        {.session = session, .json = json::Object{{"scheduled_for", nullptr}, {"description", nullptr}}});
    EXPECT_TRUE(changed.body.at("scheduled_for").is_null());
    EXPECT_EQ(changed.body.at("title"), "new");
    EXPECT_EQ(changed.body.at("description"), "");
    EXPECT_EQ(
        world.call(Method::patch, path, {.session = session, .json = json::Object{{"title", 7}}}).problem(),
        "400 /problems/invalid_field title");
}

}  // namespace
}  // namespace spaktok::streams
