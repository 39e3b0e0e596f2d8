#include <set>

#include "features/chat/chat_routes.h"
#include "features/chat/chat_service.h"
#include "features/testing/deadly_engines.h"
#include "features/testing/world.h"

namespace spaktok::chat {

namespace asio = boost::asio;
using features_testing::Deadly;
using features_testing::DeadlyStore;
using features_testing::failure_of;
using features_testing::Places;
using features_testing::run;
using features_testing::World;
using http::Method;

namespace {

class ChatWorld : public World {
  public:
    explicit ChatWorld(Places* places = nullptr, Deadly* deadly = nullptr)
        : World({.places = places}),
          documents(open_documents()),
          deadly_documents(deadly ? std::make_unique<DeadlyStore>(*documents, *deadly) : nullptr),
          limiter(clock, {}),
          rooms(*database, clock),
          chat({.documents = deadly_documents ? *deadly_documents : *documents,
                .accounts = accounts,
                .rooms = rooms,
                .limiter = limiter,
                .clock = clock,
                .random = random,
                .executor = executor(),
                .announce = [this](RoomId, std::string event, json::Value data) { return hear(event, data); },
                .check_open = [this](rooms::Room) { return check_open(); }}) {
        run(chat.start());
        add_routes(router, chat);
    }
    ~ChatWorld() {
        run(chat.stop());
        documents.reset();
    }

    asio::awaitable<void> hear(std::string event, json::Value data) {
        if (on_heard) on_heard(data);
        const std::scoped_lock lock(mutex);
        if (deaf) throw Error(ErrorCode::unavailable, "gone");
        heard.emplace_back(std::move(event), std::move(data));
        co_return;
    }
    asio::awaitable<void> check_open() {
        if (closed) throw Error(ErrorCode::conflict, "closed", {.reason = "room_closed"});
        co_return;
    }
    RoomId add_room(UserId owner) {
        const auto room = RoomId::make(clock.now(), random);
        run(database->transaction([room, owner, now = clock.now()](relational::Transaction& tx) {
            return rooms::create_stream_room(tx, room, owner, now);
        }));
        return room;
    }
    Service::NewMessage message(RoomId room, std::string content) {
        return {.room_id = room, .client_id = Uuid::v7(clock.now(), random), .content = std::move(content)};
    }

    std::unique_ptr<document::Store> documents;
    std::unique_ptr<DeadlyStore> deadly_documents;
    http::RateLimiter limiter;
    rooms::Service rooms;
    Service chat;
    std::mutex mutex;
    std::vector<std::pair<std::string, json::Value>> heard;
    std::function<void(const json::Value&)> on_heard{};
    bool deaf = false;
    bool closed = false;
};

TEST(Chat, RefusesInOrderOfPrecedence) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto room = world.add_room(ada.id);
    const auto nowhere = RoomId::make(world.clock.now(), world.random);
    EXPECT_EQ(failure_of(world.chat.send(ada.id, world.message(nowhere, "  "))),
              "invalid_argument invalid_field content");
    EXPECT_EQ(failure_of(world.chat.send(ada.id, world.message(nowhere, "hi"))), "not_found");
    world.closed = true;
    EXPECT_EQ(failure_of(world.chat.send(ada.id, world.message(room, "hi"))), "conflict room_closed");
    world.closed = false;
    auto reply = world.message(room, "hi");
    reply.reply_to = ObjectId::make(world.clock.now(), world.random);
    EXPECT_EQ(failure_of(world.chat.send(ada.id, reply)), "not_found reply_to");
    EXPECT_TRUE(world.heard.empty());
}

TEST(Chat, TakesTwoThousandCharactersAndNotOneMore) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto room = world.add_room(ada.id);
    std::string most;
    for (std::size_t i = 0; i < content_length_max; ++i)
        most += "é";
    EXPECT_EQ(run(world.chat.send(ada.id, world.message(room, most))).content, most);
    EXPECT_EQ(failure_of(world.chat.send(ada.id, world.message(room, most + "é"))),
              "invalid_argument invalid_field content");
}

TEST(Chat, ARepeatedSendIsTheSameMessage) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto message = world.message(world.add_room(ada.id), "once");
    const auto first = run(world.chat.send(ada.id, message));
    const auto second = run(world.chat.send(ada.id, message));
    EXPECT_EQ(first.id, second.id);
    EXPECT_EQ(first.seq, second.seq);
    EXPECT_EQ(world.heard.size(), 1U);
    // Another person's client may use the same id.
    const auto bob = world.add_user("bob");
    EXPECT_NE(run(world.chat.send(bob.id, message)).id, first.id);
}

TEST(Chat, EveryoneHearsAllMessagesOnceInTheOrderOfSeq) {
    ChatWorld world;
    const auto room = world.add_room(world.add_user("hostess").id);
    std::vector<accounts::Account> people;
    for (int i = 0; i < 20; ++i)
        people.push_back(world.add_user("user_" + std::to_string(i)));
    asio::io_context context(1);
    int sent = 0;
    for (const auto& person : people) {
        for (int n = 0; n < 5; ++n) {
            asio::co_spawn(
                context, world.chat.send(person.id, world.message(room, "hello")),
                [&sent](std::exception_ptr failure, const MessageAnswer&) { sent += failure ? 0 : 1; });
        }
    }
    context.run();
    EXPECT_EQ(sent, 100);
    ASSERT_EQ(world.heard.size(), 100U);
    std::int64_t before = 0;
    for (const auto& [event, data] : world.heard) {
        EXPECT_EQ(event, "message.created");
        EXPECT_GT(data.at("message").at("seq").as_int64(), before);
        before = data.at("message").at("seq").as_int64();
    }
}

TEST(Chat, ElevenAtOnceAreAFlood) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto room = world.add_room(ada.id);
    for (int i = 0; i < 10; ++i)
        run(world.chat.send(ada.id, world.message(room, "hi")));
    EXPECT_EQ(failure_of(world.chat.send(ada.id, world.message(room, "hi"))), "rate_limited flood");
    world.clock.advance(std::chrono::seconds(1));
    run(world.chat.send(ada.id, world.message(room, "hi")));
    EXPECT_EQ(failure_of(world.chat.send(ada.id, world.message(room, "hi"))), "rate_limited flood");
}

TEST(Chat, PagesOfHistoryNeitherRepeatNorLoseWhileMessagesArrive) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto room = world.add_room(ada.id);
    const auto send = [&] {
        world.clock.advance(std::chrono::seconds(1));
        return run(world.chat.send(ada.id, world.message(room, "hi"))).seq;
    };
    std::set<std::int64_t> sent;
    for (int i = 0; i < 25; ++i)
        sent.insert(send());
    std::set<std::int64_t> seen;
    std::optional<std::string> cursor;
    do {
        const auto page = run(world.chat.history(room, 4, cursor));
        for (const auto& message : page.items)
            EXPECT_TRUE(seen.insert(message.seq).second);
        cursor = page.next_cursor;
        send();  // newer than every page
    } while (cursor);
    EXPECT_EQ(seen, sent);
}

TEST(Chat, WhatCouldNotBeAnnouncedIsStoredAndAnnouncedLater) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto room = world.add_room(ada.id);
    world.deaf = true;
    const auto message = run(world.chat.send(ada.id, world.message(room, "hi")));
    EXPECT_EQ(run(world.chat.history(room, 10, std::nullopt)).items.at(0).id, message.id);
    run(world.chat.announce_left({}));
    world.deaf = false;
    constexpr std::chrono::seconds age{10};
    world.clock.advance(age - std::chrono::milliseconds{1});
    run(world.chat.announce_left(age));
    EXPECT_EQ(world.heard.size(), 0U) << "its node may still do it";
    world.clock.advance(std::chrono::milliseconds{1});
    run(world.chat.announce_left(age));
    ASSERT_EQ(world.heard.size(), 1U);
    run(world.chat.announce_left(age));
    EXPECT_EQ(world.heard.size(), 1U);
}

// Ids of two nodes are not in the order of their messages.
TEST(Chat, WhatIsLeftIsAnnouncedInTheOrderOfSeq) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto room = world.add_room(ada.id);
    std::vector<ObjectId> ids;
    for (int i = 0; i < 3; ++i)
        ids.push_back(ObjectId::make(world.clock.now(), world.random));
    ChatStore store(*world.documents);
    for (const auto& id : {ids[2], ids[0], ids[1]}) {
        run(store.insert({Message{._id = id,
                                  .sender_id = ada.id,
                                  .room_id = room,
                                  .content = "hi",
                                  .timestamp = world.clock.now(),
                                  .announced = false}}));
    }
    run(world.chat.announce_left({}));
    std::vector<std::int64_t> seqs;
    for (const auto& [event, data] : world.heard)
        seqs.push_back(data.at("message").at("seq").as_int64());
    EXPECT_EQ(seqs, (std::vector<std::int64_t>{1, 2, 3}));
}

// A node that is killed at each step of a message's way, and what the next makes of it.
struct NamedStep {
    std::string test;
    features_testing::Step step;
    friend void PrintTo(const NamedStep& named, std::ostream* out) { *out << named.step.name; }
};
class ChatTakeover : public testing::TestWithParam<NamedStep> {
  protected:
    static constexpr int messages = 4;
    static constexpr std::int64_t at_the_step = -1;
    static constexpr std::int64_t acknowledged = 1000;
    // Of what a room is told: the message's place and its content, a number.
    static std::int64_t heard(const json::Value& data) {
        const auto& message = data.at("message");
        return message.at("seq").as_int64() * 10 + std::stoi(std::string(message.at("content").as_string()));
    }
    static asio::awaitable<void> say(ChatWorld& world, UserId sender, Service::NewMessage message,
                                     std::function<void()> done) {
        co_await world.chat.send(sender, std::move(message));
        done();
    }
    // Begins to send all at once and is killed at the step.
    static std::vector<std::int64_t> send_and_die(Places& places, UserId sender,
                                                  const std::vector<Service::NewMessage>& given,
                                                  const features_testing::Step& step) {
        return engines::testing::reported_before_kill(
            SIZE_MAX, [&](const std::function<void(std::int64_t)>& report) {
                features_testing::begin_child();
                Deadly deadly(step, [&] { report(at_the_step); });
                ChatWorld world(&places, &deadly);
                world.on_heard = [&](const json::Value& data) {
                    deadly.reach("before it is announced");
                    report(heard(data));
                    deadly.reach("after it was announced");
                };
                for (int i = 0; i < messages; ++i) {
                    asio::co_spawn(world.executor(),
                                   say(world, sender, given[static_cast<std::size_t>(i)],
                                       [&, i] {
                                           report(acknowledged + i);
                                           deadly.reach("after the acknowledgement");
                                       }),
                                   asio::detached);
                }
                for (;;)
                    ::pause();
            });
    }
    static std::vector<std::int64_t> history(ChatWorld& world, RoomId room) {
        std::vector<std::int64_t> all;
        for (const auto& message : run(world.chat.history(room, 100, std::nullopt)).items)
            all.push_back(message.seq * 10 + std::stoi(message.content));
        std::ranges::reverse(all);
        return all;
    }
};

TEST_P(ChatTakeover, EveryStoredMessageIsToldInOrderAndSentAgainIsTheSame) {
    Places places;
    UserId ada;
    RoomId room;
    std::vector<Service::NewMessage> given;
    {
        ChatWorld world(&places);
        ada = world.add_user("ada").id;
        room = world.add_room(ada);
        for (int i = 0; i < messages; ++i)
            given.push_back(world.message(room, std::to_string(i)));
    }
    const auto before = send_and_die(places, ada, given, GetParam().step);
    ASSERT_FALSE(before.empty());
    ASSERT_EQ(before.back(), at_the_step) << "it ended elsewhere";

    ChatWorld world(&places);
    run(world.chat.announce_left({}));
    const auto stored = history(world, room);
    std::vector<std::int64_t> told_again;
    for (const auto& [event, data] : world.heard)
        told_again.push_back(heard(data));
    EXPECT_EQ(std::set<std::int64_t>(told_again.begin(), told_again.end()).size(), told_again.size());
    EXPECT_TRUE(std::ranges::is_sorted(told_again));

    std::vector<std::int64_t> told;  // for the first time
    std::set<std::int64_t> contents;
    for (const auto one : stored)
        contents.insert(one % 10);
    for (const auto one : before) {
        if (one >= acknowledged) {
            EXPECT_TRUE(contents.contains(one - acknowledged)) << "acknowledged and lost";
        } else if (one != at_the_step) {
            told.push_back(one);
        }
    }
    for (const auto one : told_again) {
        if (std::ranges::find(told, one) == told.end()) told.push_back(one);
    }
    EXPECT_EQ(told, stored);

    // Whoever got no answer says it again.
    world.heard.clear();
    for (const auto& message : given)
        run(world.chat.send(ada, message));
    EXPECT_EQ(history(world, room).size(), static_cast<std::size_t>(messages));
    EXPECT_EQ(world.heard.size(), messages - stored.size());
    run(world.chat.announce_left({}));
    EXPECT_EQ(world.heard.size(), messages - stored.size());
}

INSTANTIATE_TEST_SUITE_P(Steps, ChatTakeover,
                         testing::Values(NamedStep{"BeforeAPlaceIsTaken",
                                                   {"before update_one room_counters"}},
                                         NamedStep{"AfterAPlaceIsTaken", {"after update_one room_counters"}},
                                         NamedStep{"BeforeTheInsert", {"before insert_many chats"}},
                                         NamedStep{"DuringTheInsert", {"during insert_many chats"}},
                                         NamedStep{"AfterTheInsert", {"after insert_many chats"}},
                                         NamedStep{"BeforeItIsAnnounced", {"before it is announced"}},
                                         NamedStep{"AfterItWasAnnounced", {"after it was announced"}},
                                         NamedStep{"BetweenTwoOfABatch", {"before it is announced", 3}},
                                         NamedStep{"BeforeItIsMarked", {"before update_many chats"}},
                                         NamedStep{"DuringTheMark", {"during update_many chats"}},
                                         NamedStep{"AfterItWasMarked", {"after update_many chats"}},
                                         NamedStep{"AfterTheAcknowledgement", {"after the acknowledgement"}}),
                         [](const auto& info) { return info.param.test; });

TEST(Chat, ALostCounterIsRaisedToWhatIsStored) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto room = world.add_room(ada.id);
    for (int i = 0; i < 3; ++i)
        run(world.chat.send(ada.id, world.message(room, "hi")));
    run(world.documents->remove("room_counters", {}));
    EXPECT_GT(run(world.chat.send(ada.id, world.message(room, "hi"))).seq, 3);
}

TEST(Chat, AuthorHostAndModeratorMayDeleteAndItIsToldOnce) {
    ChatWorld world;
    const auto host = world.add_user("hostess");
    const auto author = world.add_user("author");
    const auto stranger = world.add_user("stranger");
    const auto moderator = world.add_user("mia", accounts::Role::moderator);
    const auto room = world.add_room(host.id);
    for (const auto& remover : {host, author, moderator}) {
        const auto message = run(world.chat.send(author.id, world.message(room, "hi")));
        world.heard.clear();
        EXPECT_EQ(failure_of(world.chat.remove(stranger.id, room, message.id)), "forbidden");
        run(world.chat.remove(remover.id, room, message.id));
        run(world.chat.remove(remover.id, room, message.id));
        ASSERT_EQ(world.heard.size(), 1U);
        EXPECT_EQ(world.heard[0].first, "message.deleted");
        const auto newest = run(world.chat.history(room, 1, std::nullopt)).items.at(0);
        EXPECT_EQ(newest.content, "");
        EXPECT_TRUE(newest.deleted_at);
    }
    EXPECT_EQ(failure_of(world.chat.remove(host.id, room, ObjectId::make(world.clock.now(), world.random))),
              "not_found message_id");
}

TEST(ChatRoutes, HistoryIsForEveryoneAndDeletionForPeople) {
    ChatWorld world;
    const auto ada = world.add_user("ada");
    const auto room = world.add_room(ada.id);
    const auto message = run(world.chat.send(ada.id, world.message(room, "hi")));
    const std::string path = "/api/v1/rooms/" + room.to_string() + "/messages";
    EXPECT_EQ(world.call(Method::get, path).body.at("items").at(0).at("content"), "hi");
    EXPECT_EQ(world.call(Method::get, path + "?limit=101").problem(), "400 /problems/invalid_field limit");
    EXPECT_EQ(world.call(Method::get, path + "?cursor=x").problem(), "400 /problems/invalid_cursor cursor");
    EXPECT_EQ(world.call(Method::delete_, path + "/" + message.id.to_string()).status, 401U);
    EXPECT_EQ(
        world.call(Method::delete_, path + "/" + message.id.to_string(), {.session = world.sign_in(ada.id)})
            .status,
        204U);
}

}  // namespace
}  // namespace spaktok::chat
