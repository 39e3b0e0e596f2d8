// Rows of `payment_intents`; what they have in common with their transactions is read with them.
#pragma once

#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "features/payments/payment.h"
#include "features/payments/provider.h"

namespace spaktok::payments {

class PaymentStore {
  public:
    explicit PaymentStore(relational::Database& database) : database_(database) {}

    struct Row {
        TransactionId id;  // also of its transaction
        UserId user;
        std::string provider;
        Checkout checkout;
    };
    static boost::asio::awaitable<void> insert(relational::Transaction& tx, Row row);

    boost::asio::awaitable<std::optional<Payment>> find(TransactionId id);
    static boost::asio::awaitable<std::optional<Payment>> find(relational::Transaction& tx, TransactionId id);

    struct Known {
        TransactionId id;
        UserId user;
    };
    // By whichever of its names is there: the checkout's, the payment's, ours.
    boost::asio::awaitable<std::optional<Known>> find(std::string provider, PaymentEvent event);

    struct Change {
        TransactionId id;
        Status status = Status::pending;
        Money taken_back;
        std::optional<std::string> payment_ref{};  // nullopt: stays, like the next
        std::optional<std::string> closed_dispute_ref{};
    };
    static boost::asio::awaitable<void> update(relational::Transaction& tx, Change change, Timestamp now);

  private:
    relational::Database& database_;
};

}  // namespace spaktok::payments
