#include "features/leaderboards/leaderboard_service.h"

#include <thread>

#include <boost/asio/use_future.hpp>

#include "features/gifts/gift_service.h"
#include "features/leaderboards/leaderboard_check.h"
#include "features/leaderboards/leaderboard_routes.h"
#include "features/testing/world.h"

namespace spaktok::leaderboards {
namespace {

namespace asio = boost::asio;
using features_testing::run;
using features_testing::World;
using http::Method;
using relational::Mode;
using relational::Statement;
using testing::ElementsAre;
using testing::IsEmpty;

// Gifts as they are sent, and the boards that follow. What `follow` subscribed lives on the world's executor.
class Leaderboards : public testing::Test {
  protected:
    Leaderboards() {
        world_.clock.advance(std::chrono::hours(48));
        for (const auto& [stream, host] : {std::pair{stream_, bob_}, std::pair{other_, cyd_}}) {
            run(world_.database->query(
                Statement{
                    .name = "boards_test",
                    .sql =
                        "INSERT INTO streams (id, user_id, title, status) VALUES ($1, $2, 'Looms', 'live')",
                    .mode = Mode::write},
                stream, host));
        }
        for (const auto user : {ada_, bob_, cyd_})
            top_up(user);
        boards_.follow(world_.events);
    }
    ~Leaderboards() override {
        run(world_.events.stop());
        run(gifts_.stop());
    }

    void top_up(UserId user) {
        std::vector<ledger::Movement> movements;
        const auto sum = Money::from_minor(1'000'000);
        movements.push_back(
            {.header = {.type = ledger::TransactionType::top_up, .receiver = user, .amount = sum},
             .postings = {{ledger::wallet_of(user), sum},
                          {{.kind = ledger::AccountKind::payment_clearing}, -sum}}});
        run(ledger_.book(std::move(movements)));
    }
    // `number`: of the gift in the catalogue; 1 costs 10 cents, 3 a dollar, 6 ten.
    TransactionId send(UserId sender, StreamId stream, int number) {
        const auto gift = GiftId::parse("01980000-0000-7000-8000-00000000000" + std::to_string(number));
        return run(gifts_.send({.sender = sender,
                                .stream = stream,
                                .gift = *gift,
                                .key = idempotency::make_key(sender, std::to_string(++keys_), "x")}))
            .transaction_id;
    }
    void deliver() {
        if (!std::exchange(delivering_, true)) world_.events.start();
        world_.events.poke();
        EXPECT_TRUE(engines::testing::eventually([&] { return world_.outbox_size() == 0; }));
    }
    // On the executor on which the consumers live.
    void on_home(asio::awaitable<void> work) {
        asio::co_spawn(world_.executor(), std::move(work), asio::use_future).get();
    }
    void keep() { on_home(boards_.keep()); }

    using Lines = std::vector<std::string>;
    static Lines lines(const std::vector<Place>& places) {
        Lines all;
        for (const auto& place : places)
            all.push_back(std::to_string(place.rank) + " " + place.user.username + " " +
                          std::to_string(place.amount.minor()));
        return all;
    }
    Lines top(Side side, Period period) { return lines(run(boards_.top(side, period, 10))); }
    Lines top_of(StreamId stream) { return lines(run(boards_.top_of_stream(stream, 10))); }
    std::string checked(bool repair = false) {
        std::string told;
        checking::Findings findings({.repair = repair, .tell = [&](const checking::Difference& one) {
                                         told += one.stored + " for " + one.expected + ";";
                                     }});
        run(check_boards(
            {.database = *world_.database, .rankings = world_.realtime->rankings(), .clock = world_.clock},
            findings));
        return told;
    }
    void lose() {
        auto& rankings = world_.realtime->rankings();
        const auto now = world_.clock.now();
        for (const auto side : {Side::senders, Side::streamers})
            for (const auto period : {Period::day, Period::week, Period::all})
                run(rankings.clear(board_of(side, period, now).name));
        for (const auto stream : {stream_, other_})
            run(rankings.clear(board_of(stream, now).name));
        run(rankings.clear(std::string(built_board)));
    }

    World world_;
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
    const UserId cyd_ = world_.add_user("cyd").id;
    const StreamId stream_ = StreamId::make(world_.clock.now(), world_.random);
    const StreamId other_ = StreamId::make(world_.clock.now(), world_.random);
    bool is_live_ = true;
    bool has_lease_ = true;
    bool delivering_ = false;
    int keys_ = 0;
    std::vector<std::string> told_;
    ledger::Ledger ledger_{{.database = *world_.database, .clock = world_.clock, .random = world_.random}};
    gifts::Service gifts_{{.database = *world_.database,
                           .ledger = ledger_,
                           .events = world_.events,
                           .clock = world_.clock,
                           .random = world_.random,
                           .executor = world_.executor(),
                           .recipient = [this](StreamId stream) -> asio::awaitable<gifts::Recipient> {
                               co_return gifts::Recipient{.streamer = stream == stream_ ? bob_ : cyd_,
                                                          .is_live = true};
                           },
                           .limits = {.of_day = Money::from_minor(10'000'000)}}};
    Service boards_{
        {.database = *world_.database,
         .rankings = world_.realtime->rankings(),
         .accounts = world_.accounts,
         .clock = world_.clock,
         .is_live = [this](StreamId) -> asio::awaitable<bool> { co_return is_live_; },
         .may_build = [this] { return has_lease_; },
         .publish = [this](std::string topic, std::string event, json::Value data) -> asio::awaitable<void> {
             told_.push_back(topic.substr(0, 7) + " " + event + " " +
                             std::to_string(data.at("items").as_array().size()));
             co_return;
         }}};
};

TEST_F(Leaderboards, CountWhatIsSentOnAllBoards) {
    keep();
    send(ada_, stream_, 6);
    send(cyd_, stream_, 3);
    send(cyd_, stream_, 1);
    send(ada_, other_, 1);
    deliver();
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 1000", "2 cyd 110"));
    EXPECT_THAT(top_of(other_), ElementsAre("1 ada 10"));
    for (const auto period : {Period::day, Period::week, Period::all}) {
        EXPECT_THAT(top(Side::senders, period), ElementsAre("1 ada 1010", "2 cyd 110"));
        EXPECT_THAT(top(Side::streamers, period), ElementsAre("1 bob 1110", "2 cyd 10"));
    }
    EXPECT_EQ(checked(), "");
}

TEST_F(Leaderboards, OfADayAndAWeekBeginAnew) {
    keep();
    // Into a Monday, so that both begin.
    const auto next_monday = begin_of(Period::week, world_.clock.now()) + std::chrono::days(7);
    send(ada_, stream_, 6);
    deliver();
    world_.clock.advance(next_monday - world_.clock.now());
    EXPECT_THAT(top(Side::senders, Period::day), IsEmpty());
    EXPECT_THAT(top(Side::senders, Period::week), IsEmpty());
    EXPECT_THAT(top(Side::senders, Period::all), ElementsAre("1 ada 1000"));
    send(cyd_, stream_, 3);
    deliver();
    EXPECT_THAT(top(Side::senders, Period::day), ElementsAre("1 cyd 100"));
    EXPECT_THAT(top(Side::senders, Period::week), ElementsAre("1 cyd 100"));
}

TEST_F(Leaderboards, OfAnEndedStreamAreAnsweredByTheDatabase) {
    keep();
    send(ada_, stream_, 6);
    send(cyd_, stream_, 3);
    deliver();
    lose();
    is_live_ = false;
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 1000", "2 cyd 100"));
    EXPECT_THAT(lines(run(boards_.top_of_stream(stream_, 1))), ElementsAre("1 ada 1000"));
}

TEST_F(Leaderboards, ThatAreLostAreBuiltAnewByTheNodeWithTheLeaseAlone) {
    keep();
    send(ada_, stream_, 6);
    send(cyd_, stream_, 3);
    // What was booked long ago and what was booked lately are read differently.
    world_.clock.advance(std::chrono::minutes(30));
    send(cyd_, stream_, 3);
    send(ada_, other_, 1);
    deliver();
    const auto today = top(Side::senders, Period::day);
    const auto ever = top(Side::streamers, Period::all);
    lose();
    has_lease_ = false;
    keep();
    EXPECT_THAT(top(Side::senders, Period::day), IsEmpty());
    has_lease_ = true;
    keep();
    EXPECT_EQ(top(Side::senders, Period::day), today);
    EXPECT_EQ(top(Side::streamers, Period::all), ever);
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 1000", "2 cyd 200"));
    EXPECT_EQ(checked(), "");
}

TEST_F(Leaderboards, CountOnceWhatWaitedWhenTheyWereBuiltAndWhatCameAfter) {
    keep();
    send(ada_, stream_, 6);
    lose();
    send(ada_, stream_, 3);  // neither is delivered yet
    keep();
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 1100"));
    EXPECT_EQ(checked(), "");
    deliver();
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 1100"));
    send(ada_, stream_, 1);
    deliver();
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 1110"));
    EXPECT_EQ(checked(), "");
}

TEST_F(Leaderboards, AreRightWhenGiftsAreSentAndDeliveredWhileTheyAreBuilt) {
    deliver();
    for (int round = 0; round < 20; ++round) {
        lose();
        std::thread sender([&] {
            for (int i = 0; i < 10; ++i)
                send(i % 2 == 0 ? ada_ : cyd_, stream_, 3);
        });
        keep();
        sender.join();
        deliver();
        EXPECT_EQ(checked(), "") << round;
    }
    EXPECT_THAT(top_of(stream_), ElementsAre("1 cyd 10000", "2 ada 10000"));
}

TEST_F(Leaderboards, ThatWereChangedAreToldOnce) {
    keep();
    on_home(boards_.tick());
    EXPECT_THAT(told_, IsEmpty());
    send(ada_, stream_, 6);
    send(cyd_, stream_, 6);
    deliver();
    on_home(boards_.tick());
    on_home(boards_.tick());
    EXPECT_THAT(told_, ElementsAre("stream: leaderboard 2"));
}

TEST_F(Leaderboards, AreComparedAndBuiltAnewWhereTheyDiffer) {
    keep();
    send(ada_, stream_, 6);
    deliver();
    auto& rankings = world_.realtime->rankings();
    run(rankings.set("gifts:senders:all", ada_.to_string(), 999));
    run(rankings.set("gifts:streamers:all", ada_.to_string(), 5));
    EXPECT_EQ(checked(), "999 for 1000;5 for 0;");
    EXPECT_EQ(checked(true), "999 for 1000;5 for 0;");
    keep();
    EXPECT_EQ(checked(), "");
    EXPECT_THAT(top(Side::streamers, Period::all), ElementsAre("1 bob 1000"));
}

TEST_F(Leaderboards, TakeBackWhatWasReversed) {
    keep();
    const auto gift = send(ada_, stream_, 6);
    send(ada_, stream_, 3);
    deliver();
    const auto now = world_.clock.now();
    run(world_.database->transaction(
        [&, id = Uuid::v7(now, world_.random)](relational::Transaction& tx) -> asio::awaitable<void> {
            co_await tx.query(
                Statement{.name = "boards_test_reverse",
                          .sql = "INSERT INTO transactions (id, sender_user_id, receiver_user_id, amount, "
                                 "transaction_type, reverses_id) VALUES ($1, $2, $3, $4, 'refund', $5)",
                          .mode = Mode::write},
                id, bob_, ada_, Money::from_minor(1'000), gift);
            co_await events::append(
                tx, {.id = id,
                     .aggregate_type = "stream_gifts",
                     .aggregate_id = stream_.to_string(),
                     .type = "gifts.reversed",
                     .payload = {{"stream_id", stream_.to_string()},
                                 {"gifts", json::Array{json::Object{{"transaction_id", gift.to_string()},
                                                                    {"sender_id", ada_.to_string()},
                                                                    {"receiver_id", bob_.to_string()},
                                                                    {"amount", 1'000},
                                                                    {"created_at", to_rfc3339(now)}}}}}});
        }));
    EXPECT_EQ(checked(), "");
    deliver();
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 100"));
    EXPECT_THAT(top(Side::streamers, Period::day), ElementsAre("1 bob 100"));
    EXPECT_EQ(checked(), "");
    lose();
    keep();
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 100"));
    world_.clock.advance(std::chrono::minutes(30));
    lose();
    keep();
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 100"));
    is_live_ = false;
    EXPECT_THAT(top_of(stream_), ElementsAre("1 ada 100"));
}

TEST_F(Leaderboards, AreAnsweredOverHttp) {
    keep();
    send(ada_, stream_, 6);
    deliver();
    add_routes(world_.router, boards_);
    const auto get = [&](const std::string& path) { return world_.call(Method::get, "/api/v1" + path); };
    const auto first = get("/leaderboards/senders?period=day&limit=1").body.at("items").at(0);
    EXPECT_EQ(first.at("rank"), 1);
    EXPECT_EQ(first.at("user").at("username"), "ada");
    EXPECT_EQ(first.at("amount"), 1'000);
    EXPECT_EQ(get("/leaderboards/streamers").body.at("items").at(0).at("user").at("username"), "bob");
    EXPECT_EQ(get("/streams/" + stream_.to_string() + "/leaderboard").body.at("items").at(0).at("amount"),
              1'000);
    EXPECT_EQ(get("/leaderboards/givers").problem(), "404 /problems/not_found");
    EXPECT_EQ(get("/leaderboards/senders?period=year").problem(), "400 /problems/invalid_field period");
    EXPECT_EQ(get("/leaderboards/senders?limit=100").status, 200U);
    EXPECT_EQ(get("/leaderboards/senders?limit=101").problem(), "400 /problems/invalid_field limit");
    EXPECT_EQ(get("/streams/x/leaderboard").problem(), "404 /problems/not_found");
}

}  // namespace
}  // namespace spaktok::leaderboards
