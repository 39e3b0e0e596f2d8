#include "features/payouts/payout.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "features/ledger/movement.h"

namespace spaktok::payouts {

Timestamp on_hold_since(const Rules& rules, Timestamp now) {
    return now - rules.holding + std::chrono::milliseconds(1);
}

Earnings earnings_of(const ledger::Earned& earned, const Rules& rules) {
    const auto freed = [&rules](std::optional<Timestamp> at) {
        return at ? std::optional(*at + rules.holding) : std::nullopt;
    };
    return {.balance = earned.balance,
            .on_hold = earned.recent,
            .available = std::max(Money{}, earned.balance - earned.recent),
            .next_free_at = freed(earned.first_recent_at),
            .all_free_at = freed(earned.last_recent_at)};
}

void check_amount(Money amount, const Rules& rules) {
    if (amount <= Money{} || amount > ledger::amount_max) {
        throw Error(ErrorCode::invalid_argument, "The amount must be from 1 to 9,999,999,999 US cents.",
                    {.field = "amount", .reason = "invalid_field"});
    }
    if (amount >= rules.minimum) return;
    throw Error(ErrorCode::conflict, fmt::format("A payout is at least {} USD.", rules.minimum.to_string()),
                {.field = "amount", .reason = "payout_below_minimum"});
}

void check_request(const Asked& asked, const Earnings& earnings) {
    if (earnings.balance < Money{}) {
        throw Error(ErrorCode::conflict,
                    "Your earnings are below zero, as gifts were taken back: nothing can be paid out.",
                    {.reason = "earnings_below_zero"});
    }
    if (asked.has_open) {
        throw Error(ErrorCode::conflict, "Another payout of yours is under way.",
                    {.reason = "payout_under_way"});
    }
    if (asked.amount <= earnings.available) return;
    throw Error(ErrorCode::insufficient_funds,
                fmt::format("Of your earnings {} USD can be paid out now.", earnings.available.to_string()),
                {.field = "amount", .reason = "not_yet_available"});
}

}  // namespace spaktok::payouts
