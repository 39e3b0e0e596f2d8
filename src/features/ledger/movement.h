// What the ledger books: values and pure rules, no I/O.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/describe.hpp>

#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "features/idempotency/idempotency.h"

namespace spaktok::ledger {

// Of one transaction: what NUMERIC(10,2) holds. USD.
inline constexpr Money amount_max = Money::from_minor(9'999'999'999);
// Exchange rates are integers of this many parts: 1.0842 is 10,842.
inline constexpr std::int64_t rate_one = 10'000;

enum class AccountKind { wallet, earnings, platform_revenue, payment_clearing, payout_clearing };
BOOST_DESCRIBE_ENUM(AccountKind, wallet, earnings, platform_revenue, payment_clearing, payout_clearing)

// Wallets and earnings have an owner, the platform's accounts have none.
struct Account {
    AccountKind kind = AccountKind::wallet;
    std::optional<UserId> owner{};
    auto operator<=>(const Account&) const = default;
};
inline Account wallet_of(UserId owner) {
    return {.kind = AccountKind::wallet, .owner = owner};
}
inline Account earnings_of(UserId owner) {
    return {.kind = AccountKind::earnings, .owner = owner};
}

enum class TransactionType { top_up, gift_sent, payout, refund, adjustment };
BOOST_DESCRIBE_ENUM(TransactionType, top_up, gift_sent, payout, refund, adjustment)

// What people see of a movement: a row of `transactions`.
struct Header {
    TransactionType type = TransactionType::adjustment;
    std::optional<UserId> sender{};    // none: money comes from outside or from the platform
    std::optional<UserId> receiver{};  // none: it goes there
    std::optional<GiftId> gift{};
    std::optional<StreamId> stream{};
    std::optional<TransactionId> reverses{};
    Money amount{};  // USD
    Money platform_fee{};
    Money streamer_payout{};
    std::string currency = "USD";
    std::int64_t exchange_rate = rate_one;  // units of the currency for 1 USD
    std::optional<std::int64_t> paid_minor{};
};

// One side of a movement; negative where money leaves the account.
struct Posting {
    Account account;
    Money amount;
};

// How much a person may spend on gifts on a day (UTC), this one included.
struct SpendingLimit {
    UserId user;
    Money of_day;
};

struct Movement {
    Header header;
    std::vector<Posting> postings;
    // Whoever repeats the request gets its first answer.
    std::optional<idempotency::Key> key{};
    std::optional<SpendingLimit> spending{};
    // Whether earnings may fall below zero: a reversal takes back what may be paid out already. Wallets
    // never.
    bool may_overdraw_earnings = false;
};

// Asserts what must hold of any movement: entries that sum to zero, none of them zero, no account twice, the
// amount within its limit, fee + payout = amount for gifts.
void check(const Movement& movement);

enum class Verdict {
    booked,
    repeated,            // booked before, under the same key
    key_reused,          // the key belongs to another request
    insufficient_funds,  // an account would fall below zero
    over_limit,          // of the day's spending
};
BOOST_DESCRIBE_ENUM(Verdict, booked, repeated, key_reused, insufficient_funds, over_limit)

// Booked or repeated: what it was, and how much the account of the first posting then had.
struct Booked {
    TransactionId transaction_id;
    Money balance;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(Booked, (), (transaction_id, balance, created_at))

struct Outcome {
    Verdict verdict = Verdict::booked;
    Booked booked{};
};

}  // namespace spaktok::ledger
