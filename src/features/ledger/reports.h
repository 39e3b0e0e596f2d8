// What was booked, read: for those who decide by it and for those who look after the money. Nothing is
// written.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>

#include "engines/relational/database.h"
#include "features/ledger/movement.h"

namespace spaktok::ledger {

// What a streamer has, and the part of it that came from gifts since a moment, without those taken back.
struct Earned {
    Money balance;
    Money recent;
    std::optional<Timestamp> first_recent_at{};
    std::optional<Timestamp> last_recent_at{};
};
boost::asio::awaitable<Earned> earned(relational::Database& database, UserId user, Timestamp since);
// In a transaction in which the account is locked: what nobody changes until its end.
boost::asio::awaitable<Earned> earned(relational::Transaction& tx, UserId user, Timestamp since);

// The gifts that a streamer received in a month (UTC), without those taken back.
struct MonthOfGifts {
    std::string month;  // "2026-01"
    std::int64_t gifts_count = 0;
    Money amount;
    Money earned;
};
BOOST_DESCRIBE_STRUCT(MonthOfGifts, (), (month, gifts_count, amount, earned))
// Newest first, months without gifts left out.
boost::asio::awaitable<std::vector<MonthOfGifts>> months_of_gifts(relational::Database& database, UserId user,
                                                                  Timestamp since);

// What is on all accounts together.
struct Totals {
    Money wallets;
    Money earnings;             // of all streamers
    Money earnings_below_zero;  // the part of it that they owe
    Money platform_revenue;
    Money payment_clearing;
    Money payout_clearing;
};
boost::asio::awaitable<Totals> totals(relational::Database& database);

struct DayOfRevenue {
    std::string day;  // "2026-01-31", UTC
    Money revenue;    // less what was given back
};
BOOST_DESCRIBE_STRUCT(DayOfRevenue, (), (day, revenue))
// Oldest first, days without any left out.
boost::asio::awaitable<std::vector<DayOfRevenue>> revenue_by_day(relational::Database& database,
                                                                 Timestamp since);

enum class TransactionStatus { pending, completed, failed };
BOOST_DESCRIBE_ENUM(TransactionStatus, pending, completed, failed)

// A row of `transactions`, and what became of it.
struct Recorded {
    TransactionId id;
    Header header;
    TransactionStatus status = TransactionStatus::completed;
    std::optional<TransactionId> reversed_by{};
    Timestamp created_at{};
};
boost::asio::awaitable<std::optional<Recorded>> find_transaction(relational::Database& database,
                                                                 TransactionId id);
// Newest first, before that one.
boost::asio::awaitable<std::vector<Recorded>> newest_transactions(relational::Database& database, Uuid before,
                                                                  std::int64_t limit);

// ---- what a person should look at

// More gifts, or a larger sum of them, than given by one sender within ten minutes.
struct Burst {
    UserId sender;
    Timestamp window_starts_at{};  // ten minutes of the clock: each sender is told once for each
    std::int64_t gifts_count = 0;
    Money amount;
};
inline constexpr std::chrono::minutes burst_window{10};
struct BurstLimits {
    std::int64_t gifts_max = 0;
    Money amount_max;
};
// Among the gifts since then.
boost::asio::awaitable<std::vector<Burst>> find_bursts(relational::Database& database, Timestamp since,
                                                       BurstLimits limits);

// Two who gave each other at least so much within a day.
struct Circle {
    UserId user;  // the smaller id
    UserId other;
    std::int64_t gifts_count = 0;  // of both
    Money amount;                  // what came back
};
struct CircleSearch {
    Timestamp active_since{};  // of pairs in which one gave since then
    Timestamp since{};
    Money amount_min;
};
boost::asio::awaitable<std::vector<Circle>> find_circles(relational::Database& database, CircleSearch search);

}  // namespace spaktok::ledger
