// For tests of money: a catalogue's row, top-ups and gifts without the services that make them.
#pragma once

#include <string>
#include <vector>

#include "features/ledger/ledger.h"
#include "features/testing/world.h"

namespace spaktok::features_testing {

inline Money cents(std::int64_t minor) {
    return Money::from_minor(minor);
}

class Bank {
  public:
    explicit Bank(World& world)
        : world_(world), ledger({.database = *world.database, .clock = world.clock, .random = world.random}) {
        write(
            "INSERT INTO gifts (id, name, price, image_url) VALUES ($1, 'A gift of the tests', $2, "
            "'/gifts/rose.svg')",
            gift, cents(1));
    }

    template <class... Args>
    void write(std::string_view sql, Args... args) {
        run(world_.database->query(
            relational::Statement{.name = "bank_test", .sql = sql, .mode = relational::Mode::write},
            args...));
    }
    std::int64_t number(std::string_view sql) {
        const auto rows = run(world_.database->query(relational::Statement{.name = "bank_test", .sql = sql}));
        return rows[0].get<std::int64_t>("n");
    }

    ledger::Outcome book(ledger::Movement movement) {
        std::vector<ledger::Movement> movements;
        movements.push_back(std::move(movement));
        return run(ledger.book(std::move(movements))).front();
    }
    TransactionId top_up(UserId user, std::int64_t amount) {
        return book({.header = {.type = ledger::TransactionType::top_up,
                                .receiver = user,
                                .amount = cents(amount)},
                     .postings = {{ledger::wallet_of(user), cents(amount)},
                                  {{.kind = ledger::AccountKind::payment_clearing}, cents(-amount)}}})
            .booked.transaction_id;
    }
    ledger::Outcome try_give(UserId from, UserId to, std::int64_t amount, std::int64_t fee) {
        ledger::Movement movement{.header = {.type = ledger::TransactionType::gift_sent,
                                             .sender = from,
                                             .receiver = to,
                                             .gift = gift,
                                             .amount = cents(amount),
                                             .platform_fee = cents(fee),
                                             .streamer_payout = cents(amount - fee)},
                                  .postings = {{ledger::wallet_of(from), cents(-amount)}}};
        if (amount != fee) movement.postings.push_back({ledger::earnings_of(to), cents(amount - fee)});
        if (fee != 0)
            movement.postings.push_back({{.kind = ledger::AccountKind::platform_revenue}, cents(fee)});
        return book(std::move(movement));
    }
    // From a wallet that has it.
    TransactionId give(UserId from, UserId to, std::int64_t amount, std::int64_t fee = 0) {
        const auto outcome = try_give(from, to, amount, fee);
        EXPECT_EQ(outcome.verdict, ledger::Verdict::booked);
        return outcome.booked.transaction_id;
    }
    Money balance(ledger::Account account) { return run(ledger.balance(account)); }
    static idempotency::Key key(UserId user, const std::string& text, const std::string& request = "a") {
        return idempotency::make_key(user, text, request);
    }

  private:
    World& world_;

  public:
    ledger::Ledger ledger;
    const GiftId gift = GiftId::make(world_.clock.now(), world_.random);
};

}  // namespace spaktok::features_testing
