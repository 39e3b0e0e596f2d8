// Topping up: a checkout at the provider, and what comes of it, booked once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "features/idempotency/idempotency.h"
#include "features/ledger/ledger.h"
#include "features/payments/payment_store.h"
#include "features/payments/provider.h"
#include "features/payments/rates.h"

namespace spaktok::payments {

inline constexpr Money top_up_amount_max = Money::from_minor(10'000'000);

enum class SandboxOutcome { paid, failed };
BOOST_DESCRIBE_ENUM(SandboxOutcome, paid, failed)

// Thread-safe; what it refers to outlives it.
class Service {
  public:
    struct Options {
        relational::Database& database;
        ledger::Ledger& ledger;
        Rates& rates;
        const Clock& clock;
        std::unique_ptr<PaymentProvider> provider{};  // none: there are no top-ups
        Money amount_min = Money::from_minor(100);
        Money amount_max = Money::from_minor(50'000);  // at most top_up_amount_max
    };
    explicit Service(Options options);

    // "sandbox", "stripe"; nullopt where there are no top-ups.
    std::optional<std::string> provider_name() const;
    Money amount_min() const { return options_.amount_min; }
    Money amount_max() const { return options_.amount_max; }
    boost::asio::awaitable<std::vector<CurrencyChoice>> currencies();

    struct NewTopUp {
        UserId user;
        Money amount;  // USD
        std::string currency;
        idempotency::Key key;
    };
    // The top-up with the place where to pay it. A repetition is answered by the first one, whatever has
    // become of it. Throws, in this order: {unprocessable "idempotency_key_reused"}, {conflict
    // "top_ups_off"}, {invalid_argument "amount_out_of_range" | "currency_not_offered"}, {unavailable
    // "payment_provider_unavailable"}.
    boost::asio::awaitable<TopUp> start(NewTopUp wanted);
    // Throws Error{not_found} where the user has no such top-up.
    boost::asio::awaitable<TopUp> find(UserId user, TransactionId id);

    // A webhook. What is not ours or changes nothing (any more) is ignored. Throws what
    // PaymentProvider::parse does, {not_found} where this provider is not in use, {conflict
    // "payment_pending"} for a refund that came before its payment, so that it comes again, and {conflict
    // "payment_mismatch"} where another sum was paid than was asked for.
    boost::asio::awaitable<void> receive(std::string provider, std::string signature, std::string body);

    // The end of a checkout in the sandbox. Throws Error{not_found} where there is no sandbox or the user has
    // no such top-up in it, {conflict "top_up_ended"} where it is not pending.
    boost::asio::awaitable<TopUp> end_sandbox(UserId user, TransactionId id, SandboxOutcome outcome);

  private:
    boost::asio::awaitable<Checkout> checkout(CheckoutRequest request);
    boost::asio::awaitable<CurrencyChoice> choice(std::string currency);
    boost::asio::awaitable<void> apply(std::string provider, PaymentEvent event);

    Options options_;
    PaymentStore store_;
};

}  // namespace spaktok::payments
