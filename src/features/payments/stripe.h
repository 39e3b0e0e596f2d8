// Stripe's Checkout, by its public HTTP API (https://docs.stripe.com/api): people pay on Stripe's own page,
// and a webhook tells what became of it. No card's number comes here.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "features/payments/provider.h"
#include "features/payments/web_client.h"

namespace spaktok::payments {

inline constexpr std::string_view stripe_name = "stripe";
// Events are a few KB.
inline constexpr std::size_t stripe_webhook_bytes_max = 256 * 1024;
inline constexpr std::chrono::minutes stripe_tolerance{5};

// Thread-safe; what it refers to outlives it.
class Stripe final : public PaymentProvider {
  public:
    struct Options {
        WebClient& web;
        std::string url;             // "https://api.stripe.com"
        std::string secret_key;      // sk_…
        std::string webhook_secret;  // whsec_…
        std::string public_url;      // where people come back to
        std::string place;           // its name, on the page on which they pay
    };
    explicit Stripe(Options options) : options_(std::move(options)) {}

    std::string_view name() const override { return stripe_name; }
    boost::asio::awaitable<Checkout> start(CheckoutRequest request) override;
    PaymentEvent parse(const Webhook& webhook, Timestamp now) const override;

  private:
    std::string form(const CheckoutRequest& request) const;

    Options options_;
};

// https://docs.stripe.com/webhooks#verify-manually: `header` is "t=1700000000,v1=<hex>", of which any v1 may
// be the HMAC-SHA256 of "<t>.<body>"; compared in constant time. Throws Error{invalid_argument
// "invalid_signature"}, then "stale_signature" for a time more than stripe_tolerance away from `now`.
void check_stripe_signature(const Webhook& webhook, std::string_view secret, Timestamp now);
// "t=…,v1=…" of a body, for tests.
std::string stripe_signature(std::string_view body, std::string_view secret, Timestamp at);

// The event of a body whose signature is right.
PaymentEvent parse_stripe_event(std::string_view body);

}  // namespace spaktok::payments
