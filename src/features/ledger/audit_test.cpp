#include "features/ledger/audit.h"

#include <gmock/gmock.h>

#include "features/testing/bank.h"

namespace spaktok::ledger {
namespace {

namespace asio = boost::asio;
using features_testing::Bank;
using features_testing::cents;
using features_testing::run;
using features_testing::World;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Books with a top-up, a gift, a gift taken back, a payout under way and one that was refused.
class Audit : public testing::Test {
  protected:
    Audit() {
        top_up_ = bank_.top_up(ada_, 10'000);
        gift_ = bank_.give(ada_, bob_, 1'000, 300);
        const auto taken_back = bank_.give(ada_, bob_, 500, 150);
        reversal_ = bank_
                        .book({.header = {.type = TransactionType::refund,
                                          .sender = bob_,
                                          .receiver = ada_,
                                          .reverses = taken_back,
                                          .amount = cents(500)},
                               .postings = {{wallet_of(ada_), cents(500)},
                                            {earnings_of(bob_), cents(-350)},
                                            {revenue_, cents(-150)}}})
                        .booked.transaction_id;
        payout_ = pay_out(200, "requested");
        const auto refused = pay_out(300, "refused");
        bank_.book({.header = {.type = TransactionType::refund,
                               .receiver = bob_,
                               .reverses = refused,
                               .amount = cents(300)},
                    .postings = {{earnings_of(bob_), cents(300)}, {clearing_, cents(-300)}}});
    }

    TransactionId pay_out(std::int64_t amount, const std::string& status) {
        const auto id =
            bank_
                .book({.header = {.type = TransactionType::payout, .sender = bob_, .amount = cents(amount)},
                       .postings = {{earnings_of(bob_), cents(-amount)}, {clearing_, cents(amount)}}})
                .booked.transaction_id;
        bank_.write(
            "INSERT INTO payouts (id, user_id, transaction_id, amount, status) VALUES ($1, $2, $3, $4, $5)",
            new_id(), bob_, id, cents(amount), status);
        return id;
    }
    Uuid new_id() { return Uuid::v7(world_.clock.now(), world_.random); }
    // Past the rules of the schema.
    void corrupt(const std::string& table, const std::string& rule, const std::string& sql) {
        run(world_.database->transaction([&, this](relational::Transaction& tx) -> asio::awaitable<void> {
            if (world_.database->dialect() == relational::Dialect::sqlite) {
                co_await tx.run_script("PRAGMA ignore_check_constraints = ON;" + sql +
                                       ";PRAGMA ignore_check_constraints = OFF");
            } else {
                co_await tx.run_script("ALTER TABLE " + table + " DROP CONSTRAINT " + rule + ";" + sql);
            }
        }));
    }
    static std::string of(const Account& account) {
        const auto kind = std::string(boost::describe::enum_to_string(account.kind, ""));
        return account.owner
                   ? "kind = '" + kind + "' AND owner_user_id = '" + account.owner->to_string() + "'"
                   : "kind = '" + kind + "'";
    }
    std::string account(const Account& account) {
        return "(SELECT id FROM ledger_accounts WHERE " + of(account) + ")";
    }
    void execute(const std::string& sql) {
        run(world_.database->transaction([sql](relational::Transaction& tx) { return tx.run_script(sql); }));
    }
    // An entry with what it does to the balance.
    void add_entry(TransactionId transaction, const Account& to, std::int64_t amount) {
        const auto minor = std::to_string(amount);
        execute("INSERT INTO ledger_entries (id, transaction_id, account_id, amount_minor) VALUES ('" +
                new_id().to_string() + "', '" + transaction.to_string() + "', " + account(to) + ", " + minor +
                "); UPDATE ledger_accounts SET balance_minor = balance_minor + " + minor + " WHERE " +
                of(to));
    }
    std::string text(TransactionId id) { return "'" + id.to_string() + "'"; }

    std::vector<std::string> found() {
        std::vector<std::string> words;
        for (const auto& difference : run(audit(*world_.database)).differences) {
            words.push_back(difference.what + " " + std::to_string(difference.stored) + " → " +
                            std::to_string(difference.expected));
        }
        return words;
    }

    World world_;
    Bank bank_{world_};
    const Account revenue_{.kind = AccountKind::platform_revenue};
    const Account clearing_{.kind = AccountKind::payout_clearing};
    const Account payments_{.kind = AccountKind::payment_clearing};
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
    TransactionId top_up_, gift_, reversal_, payout_;
};

TEST_F(Audit, FindsNothingInBooksThatAgree) {
    const auto result = run(audit(*world_.database));
    EXPECT_THAT(result.differences, IsEmpty());
    EXPECT_EQ(result.compared, 5 + 7) << "accounts and transactions";
}

TEST_F(Audit, FindsABalanceThatIsNotTheSumOfItsEntries) {
    execute("UPDATE ledger_accounts SET balance_minor = balance_minor + 1 WHERE " + of(wallet_of(ada_)));
    EXPECT_THAT(found(), UnorderedElementsAre("balance of account 9001 → 9000", "sum of all accounts 1 → 0"));
}

TEST_F(Audit, FindsAWalletBelowZero) {
    corrupt("ledger_accounts", "ledger_accounts_wallet_not_below_zero",
            "UPDATE ledger_accounts SET balance_minor = -1 WHERE " + of(wallet_of(ada_)));
    EXPECT_THAT(found(), UnorderedElementsAre("balance of account -1 → 9000", "wallet below zero -1 → 0",
                                              "sum of all accounts -9001 → 0"));
}

TEST_F(Audit, FindsAnEntryTooMany) {
    add_entry(gift_, revenue_, 5);
    EXPECT_THAT(found(),
                UnorderedElementsAre("sum of all accounts 5 → 0", "sum of the entries of transaction 5 → 0",
                                     "amount of transaction 1005 → 1000", "fee of gift 305 → 300"));
}

TEST_F(Audit, FindsATransactionWithoutEntries) {
    execute("INSERT INTO transactions (id, receiver_user_id, amount, transaction_type, status) VALUES ('" +
            new_id().to_string() + "', '" + ada_.to_string() + "', 5, 'adjustment', 'completed')");
    const auto amount = world_.database->dialect() == relational::Dialect::sqlite ? "5" : "500";
    EXPECT_THAT(found(), ElementsAre(std::string("amount of transaction 0 → ") + amount));
}

TEST_F(Audit, FindsEntriesOfWhatIsNotSettled) {
    execute("UPDATE transactions SET status = 'pending' WHERE id = " + text(gift_));
    EXPECT_THAT(found(), ElementsAre("entries of unsettled transaction 1000 → 0"));
    execute("UPDATE transactions SET status = 'failed' WHERE id = " + text(gift_));
    EXPECT_THAT(found(), ElementsAre("entries of unsettled transaction 1000 → 0"));
}

TEST_F(Audit, FindsAGiftThatWasPaidByAnother) {
    bank_.top_up(bob_, 1'000);
    execute("UPDATE ledger_entries SET account_id = " + account(wallet_of(bob_)) +
            " WHERE transaction_id = " + text(gift_) + " AND account_id = " + account(wallet_of(ada_)) +
            "; UPDATE ledger_accounts SET balance_minor = 10000 WHERE " + of(wallet_of(ada_)) +
            "; UPDATE ledger_accounts SET balance_minor = 0 WHERE " + of(wallet_of(bob_)));
    EXPECT_THAT(found(), ElementsAre("payment of gift 0 → -1000"));
}

TEST_F(Audit, FindsAGiftThatIsSplitOtherwise) {
    add_entry(gift_, revenue_, 10);
    add_entry(gift_, earnings_of(bob_), -10);
    EXPECT_THAT(found(), UnorderedElementsAre("earnings of gift 690 → 700", "fee of gift 310 → 300",
                                              "amount of transaction 1010 → 1000"));
}

TEST_F(Audit, FindsATopUpOfAnotherWalletOrFromElsewhere) {
    bank_.top_up(bob_, 1);
    execute("UPDATE ledger_entries SET account_id = " + account(wallet_of(bob_)) +
            " WHERE transaction_id = " + text(top_up_) + " AND amount_minor > 0;" +
            "UPDATE ledger_accounts SET balance_minor = 10001 WHERE " + of(wallet_of(bob_)));
    EXPECT_THAT(found(), testing::Contains("wallet of top-up 0 → 10000"));
    execute("UPDATE ledger_entries SET account_id = " + account(revenue_) +
            " WHERE transaction_id = " + text(top_up_) + " AND amount_minor < 0");
    EXPECT_THAT(found(), testing::Contains("clearing of top-up 0 → -10000"));
}

TEST_F(Audit, FindsAPayoutThatWasTakenOrWentElsewhere) {
    execute("UPDATE ledger_entries SET account_id = " + account(revenue_) +
            " WHERE transaction_id = " + text(payout_) + " AND amount_minor < 0");
    EXPECT_THAT(found(), testing::Contains("earnings of payout 0 → -200"));
    execute("UPDATE ledger_entries SET account_id = " + account(payments_) +
            " WHERE transaction_id = " + text(payout_) + " AND amount_minor > 0");
    EXPECT_THAT(found(), testing::Contains("clearing of payout 0 → 200"));
}

TEST_F(Audit, FindsAReversalThatLeavesSomething) {
    add_entry(reversal_, earnings_of(bob_), 10);
    add_entry(reversal_, revenue_, -10);
    EXPECT_THAT(found(), UnorderedElementsAre("amount of transaction 510 → 500", "account of reversal 10 → 0",
                                              "account of reversal -10 → 0"));
}

TEST_F(Audit, FindsAPayoutThatDoesNotAgreeWithItsTransaction) {
    bank_.write("UPDATE payouts SET amount = $1 WHERE transaction_id = $2", cents(201), payout_);
    EXPECT_THAT(found(), ElementsAre("transaction of payout 200 → 201"));
    bank_.write("UPDATE payouts SET amount = $1, user_id = $2 WHERE transaction_id = $3", cents(200), ada_,
                payout_);
    EXPECT_THAT(found(), ElementsAre("transaction of payout 0 → 200"));
}

TEST_F(Audit, FindsAPayoutWhoseMoneyIsInTwoPlacesOrInNone) {
    bank_.write("UPDATE payouts SET status = 'refused' WHERE transaction_id = $1", payout_);
    EXPECT_THAT(found(), ElementsAre("money given back of payout 0 → 200"));
    bank_.write("UPDATE payouts SET status = 'paid'");
    EXPECT_THAT(found(), ElementsAre("money given back of payout 300 → 0"));
}

}  // namespace
}  // namespace spaktok::ledger
