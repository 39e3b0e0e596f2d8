// Top-ups: money that comes into a wallet from outside. Values, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <boost/describe.hpp>

#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok::payments {

enum class Status {
    pending,    // begun, not paid
    completed,  // paid, and in the wallet
    failed,     // will not be paid
    refunded,   // given back whole
    disputed,   // the payer's bank asks for it back; it is in the wallet until that is decided
};
BOOST_DESCRIBE_ENUM(Status, pending, completed, failed, refunded, disputed)

struct TopUp {
    TransactionId id;
    Status status = Status::pending;
    Money amount;  // USD
    std::string currency;
    std::int64_t exchange_rate = 0;  // units of the currency for 1 USD, in parts of 10,000
    std::int64_t paid_minor = 0;     // of the currency
    std::string provider;
    std::optional<std::string> checkout_url{};  // while it is pending
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(TopUp, (),
                      (id, status, amount, currency, exchange_rate, paid_minor, provider, checkout_url,
                       created_at))

// A row of `payment_intents` with what it is a payment of.
struct Payment {
    TopUp top_up;
    UserId user;
    Money taken_back;  // by refunds and a lost dispute, USD
    std::optional<std::string> closed_dispute_ref{};
};

}  // namespace spaktok::payments
