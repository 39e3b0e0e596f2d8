// The port to whoever takes people's money. Adapters: sandbox.h (play money), stripe.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok::payments {

struct CheckoutRequest {
    TransactionId top_up;  // also the request's idempotency key at the provider
    Money amount;          // USD, what the wallet gets
    std::string currency;  // what is paid in, and how much of its minor unit
    std::int64_t paid_minor = 0;
};

struct Checkout {
    std::string provider_ref;  // the provider's name for it, at most 255 bytes
    std::string url;           // where the person pays: an address or a path of this server
};

// What a provider tells of a payment: one webhook, parsed.
struct PaymentEvent {
    enum class Kind {
        paid,
        failed,          // or expired: it will not be paid
        refunded,        // wholly or in part
        dispute_opened,  // the payer's bank asks for the money back
        dispute_lost,    // and got it
        dispute_won,
        unknown,  // nothing for us
    };
    Kind kind = Kind::unknown;
    // Which payment it is: some of the three.
    std::string provider_ref{};  // of the checkout
    std::string payment_ref{};   // of the payment itself, known once it is paid
    std::optional<TransactionId> top_up{};
    std::string dispute_ref{};
    // Paid: how much. Refunded: how much was paid, and of it given back so far.
    std::string currency{};
    std::int64_t paid_minor = 0;
    std::int64_t refunded_minor = 0;
};

struct Webhook {
    std::string_view signature;  // of the provider's header; empty where there is none
    std::string_view body;
};

class PaymentProvider {
  public:
    virtual ~PaymentProvider() = default;
    // "stripe": a column's value and a path's part; for ever.
    virtual std::string_view name() const = 0;
    // Throws Error{unavailable}.
    virtual boost::asio::awaitable<Checkout> start(CheckoutRequest request) = 0;
    // Throws Error{invalid_argument "invalid_signature" | "stale_signature"}, or what JSON does, for what the
    // provider did not send a moment ago.
    virtual PaymentEvent parse(const Webhook& webhook, Timestamp now) const = 0;
};

}  // namespace spaktok::payments
