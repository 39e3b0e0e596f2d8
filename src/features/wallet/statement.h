// What a person sees of their money: a list of what was booked, and sums by month. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <boost/describe.hpp>

#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok::wallet {

// `transactions.transaction_type` as this person sees it: a gift_sent is a gift_received at its other end.
enum class EntryType { top_up, gift_sent, gift_received, payout, refund, adjustment };
BOOST_DESCRIBE_ENUM(EntryType, top_up, gift_sent, gift_received, payout, refund, adjustment)

enum class EntryStatus { pending, completed, failed };
BOOST_DESCRIBE_ENUM(EntryStatus, pending, completed, failed)

struct GiftSummary {
    GiftId id;
    std::string name;
    std::string image_url;
};
BOOST_DESCRIBE_STRUCT(GiftSummary, (), (id, name, image_url))

struct Entry {
    TransactionId id;
    EntryType type = EntryType::adjustment;
    EntryStatus status = EntryStatus::pending;
    Money amount;                   // USD
    std::optional<Money> earned{};  // of a gift received: the receiver's part
    std::string currency;           // what was paid in
    std::optional<std::int64_t> paid_minor{};
    std::optional<UserId> other{};  // the other end
    std::optional<GiftSummary> gift{};
    std::optional<StreamId> stream_id{};
    // What it did to the wallet, and what was in it then; nothing where it did not touch the wallet.
    std::optional<Money> wallet_change{};
    std::optional<Money> wallet_balance{};
    Timestamp created_at{};
};

// Of what is completed, USD.
struct Month {
    std::string month;  // "2026-01", UTC
    Money topped_up;
    Money refunded;
    Money gifts_sent;
    Money gifts_earned;  // the receiver's part
    Money paid_out;
};
BOOST_DESCRIBE_STRUCT(Month, (), (month, topped_up, refunded, gifts_sent, gifts_earned, paid_out))

struct Filter {
    UserId user;
    std::optional<EntryType> type{};
    std::optional<Timestamp> from{};  // inclusive
    std::optional<Timestamp> to{};    // exclusive
};

}  // namespace spaktok::wallet
