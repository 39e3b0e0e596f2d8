#include "features/ledger/ledger.h"

#include <map>
#include <thread>

#include <gmock/gmock.h>

#include "features/testing/world.h"

namespace spaktok::ledger {
namespace {

namespace asio = boost::asio;
using features_testing::run;
using features_testing::World;
using relational::Mode;
using relational::Statement;
using testing::ElementsAre;

const Account clearing{.kind = AccountKind::payment_clearing};
const Account revenue{.kind = AccountKind::platform_revenue};

Money cents(std::int64_t minor) {
    return Money::from_minor(minor);
}

class LedgerTest : public testing::Test {
  protected:
    static idempotency::Key key(UserId user, const std::string& text, const std::string& request = "a") {
        return idempotency::make_key(user, text, request);
    }
    static Movement top_up(UserId user, Money amount) {
        return {.header = {.type = TransactionType::top_up, .receiver = user, .amount = amount},
                .postings = {{wallet_of(user), amount}, {clearing, -amount}}};
    }
    // Without a gift, so that no catalogue is needed.
    static Movement give(UserId from, UserId to, Money amount, Money fee = {}) {
        Movement movement{.header = {.type = TransactionType::adjustment,
                                     .sender = from,
                                     .receiver = to,
                                     .amount = amount,
                                     .platform_fee = fee,
                                     .streamer_payout = amount - fee},
                          .postings = {{wallet_of(from), -amount}, {earnings_of(to), amount - fee}}};
        if (fee != Money{}) movement.postings.push_back({revenue, fee});
        return movement;
    }

    static asio::awaitable<std::optional<Ledger::Settlement>> complete_by(Movement movement, TransactionId id,
                                                                          std::map<Account, Money>) {
        co_return Ledger::Settlement{.movement = std::move(movement), .completes = id};
    }
    static asio::awaitable<std::optional<Ledger::Settlement>> take_all(UserId from, UserId to, Money all) {
        if (all == Money{}) co_return std::nullopt;
        co_return Ledger::Settlement{.movement = give(from, to, all)};
    }

    std::vector<Verdict> book(std::vector<Movement> movements) {
        std::vector<Verdict> verdicts;
        for (const auto& outcome : run(ledger_.book(std::move(movements))))
            verdicts.push_back(outcome.verdict);
        return verdicts;
    }
    Outcome book_one(Movement movement) {
        std::vector<Movement> movements;
        movements.push_back(std::move(movement));
        return run(ledger_.book(std::move(movements))).front();
    }
    Money balance(Account account) { return run(ledger_.balance(account)); }
    std::int64_t number(std::string_view sql) {
        const auto rows = run(world_.database->query(Statement{.name = "ledger_test", .sql = sql}));
        return rows[0].get<std::int64_t>("n");
    }

    // Of everything that was booked: entries of each transaction sum to zero, and accounts hold the sum of
    // theirs.
    void audit() {
        EXPECT_EQ(number("SELECT count(*) AS n FROM (SELECT transaction_id FROM ledger_entries GROUP BY "
                         "transaction_id HAVING sum(amount_minor) <> 0) AS wrong"),
                  0);
        EXPECT_EQ(number("SELECT count(*) AS n FROM ledger_accounts a WHERE balance_minor <> (SELECT "
                         "COALESCE(sum(amount_minor), 0) FROM ledger_entries WHERE account_id = a.id)"),
                  0);
        EXPECT_EQ(
            number("SELECT count(*) AS n FROM ledger_accounts WHERE kind = 'wallet' AND balance_minor < 0"),
            0);
        EXPECT_EQ(number("SELECT count(*) AS n FROM transactions t WHERE status = 'completed' AND NOT EXISTS "
                         "(SELECT 1 FROM ledger_entries WHERE transaction_id = t.id)"),
                  0);
    }

    World world_;
    Ledger ledger_{{.database = *world_.database, .clock = world_.clock, .random = world_.random}};
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
};

TEST_F(LedgerTest, MovesMoneyBetweenAccounts) {
    EXPECT_EQ(balance(wallet_of(ada_)), cents(0));
    const auto topped_up = book_one(top_up(ada_, cents(1'000)));
    EXPECT_EQ(topped_up.verdict, Verdict::booked);
    EXPECT_EQ(topped_up.booked.balance, cents(1'000));
    const auto given = book_one(give(ada_, bob_, cents(300), cents(90)));
    EXPECT_EQ(given.booked.balance, cents(700));
    EXPECT_EQ(given.booked.created_at, world_.clock.now());
    EXPECT_EQ(balance(wallet_of(ada_)), cents(700));
    EXPECT_EQ(balance(earnings_of(bob_)), cents(210));
    EXPECT_EQ(balance(revenue), cents(90));
    EXPECT_EQ(balance(clearing), cents(-1'000));
    audit();
}

TEST_F(LedgerTest, StoresWhatPeopleSee) {
    book_one(top_up(ada_, amount_max));
    const auto given = book_one(give(ada_, bob_, cents(12'345), cents(45)));
    const auto rows = run(world_.database->query(
        Statement{
            .name = "ledger_test",
            .sql =
                "SELECT sender_user_id, receiver_user_id, amount, platform_fee, streamer_payout, currency, "
                "transaction_type, status, created_at FROM transactions WHERE id = $1"},
        given.booked.transaction_id));
    ASSERT_EQ(rows.size(), 1U);
    const auto row = rows[0];
    EXPECT_EQ(row.get<UserId>("sender_user_id"), ada_);
    EXPECT_EQ(row.get<UserId>("receiver_user_id"), bob_);
    EXPECT_EQ(row.get<Money>("amount"), cents(12'345));
    EXPECT_EQ(row.get<Money>("platform_fee"), cents(45));
    EXPECT_EQ(row.get<Money>("streamer_payout"), cents(12'300));
    EXPECT_EQ(row.get<std::string>("currency"), "USD");
    EXPECT_EQ(row.get<std::string>("transaction_type"), "adjustment");
    EXPECT_EQ(row.get<std::string>("status"), "completed");
    EXPECT_EQ(row.get<Timestamp>("created_at"), given.booked.transaction_id.value.timestamp());
    EXPECT_EQ(
        number("SELECT count(*) AS n FROM transactions WHERE exchange_rate = 1 OR exchange_rate = 10000"), 2);
}

TEST_F(LedgerTest, AnOpenedHeaderIsCompletedOnceWithItsEntries) {
    const auto id = ledger_.next_id();
    const auto movement = top_up(ada_, cents(1'000));
    run(ledger_.open(id, movement.header));
    EXPECT_EQ(number("SELECT count(*) AS n FROM transactions WHERE status = 'pending'"), 1);
    EXPECT_EQ(number("SELECT count(*) AS n FROM ledger_entries"), 0);
    const auto complete = [&] {
        return run(
            ledger_.settle({wallet_of(ada_), clearing}, [&](relational::Transaction&, const auto& balances) {
                return complete_by(movement, id, balances);
            }));
    };
    EXPECT_EQ(complete()->transaction_id, id);
    EXPECT_FALSE(complete()) << "it is complete already";
    EXPECT_EQ(balance(wallet_of(ada_)), cents(1'000));
    EXPECT_EQ(number("SELECT count(*) AS n FROM transactions WHERE status = 'completed'"), 1);
    audit();
}

TEST_F(LedgerTest, AnOpenedHeaderThatFailedHasNoEntriesUnlessItIsCompletedAfterAll) {
    const auto id = ledger_.next_id();
    const auto movement = top_up(ada_, cents(1'000));
    run(ledger_.open(id, movement.header));
    const auto fail = [&] {
        run(world_.database->transaction(
            [&](relational::Transaction& tx) { return Ledger::fail(tx, id, world_.clock.now()); }));
    };
    fail();
    EXPECT_EQ(number("SELECT count(*) AS n FROM transactions WHERE status = 'failed'"), 1);
    run(ledger_.settle({wallet_of(ada_), clearing}, [&](relational::Transaction&, const auto& balances) {
        return complete_by(movement, id, balances);
    }));
    fail();
    EXPECT_EQ(number("SELECT count(*) AS n FROM transactions WHERE status = 'completed'"), 1);
    audit();
}

TEST_F(LedgerTest, WhatIsOpenedTogetherIsThereTogetherOrNotAtAll) {
    const auto refuse = [](relational::Transaction&) -> asio::awaitable<void> {
        throw Error(ErrorCode::conflict, "no");
        co_return;
    };
    EXPECT_THROW(run(ledger_.open(ledger_.next_id(), top_up(ada_, cents(1)).header, refuse)), Error);
    EXPECT_EQ(number("SELECT count(*) AS n FROM transactions"), 0);
}

TEST_F(LedgerTest, SettlesByWhatIsOnTheAccounts) {
    book_one(top_up(ada_, cents(70)));
    // Takes all there is, at most 100; then there is nothing to take.
    const auto take = [&] {
        return run(ledger_.settle({wallet_of(ada_), earnings_of(bob_)},
                                  [&](relational::Transaction&, const auto& balances) {
                                      return take_all(ada_, bob_, balances.at(wallet_of(ada_)));
                                  }));
    };
    EXPECT_TRUE(take());
    EXPECT_FALSE(take());
    EXPECT_EQ(balance(earnings_of(bob_)), cents(70));
    audit();
}

TEST_F(LedgerTest, PaysTheFirstOnesOfAGroup) {
    book_one(top_up(ada_, cents(250)));
    EXPECT_THAT(book({give(ada_, bob_, cents(100)), give(ada_, bob_, cents(200)),
                      give(ada_, bob_, cents(150)), give(ada_, bob_, cents(1))}),
                ElementsAre(Verdict::booked, Verdict::insufficient_funds, Verdict::booked,
                            Verdict::insufficient_funds));
    EXPECT_EQ(balance(wallet_of(ada_)), cents(0));
    EXPECT_EQ(balance(earnings_of(bob_)), cents(250));
    audit();
}

TEST_F(LedgerTest, SpendsWithinAGroupWhatCameInIt) {
    EXPECT_THAT(book({give(ada_, bob_, cents(1)), top_up(ada_, cents(5)), give(ada_, bob_, cents(5))}),
                ElementsAre(Verdict::insufficient_funds, Verdict::booked, Verdict::booked));
    audit();
}

TEST_F(LedgerTest, AnswersARepetitionWithTheFirstAnswer) {
    book_one(top_up(ada_, cents(1'000)));
    auto movement = give(ada_, bob_, cents(100));
    movement.key = key(ada_, "k1");
    const auto first = book_one(movement);
    book_one(give(ada_, bob_, cents(50)));
    world_.clock.advance(std::chrono::hours(23));
    const auto again = book_one(movement);
    EXPECT_EQ(again.verdict, Verdict::repeated);
    EXPECT_EQ(again.booked.transaction_id, first.booked.transaction_id);
    EXPECT_EQ(again.booked.balance, cents(900));
    EXPECT_EQ(again.booked.created_at, first.booked.created_at);
    // Twice in one group as well.
    movement.key = key(ada_, "k2");
    EXPECT_THAT(book({movement, movement}), ElementsAre(Verdict::booked, Verdict::repeated));
    EXPECT_EQ(balance(earnings_of(bob_)), cents(250));
}

TEST_F(LedgerTest, RefusesAKeyOfAnotherRequest) {
    book_one(top_up(ada_, cents(1'000)));
    auto movement = give(ada_, bob_, cents(100));
    movement.key = key(ada_, "k");
    book_one(movement);
    movement.key = key(ada_, "k", "another");
    EXPECT_EQ(book_one(movement).verdict, Verdict::key_reused);
    // Another's key of the same name is another key.
    book_one(top_up(bob_, cents(1'000)));
    auto of_bob = give(bob_, ada_, cents(100));
    of_bob.key = key(bob_, "k");
    EXPECT_EQ(book_one(of_bob).verdict, Verdict::booked);
    EXPECT_EQ(balance(earnings_of(bob_)), cents(100));
}

TEST_F(LedgerTest, JudgesARefusedRequestAnew) {
    auto movement = give(ada_, bob_, cents(100));
    movement.key = key(ada_, "k");
    EXPECT_EQ(book_one(movement).verdict, Verdict::insufficient_funds);
    book_one(top_up(ada_, cents(100)));
    EXPECT_EQ(book_one(movement).verdict, Verdict::booked);
}

TEST_F(LedgerTest, ForgetsAKeyAfterADay) {
    book_one(top_up(ada_, cents(1'000)));
    auto movement = give(ada_, bob_, cents(100));
    movement.key = key(ada_, "k");
    book_one(movement);
    world_.clock.advance(idempotency::life);
    EXPECT_EQ(book_one(movement).verdict, Verdict::booked) << "it has expired, though its row is still there";
    EXPECT_EQ(run(idempotency::sweep(*world_.database, world_.clock.now())), 0);
    world_.clock.advance(idempotency::life);
    EXPECT_EQ(run(idempotency::sweep(*world_.database, world_.clock.now())), 1);
}

TEST_F(LedgerTest, LimitsWhatIsSpentOnADay) {
    book_one(top_up(ada_, cents(10'000)));
    const auto limited = [&](std::int64_t amount) {
        auto movement = give(ada_, bob_, cents(amount));
        movement.spending = SpendingLimit{.user = ada_, .of_day = cents(500)};
        return movement;
    };
    EXPECT_THAT(book({limited(300), limited(201), limited(200), limited(1)}),
                ElementsAre(Verdict::booked, Verdict::over_limit, Verdict::booked, Verdict::over_limit));
    EXPECT_EQ(book_one(limited(1)).verdict, Verdict::over_limit);
    world_.clock.advance(std::chrono::days(1));
    EXPECT_EQ(book_one(limited(500)).verdict, Verdict::booked);
}

TEST_F(LedgerTest, TakesFromEarningsBelowZeroOnlyWhereItMay) {
    Movement back{.header = {.type = TransactionType::refund, .receiver = ada_, .amount = cents(100)},
                  .postings = {{earnings_of(bob_), cents(-100)}, {wallet_of(ada_), cents(100)}}};
    EXPECT_EQ(book_one(back).verdict, Verdict::insufficient_funds);
    back.may_overdraw_earnings = true;
    EXPECT_EQ(book_one(back).booked.balance, cents(-100));
    audit();
}

TEST_F(LedgerTest, WritesWhatBelongsToItInTheSameTransaction) {
    std::vector<Verdict> seen;
    const auto fail = [&](relational::Transaction&, const std::vector<Movement>&,
                          const std::vector<Outcome>& outcomes) -> asio::awaitable<void> {
        for (const auto& outcome : outcomes)
            seen.push_back(outcome.verdict);
        throw Error(ErrorCode::internal, "no");
        co_return;
    };
    EXPECT_EQ(engines::testing::error_of(ledger_.book({top_up(ada_, cents(1))}, fail)), ErrorCode::internal);
    EXPECT_THAT(seen, ElementsAre(Verdict::booked));
    EXPECT_EQ(balance(wallet_of(ada_)), cents(0));
}

TEST_F(LedgerTest, IsRefusedByTheDatabaseWhereAWalletWouldBeBelowZero) {
    book_one(top_up(ada_, cents(10)));
    EXPECT_THROW(
        run(world_.database->query(Statement{.name = "ledger_test",
                                             .sql = "UPDATE ledger_accounts SET balance_minor = -1 WHERE "
                                                    "owner_user_id = $1",
                                             .mode = Mode::write},
                                   ada_)),
        relational::ConstraintViolation);
}

// A model in memory beside it: whatever is asked for, both agree.
TEST_F(LedgerTest, HoldsItsLawsOverAnySequenceOfMovements) {
    const std::uint64_t seed = SystemRandom().below(1'000'000);
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    std::vector<UserId> people{ada_, bob_};
    for (const auto* name : {"cleo", "dave", "eve"})
        people.push_back(world_.add_user(name).id);
    std::map<Account, Money> model;
    std::map<std::string, Money> by_key;
    int movements_left = 1'000;
    while (movements_left > 0) {
        const auto size = static_cast<int>(1 + random.below(40));
        std::vector<Movement> group;
        std::vector<Verdict> expected;
        for (int i = 0; i < size; ++i, --movements_left) {
            const UserId from = people[random.below(people.size())];
            const UserId to = people[random.below(people.size())];
            const Money amount = cents(static_cast<std::int64_t>(1 + random.below(500)));
            auto movement =
                random.below(5) == 0 || from == to
                    ? top_up(from, amount)
                    : give(from, to, amount,
                           cents(static_cast<std::int64_t>(random.below(2)) * (amount.minor() / 3)));
            if (random.below(3) == 0) movement.key = key(from, std::to_string(random.below(200)), "same");
            Verdict verdict = Verdict::booked;
            const auto name = movement.key ? from.to_string() + movement.key->text : "";
            for (const auto& posting : movement.postings)
                if (posting.account.kind == AccountKind::wallet &&
                    model[posting.account] + posting.amount < Money{})
                    verdict = Verdict::insufficient_funds;
            if (movement.key && by_key.contains(name)) verdict = Verdict::repeated;
            if (verdict == Verdict::booked) {
                for (const auto& posting : movement.postings)
                    model[posting.account] += posting.amount;
                if (movement.key) by_key[name] = amount;
            }
            expected.push_back(verdict);
            group.push_back(std::move(movement));
        }
        ASSERT_EQ(book(std::move(group)), expected);
    }
    for (const auto& [account, amount] : model)
        EXPECT_EQ(balance(account), amount);
    audit();
}

// Where accounts, keys and wallets are fought for.
TEST_F(LedgerTest, BooksExactlyWhatAWalletPaysForHoweverManyAskAtOnce) {
    book_one(top_up(ada_, cents(100)));
    constexpr int threads = 4;
    constexpr int gifts_of_a_thread = 50;
    std::atomic<int> booked = 0;
    engines::testing::in_parallel(threads, [&](int thread) {
        for (int i = 0; i < gifts_of_a_thread; ++i) {
            auto movement = give(ada_, bob_, cents(1));
            movement.key = key(ada_, std::to_string(thread) + "." + std::to_string(i));
            std::vector<Movement> group;
            group.push_back(std::move(movement));
            if (run(ledger_.book(std::move(group))).front().verdict == Verdict::booked) ++booked;
        }
    });
    EXPECT_EQ(booked, 100);
    EXPECT_EQ(balance(wallet_of(ada_)), cents(0));
    EXPECT_EQ(balance(earnings_of(bob_)), cents(100));
    audit();
}

TEST_F(LedgerTest, BooksOnceWhatIsRepeatedInParallel) {
    book_one(top_up(ada_, cents(1'000)));
    auto movement = give(ada_, bob_, cents(10));
    movement.key = key(ada_, "k");
    std::atomic<int> booked = 0;
    engines::testing::in_parallel(4, [&](int) {
        for (int i = 0; i < 25; ++i) {
            const auto outcome = run(ledger_.book({movement})).front();
            if (outcome.verdict == Verdict::booked) ++booked;
            EXPECT_TRUE(outcome.verdict == Verdict::booked || outcome.verdict == Verdict::repeated);
        }
    });
    EXPECT_EQ(booked, 1);
    EXPECT_EQ(balance(wallet_of(ada_)), cents(990));
}

// Groups that touch the same accounts in every order.
TEST_F(LedgerTest, NeverDeadlocks) {
    book({top_up(ada_, cents(100'000)), top_up(bob_, cents(100'000))});
    Ledger other({.database = *world_.database, .clock = world_.clock, .random = world_.random});
    engines::testing::in_parallel(4, [&](int thread) {
        for (int i = 0; i < 25; ++i) {
            std::vector<Movement> group{give(ada_, bob_, cents(1), cents(0)),
                                        give(bob_, ada_, cents(2), cents(1))};
            if (thread % 2 == 0) std::ranges::reverse(group);
            for (const auto& outcome : run((thread < 2 ? ledger_ : other).book(std::move(group))))
                EXPECT_EQ(outcome.verdict, Verdict::booked);
        }
    });
    EXPECT_EQ(balance(earnings_of(bob_)), cents(100));
    EXPECT_EQ(balance(earnings_of(ada_)), cents(100));
    EXPECT_EQ(balance(revenue), cents(100));
    audit();
}

}  // namespace
}  // namespace spaktok::ledger
