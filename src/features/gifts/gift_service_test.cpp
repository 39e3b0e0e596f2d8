#include "features/gifts/gift_service.h"

#include <atomic>

#include <gmock/gmock.h>

#include "features/testing/world.h"

namespace spaktok::gifts {
namespace {

namespace asio = boost::asio;
using features_testing::failure_of;
using features_testing::run;
using features_testing::World;
using ledger::earnings_of;
using ledger::wallet_of;
using relational::Mode;
using relational::Statement;
using testing::ElementsAre;

Money cents(std::int64_t minor) {
    return Money::from_minor(minor);
}

class Gifts : public testing::Test {
  protected:
    Gifts() {
        run(world_.database->query(
            Statement{
                .name = "gifts_test",
                .sql = "INSERT INTO streams (id, user_id, title, status) VALUES ($1, $2, 'Looms', 'live')",
                .mode = Mode::write},
            stream_, bob_));
        world_.clock.advance(std::chrono::hours(48));
        tulip_ =
            run(service_.add({.name = "Tulip", .price = cents(100), .image_url = "/gifts/tulip.svg"})).id;
        kite_ =
            run(service_.add(
                    {.name = "Kite", .price = cents(2'505), .image_url = "/gifts/kite.svg", .sort_order = 1}))
                .id;
        whale_ = run(service_.add({.name = "Whale",
                                   .price = cents(50'001),
                                   .image_url = "/gifts/whale.svg",
                                   .sort_order = 2}))
                     .id;
    }
    ~Gifts() override { run(service_.stop()); }

    void top_up(UserId user, std::int64_t amount) {
        std::vector<ledger::Movement> movements;
        movements.push_back(
            {.header = {.type = ledger::TransactionType::top_up, .receiver = user, .amount = cents(amount)},
             .postings = {{wallet_of(user), cents(amount)},
                          {{.kind = ledger::AccountKind::payment_clearing}, cents(-amount)}}});
        run(ledger_.book(std::move(movements)));
    }
    asio::awaitable<Service::Sent> sending(UserId sender, GiftId gift, const std::string& key) {
        return service_.send(
            {.sender = sender,
             .stream = stream_,
             .gift = gift,
             .key = idempotency::make_key(sender, key, stream_.to_string() + gift.to_string())});
    }
    std::string refusal(UserId sender, GiftId gift, const std::string& key) {
        return failure_of([&] { run(sending(sender, gift, key)); });
    }
    Money balance(ledger::Account account) { return run(ledger_.balance(account)); }

    World world_;
    ledger::Ledger ledger_{{.database = *world_.database, .clock = world_.clock, .random = world_.random}};
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
    const StreamId stream_ = StreamId::make(world_.clock.now(), world_.random);
    bool is_live_ = true;
    Service service_{{.database = *world_.database,
                      .ledger = ledger_,
                      .events = world_.events,
                      .clock = world_.clock,
                      .random = world_.random,
                      .executor = world_.executor(),
                      .recipient = [this](StreamId stream) -> asio::awaitable<Recipient> {
                          if (stream != stream_)
                              throw Error(ErrorCode::not_found, "There is no such stream.");
                          co_return Recipient{.streamer = bob_, .is_live = is_live_};
                      }}};
    GiftId tulip_;
    GiftId kite_;
    GiftId whale_;
};

TEST_F(Gifts, GoFromTheWalletToTheStreamerAndThePlatform) {
    top_up(ada_, 10'000);
    const auto sent = run(sending(ada_, kite_, "k"));
    EXPECT_EQ(sent.gift.name, "Kite");
    EXPECT_EQ(sent.balance, cents(7'495));
    EXPECT_EQ(balance(wallet_of(ada_)), cents(7'495));
    // 30 % of 25.05 are 7.515.
    EXPECT_EQ(balance({.kind = ledger::AccountKind::platform_revenue}), cents(752));
    EXPECT_EQ(balance(earnings_of(bob_)), cents(1'753));
}

TEST_F(Gifts, AreRefusedInThisOrder) {
    const GiftId nothing = GiftId::make(world_.clock.now(), world_.random);
    top_up(ada_, 100);
    run(sending(ada_, tulip_, "used"));
    struct Case {
        std::string expected;
        std::function<void()> make_right;
        UserId sender;
        GiftId gift;
        std::string key;
    };
    run(service_.set_active(whale_, false));
    is_live_ = false;
    // Each has all faults of those below it.
    const std::vector<Case> cases{
        {"not_found gift_id", [] {}, bob_, nothing, "a"},
        {"conflict gift_retired", [&] { run(service_.set_active(whale_, true)); }, bob_, whale_, "a"},
        {"conflict stream_not_live", [&] { is_live_ = true; }, bob_, whale_, "a"},
        {"conflict cannot_gift_yourself", [] {}, bob_, whale_, "a"},
        {"conflict gift_too_large", [] {}, ada_, whale_, "used"},
        {"unprocessable idempotency_key_reused Idempotency-Key", [] {}, ada_, kite_, "used"},
        {"insufficient_funds", [] {}, ada_, kite_, "a"},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(refusal(one.sender, one.gift, one.key), one.expected);
        one.make_right();
    }
    EXPECT_EQ(balance(earnings_of(bob_)), cents(70));
}

TEST_F(Gifts, AreLimitedInADay) {
    const auto lavish =
        run(service_.add({.name = "Lavish", .price = cents(50'000), .image_url = "/g.svg"})).id;
    top_up(ada_, 1'000'000);
    for (const auto* key : {"1", "2", "3", "4"})
        run(sending(ada_, lavish, key));
    EXPECT_EQ(refusal(ada_, tulip_, "5"), "conflict day_limit_reached");
    world_.clock.advance(std::chrono::hours(24));
    run(sending(ada_, tulip_, "5"));
    // Of an account of today.
    const auto cleo = world_.add_user("cleo").id;
    top_up(cleo, 1'000'000);
    EXPECT_EQ(refusal(cleo, lavish, "1"), "conflict day_limit_reached");
    for (const auto* key : {"2", "3", "4"})
        run(sending(cleo, kite_, key));
    EXPECT_EQ(refusal(cleo, kite_, "5"), "conflict day_limit_reached");
}

TEST_F(Gifts, AreAnsweredAgainAsTheFirstTimeWhateverChanged) {
    top_up(ada_, 300);
    const auto first = run(sending(ada_, tulip_, "k"));
    run(sending(ada_, tulip_, "k2"));
    run(service_.set_active(tulip_, false));
    is_live_ = false;
    const auto again = run(sending(ada_, tulip_, "k"));
    EXPECT_EQ(again.transaction_id, first.transaction_id);
    EXPECT_EQ(again.balance, cents(200));
    EXPECT_EQ(refusal(ada_, tulip_, "k3"), "conflict gift_retired");
}

TEST_F(Gifts, AreToldOncePerStreamAndGroup) {
    std::vector<std::string> told;
    world_.events.subscribe("gifts.sent", [&](const events::Event& event) -> asio::awaitable<void> {
        EXPECT_EQ(event.aggregate_id, stream_.to_string());
        for (const auto& gift : event.payload.at("gifts").as_array())
            told.emplace_back(gift.at("transaction_id").as_string());
        co_return;
    });
    top_up(ada_, 1'000);
    std::vector<std::string> sent;
    for (int i = 0; i < 5; ++i)
        sent.push_back(run(sending(ada_, tulip_, std::to_string(i))).transaction_id.to_string());
    EXPECT_EQ(refusal(ada_, kite_, "6"), "insufficient_funds");
    world_.events.start();
    EXPECT_TRUE(engines::testing::eventually([&] { return world_.outbox_size() == 0; }));
    run(world_.events.stop());
    EXPECT_EQ(told, sent);
}

TEST_F(Gifts, OfAGroupThatTheDatabaseRefusesAreBookedOneByOne) {
    top_up(ada_, 10'000);
    // The stream is gone, though it was there when it was asked for.
    const StreamId gone = StreamId::make(world_.clock.now(), world_.random);
    Service service({.database = *world_.database,
                     .ledger = ledger_,
                     .events = world_.events,
                     .clock = world_.clock,
                     .random = world_.random,
                     .executor = world_.executor(),
                     .recipient = [this](StreamId) -> asio::awaitable<Recipient> {
                         co_return Recipient{.streamer = bob_, .is_live = true};
                     }});
    std::atomic<int> booked = 0;
    engines::testing::in_parallel(4, [&](int thread) {
        for (int i = 0; i < 10; ++i) {
            const bool is_gone = i % 5 == 4;
            const auto key = std::to_string(thread) + "." + std::to_string(i);
            const auto failure = failure_of(service.send({.sender = ada_,
                                                          .stream = is_gone ? gone : stream_,
                                                          .gift = tulip_,
                                                          .key = idempotency::make_key(ada_, key, "x")}));
            EXPECT_EQ(failure.empty(), !is_gone) << failure;
            if (failure.empty()) ++booked;
        }
    });
    run(service.stop());
    EXPECT_EQ(booked, 32);
    EXPECT_EQ(balance(wallet_of(ada_)), cents(10'000 - 3'200));
}

TEST_F(Gifts, AreSentExactlyAsOftenAsTheWalletPaysFor) {
    top_up(ada_, 10'000);
    std::atomic<int> booked = 0;
    engines::testing::in_parallel(8, [&](int thread) {
        for (int i = 0; i < 25; ++i) {
            const auto key = std::to_string(thread) + "." + std::to_string(i);
            try {
                run(sending(ada_, tulip_, key));
                ++booked;
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::insufficient_funds);
            }
        }
    });
    EXPECT_EQ(booked, 100);
    EXPECT_EQ(balance(wallet_of(ada_)), cents(0));
    EXPECT_EQ(balance(earnings_of(bob_)), cents(7'000));
}

TEST_F(Gifts, AreShownInTheirOrderAndHaveNamesOfTheirOwn) {
    run(service_.add({.name = "Ember", .price = cents(1), .image_url = "/g.svg", .sort_order = -1}));
    std::vector<std::string> names;
    for (const auto& gift : run(service_.catalogue()))
        names.push_back(gift.name);
    // Those of this test come before those that a place begins with.
    names.resize(5);
    EXPECT_THAT(names, ElementsAre("Ember", "Tulip", "Kite", "Whale", "Spark"));
    const auto refused = [&](Service::NewGift gift) {
        return failure_of([&] { run(service_.add(std::move(gift))); });
    };
    EXPECT_EQ(refused({.name = "Tulip", .price = cents(1), .image_url = "/g.svg"}),
              "conflict gift_name_taken name");
    EXPECT_EQ(refused({.name = "", .price = cents(1), .image_url = "/g.svg"}),
              "invalid_argument invalid_field name");
    EXPECT_EQ(refused({.name = std::string(51, 'x'), .price = cents(1), .image_url = "/g.svg"}),
              "invalid_argument invalid_field name");
    EXPECT_EQ(refused({.name = "Free", .price = cents(0), .image_url = "/g.svg"}),
              "invalid_argument invalid_field price");
    EXPECT_EQ(refused({.name = "Free", .price = cents(10'000'000'000), .image_url = "/g.svg"}),
              "invalid_argument invalid_field price");
    EXPECT_EQ(refused({.name = "Bare", .price = cents(1), .image_url = ""}),
              "invalid_argument invalid_field image_url");
    run(service_.add(
        {.name = std::string(50, 'x'), .price = ledger::amount_max, .image_url = std::string(2048, 'u')}));
    EXPECT_EQ(refused({.name = "Long", .price = cents(1), .image_url = std::string(2049, 'u')}),
              "invalid_argument invalid_field image_url");
}

}  // namespace
}  // namespace spaktok::gifts
