#include "features/gifts/gift_events.h"

#include <atomic>
#include <set>

#include "features/gifts/gift_routes.h"
#include "features/testing/world.h"

namespace spaktok::gifts {
namespace {

namespace asio = boost::asio;
using features_testing::run;
using features_testing::World;
using http::Method;
using relational::Mode;
using relational::Statement;

const std::string spark = "01980000-0000-7000-8000-000000000001";
const std::string galaxy = "01980000-0000-7000-8000-000000000012";

// Services as the server connects them, and what everyone who watches is told.
class GiftsOnStream : public testing::Test {
  protected:
    GiftsOnStream() {
        run(world_.database->query(
            Statement{
                .name = "gifts_test",
                .sql = "INSERT INTO streams (id, user_id, title, status) VALUES ($1, $2, 'Looms', 'live')",
                .mode = Mode::write},
            stream_, bob_));
        run(world_.database->transaction([this](relational::Transaction& tx) {
            return rooms::create_stream_room(tx, RoomId{stream_.value}, bob_, Timestamp{});
        }));
        run(chat_.start());
        world_.clock.advance(std::chrono::hours(48));
        add_routes(world_.router, service_, world_.accounts);
        announce_gifts(
            world_.events, service_, chat_, world_.accounts,
            [this](std::string topic, std::string event, json::Value data) -> asio::awaitable<void> {
                if (event == "gift.sent" && is_deaf_) throw Error(ErrorCode::unavailable, "Nobody listens.");
                EXPECT_EQ(topic, "stream:" + stream_.to_string());
                told_.push_back(std::move(data));
                co_return;
            });
        top_up(ada_, 10'000);
    }
    ~GiftsOnStream() override {
        run(service_.stop());
        run(chat_.stop());
    }

    void top_up(UserId user, std::int64_t amount) {
        std::vector<ledger::Movement> movements;
        const auto sum = Money::from_minor(amount);
        movements.push_back(
            {.header = {.type = ledger::TransactionType::top_up, .receiver = user, .amount = sum},
             .postings = {{ledger::wallet_of(user), sum},
                          {{.kind = ledger::AccountKind::payment_clearing}, -sum}}});
        run(ledger_.book(std::move(movements)));
    }
    features_testing::Answer send(UserId sender, const std::string& gift, const std::string& key) {
        return world_.call(Method::post, path(),
                           {.session = world_.sign_in(sender),
                            .json = json::Object{{"gift_id", gift}},
                            .headers = {{"Idempotency-Key", key}}});
    }
    std::string path() const { return "/api/v1/streams/" + stream_.to_string() + "/gifts"; }
    void deliver() {
        world_.events.start();
        EXPECT_TRUE(engines::testing::eventually([&] { return world_.outbox_size() == 0; }));
        run(world_.events.stop());
    }
    std::vector<chat::MessageAnswer> messages() {
        return run(chat_.history(RoomId{stream_.value}, 100, std::nullopt)).items;
    }

    World world_;
    std::unique_ptr<document::Store> documents_ = world_.open_documents();
    rooms::Service rooms_{*world_.database, world_.clock};
    http::RateLimiter limiter_{world_.clock, {}};
    ledger::Ledger ledger_{{.database = *world_.database, .clock = world_.clock, .random = world_.random}};
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
    const StreamId stream_ = StreamId::make(world_.clock.now(), world_.random);
    bool is_deaf_ = false;
    std::vector<json::Value> told_;
    chat::Service chat_{{.documents = *documents_,
                         .accounts = world_.accounts,
                         .rooms = rooms_,
                         .limiter = limiter_,
                         .clock = world_.clock,
                         .random = world_.random,
                         .executor = world_.executor(),
                         .announce = [](RoomId, const std::string&,
                                        const json::Value&) -> asio::awaitable<void> { co_return; },
                         .check_open = [](const rooms::Room&) -> asio::awaitable<void> { co_return; }}};
    Service service_{{.database = *world_.database,
                      .ledger = ledger_,
                      .events = world_.events,
                      .clock = world_.clock,
                      .random = world_.random,
                      .executor = world_.executor(),
                      .recipient = [this](StreamId stream) -> asio::awaitable<Recipient> {
                          if (stream != stream_)
                              throw Error(ErrorCode::not_found, "There is no such stream.");
                          co_return Recipient{.streamer = bob_, .is_live = true};
                      }}};
};

TEST_F(GiftsOnStream, AreToldToEveryoneAndStandInTheChatOnce) {
    const auto sent = send(ada_, spark, "k");
    EXPECT_EQ(sent.status, 201U);
    EXPECT_EQ(sent.body.at("gift").at("name"), "Spark");
    EXPECT_EQ(sent.body.at("balance"), 9'990);
    EXPECT_EQ(send(ada_, spark, "k").body.at("transaction_id"), sent.body.at("transaction_id"));
    deliver();
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_EQ(told_[0].at("transaction_id"), sent.body.at("transaction_id"));
    EXPECT_EQ(told_[0].at("sender").at("username"), "ada");
    EXPECT_EQ(told_[0].at("gift").at("id"), boost::json::string(spark));
    EXPECT_EQ(told_[0].at("count"), 1);
    EXPECT_EQ(told_[0].at("total"), 10);
    const auto said = messages();
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].message_type, "gift");
    EXPECT_EQ(said[0].content, spark);
    EXPECT_EQ(said[0].sender.id, ada_);
    EXPECT_EQ(said[0].client_id->to_string(), sent.body.at("transaction_id").as_string());
}

TEST_F(GiftsOnStream, OfAGroupThatAreEqualAreToldAsOneAndEachStandsInTheChat) {
    std::atomic<int> sent = 0;
    engines::testing::in_parallel(8, [&](int thread) {
        for (int i = 0; i < 4; ++i) {
            const auto key = std::to_string(thread) + "." + std::to_string(i);
            run(service_.send({.sender = ada_,
                               .stream = stream_,
                               .gift = *GiftId::parse(spark),
                               .key = idempotency::make_key(ada_, key, "x")}));
            ++sent;
        }
    });
    deliver();
    std::int64_t count = 0;
    std::int64_t total = 0;
    std::set<std::string> first_ones;
    for (const auto& one : told_) {
        count += one.at("count").as_int64();
        total += one.at("total").as_int64();
        first_ones.insert(std::string(one.at("transaction_id").as_string()));
    }
    EXPECT_EQ(sent, 32);
    EXPECT_EQ(count, 32);
    EXPECT_EQ(total, 320);
    EXPECT_EQ(first_ones.size(), told_.size());
    EXPECT_EQ(messages().size(), 32U);
}

TEST_F(GiftsOnStream, AreToldAgainWhereItFailedAndStandInTheChatOnce) {
    is_deaf_ = true;
    send(ada_, spark, "k");
    world_.events.start();
    EXPECT_TRUE(engines::testing::eventually([&] {
        const auto attempts = run(world_.database->query(
            Statement{.name = "gifts_test_attempts", .sql = "SELECT attempts FROM outbox"}));
        return attempts[0].get<std::int64_t>("attempts") > 0;
    }));
    EXPECT_TRUE(messages().empty());
    is_deaf_ = false;
    EXPECT_TRUE(engines::testing::eventually([&] {
        world_.clock.advance(std::chrono::seconds(2));
        world_.events.poke();
        return world_.outbox_size() == 0;
    }));
    run(world_.events.stop());
    EXPECT_EQ(told_.size(), 1U);
    EXPECT_EQ(messages().size(), 1U);
}

TEST_F(GiftsOnStream, AreRefusedOverHttpInThisOrder) {
    const auto session = world_.sign_in(ada_);
    const auto post = [&](json::Value body, std::vector<std::pair<std::string, std::string>> headers) {
        return world_
            .call(Method::post, path(),
                  {.session = session, .json = std::move(body), .headers = std::move(headers)})
            .problem();
    };
    EXPECT_EQ(world_.call(Method::post, path()).problem(), "401 /problems/unauthenticated");
    EXPECT_EQ(post(json::Object{}, {}), "400 /problems/invalid_idempotency_key Idempotency-Key");
    EXPECT_EQ(post(json::Object{}, {{"Idempotency-Key", std::string(256, 'k')}}),
              "400 /problems/invalid_idempotency_key Idempotency-Key");
    EXPECT_EQ(post(json::Object{}, {{"Idempotency-Key", std::string(255, 'k')}}),
              "400 /problems/missing_field gift_id");
    EXPECT_EQ(post(json::Object{{"gift_id", stream_.to_string()}}, {{"Idempotency-Key", "a"}}),
              "404 /problems/not_found gift_id");
    EXPECT_EQ(post(json::Object{{"gift_id", galaxy}}, {{"Idempotency-Key", "a"}}),
              "402 /problems/insufficient_funds");
    EXPECT_EQ(post(json::Object{{"gift_id", spark}}, {{"Idempotency-Key", "b"}}), "201");
    EXPECT_EQ(post(json::Object{{"gift_id", galaxy}}, {{"Idempotency-Key", "b"}}),
              "422 /problems/idempotency_key_reused Idempotency-Key");
}

TEST_F(GiftsOnStream, TheCatalogueIsForEveryoneAndItsKeepingForAdministrators) {
    const auto admin = world_.sign_in(world_.add_user("root1", accounts::Role::admin).id);
    const auto user = world_.sign_in(ada_);
    const auto count = [&](std::optional<http::Session> session) {
        return world_.call(Method::get, "/api/v1/gifts", {.session = std::move(session)})
            .body.at("items")
            .as_array()
            .size();
    };
    EXPECT_EQ(count(std::nullopt), 12U);
    const json::Object gift{{"name", "Tulip"}, {"price", 250}, {"image_url", "/gifts/rose.svg"}};
    EXPECT_EQ(world_.call(Method::post, "/api/v1/gifts", {.json = gift}).status, 401U);
    EXPECT_EQ(world_.call(Method::post, "/api/v1/gifts", {.session = user, .json = gift}).problem(),
              "403 /problems/forbidden");
    const auto added = world_.call(Method::post, "/api/v1/gifts", {.session = admin, .json = gift});
    EXPECT_EQ(added.status, 201U);
    EXPECT_EQ(added.body.at("price"), 250);
    EXPECT_EQ(world_.call(Method::post, "/api/v1/gifts", {.session = admin, .json = gift}).problem(),
              "409 /problems/gift_name_taken name");
    const std::string place = "/api/v1/gifts/" + std::string(added.body.at("id").as_string());
    EXPECT_EQ(added.header("Location"), place);
    const json::Object retired{{"is_active", false}};
    EXPECT_EQ(world_.call(Method::patch, place, {.session = user, .json = retired}).status, 403U);
    EXPECT_EQ(world_.call(Method::patch, place, {.session = admin, .json = json::Object{}}).problem(),
              "400 /problems/missing_field is_active");
    EXPECT_EQ(world_.call(Method::patch, place, {.session = admin, .json = retired}).body.at("is_active"),
              false);
    EXPECT_EQ(count(user), 12U);
    EXPECT_EQ(count(admin), 13U);
    EXPECT_EQ(world_.call(Method::get, place).body.at("name"), "Tulip") << "of those who have sent it";
    EXPECT_EQ(world_.call(Method::get, "/api/v1/gifts/" + stream_.to_string()).status, 404U);
}

}  // namespace
}  // namespace spaktok::gifts
