// Payouts: what streamers ask to be paid of their earnings. Values and pure rules, no I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <boost/describe.hpp>

#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "features/ledger/reports.h"

namespace spaktok::payouts {

using PayoutId = Id<struct PayoutTag>;

inline constexpr std::size_t reason_length_max = 500;  // code points

// requested → approved → paid; requested → refused and approved → failed give the money back.
enum class Status { requested, approved, refused, paid, failed };
BOOST_DESCRIBE_ENUM(Status, requested, approved, refused, paid, failed)

// A row of `payouts`.
struct Payout {
    PayoutId id;
    UserId user_id;
    TransactionId transaction_id;  // of the money out of the earnings
    Money amount;                  // USD
    Status status = Status::requested;
    std::optional<std::string> reason;  // why it was refused or has failed
    std::optional<UserId> decided_by;   // who approved or refused it
    std::optional<Timestamp> decided_at;
    Timestamp created_at{};
    Timestamp updated_at{};
};

struct Rules {
    Money minimum = Money::from_minor(2'000);
    std::chrono::days holding{7};  // how long a gift stays before it can be paid out
};

// Gifts since that moment are on hold at `now`: one that is as old as the holding time is free.
Timestamp on_hold_since(const Rules& rules, Timestamp now);

struct Earnings {
    Money balance;    // may be below zero, where a gift was taken back after it was paid out
    Money on_hold;    // of it, gifts that are too young
    Money available;  // never below zero
    std::optional<Timestamp> next_free_at;  // when the oldest of what is on hold becomes free
    std::optional<Timestamp> all_free_at;   // when all of it is
};
Earnings earnings_of(const ledger::Earned& earned, const Rules& rules);

// Throws, in this order: {invalid_argument "invalid_field" amount}, {conflict "payout_below_minimum"}.
void check_amount(Money amount, const Rules& rules);
// Throws, in this order: {conflict "earnings_below_zero" | "payout_under_way"}, {insufficient_funds
// "not_yet_available"}.
struct Asked {
    Money amount;
    bool has_open = false;  // another payout is requested or approved
};
void check_request(const Asked& asked, const Earnings& earnings);

}  // namespace spaktok::payouts
