// Play money: the checkout is a page of our own, on which the person says what became of the payment. Only
// where the settings ask for it.
#pragma once

#include "base/random.h"
#include "features/payments/provider.h"

namespace spaktok::payments {

inline constexpr std::string_view sandbox_name = "sandbox";

class Sandbox final : public PaymentProvider {
  public:
    explicit Sandbox(Random& random) : random_(random) {}
    std::string_view name() const override { return sandbox_name; }
    boost::asio::awaitable<Checkout> start(CheckoutRequest request) override {
        constexpr std::size_t ref_bytes = 16;
        co_return Checkout{.provider_ref = random_.token(ref_bytes),
                           .url = "/wallet/checkout/" + request.top_up.to_string()};
    }
    // It has none.
    PaymentEvent parse(const Webhook&, Timestamp) const override { return {}; }

  private:
    Random& random_;
};

}  // namespace spaktok::payments
