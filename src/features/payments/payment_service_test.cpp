#include "features/payments/payment_service.h"

#include <gmock/gmock.h>

#include "features/payments/payment_routes.h"
#include "features/payments/sandbox.h"
#include "features/payments/stripe.h"
#include "features/testing/world.h"

namespace spaktok::payments {
namespace {

namespace asio = boost::asio;
using features_testing::failure_of;
using features_testing::run;
using features_testing::World;
using http::Method;
using ledger::AccountKind;
using relational::Statement;
using Kind = PaymentEvent::Kind;

const std::string secret = "whsec_test";
const ledger::Account clearing{.kind = AccountKind::payment_clearing};
const ledger::Account revenue{.kind = AccountKind::platform_revenue};

Money cents(std::int64_t minor) {
    return Money::from_minor(minor);
}

// Stripe without its server: what it sends is parsed by the real adapter.
class Counter final : public PaymentProvider {
  public:
    explicit Counter(WebClient& web)
        : stripe_({.web = web,
                   .url = "",
                   .secret_key = "",
                   .webhook_secret = secret,
                   .public_url = "",
                   .place = ""}) {}
    std::string_view name() const override { return stripe_name; }
    asio::awaitable<Checkout> start(CheckoutRequest request) override {
        if (is_down) throw Error(ErrorCode::unavailable, "Nobody there.");
        asked = request;
        ++checkouts;
        co_return Checkout{.provider_ref = "cs_" + std::to_string(checkouts), .url = "https://pay.example/c"};
    }
    PaymentEvent parse(const Webhook& webhook, Timestamp now) const override {
        return stripe_.parse(webhook, now);
    }

    bool is_down = false;
    int checkouts = 0;
    CheckoutRequest asked;

  private:
    Stripe stripe_;
};

class Payments : public testing::Test {
  protected:
    explicit Payments(bool is_sandbox = false) {
        std::unique_ptr<PaymentProvider> provider;
        if (is_sandbox) {
            provider = std::make_unique<Sandbox>(world_.random);
        } else {
            auto counter = std::make_unique<Counter>(web_);
            counter_ = counter.get();
            provider = std::move(counter);
        }
        service_ = std::make_unique<Service>(Service::Options{.database = *world_.database,
                                                              .ledger = ledger_,
                                                              .rates = rates_,
                                                              .clock = world_.clock,
                                                              .provider = std::move(provider)});
        add_routes(world_.router, *service_);
    }

    Service::NewTopUp wanted(std::int64_t amount, const std::string& currency, const std::string& key) {
        return {.user = ada_,
                .amount = cents(amount),
                .currency = currency,
                .key = idempotency::make_key(ada_, key, std::to_string(amount) + currency)};
    }
    TopUp start(std::int64_t amount = 1'000, const std::string& currency = "EUR") {
        return run(service_->start(wanted(amount, currency, "key_" + std::to_string(++keys_))));
    }
    Status status(const TopUp& top_up) { return run(service_->find(ada_, top_up.id)).status; }
    Money balance(ledger::Account account) { return run(ledger_.balance(account)); }
    Money wallet() { return balance(ledger::wallet_of(ada_)); }
    void spend(std::int64_t amount) {
        std::vector<ledger::Movement> movements;
        movements.push_back({.header = {.type = ledger::TransactionType::adjustment,
                                        .sender = ada_,
                                        .receiver = bob_,
                                        .amount = cents(amount)},
                             .postings = {{ledger::wallet_of(ada_), cents(-amount)},
                                          {ledger::earnings_of(bob_), cents(amount)}}});
        ASSERT_EQ(run(ledger_.book(std::move(movements))).front().verdict, ledger::Verdict::booked);
    }

    // ---- what Stripe sends
    static std::string event(const std::string& type, const json::Object& object) {
        return json::serialize(json::Object{{"type", type}, {"data", {{"object", object}}}});
    }
    std::string send_signed(const std::string& body, std::chrono::seconds age = {}) {
        return send(body, stripe_signature(body, secret, world_.clock.now() - age));
    }
    std::string send(const std::string& body, const std::string& signature) {
        return world_
            .call(Method::post, "/api/v1/payments/stripe/webhook",
                  {.body = body, .headers = {{"Stripe-Signature", signature}}})
            .problem();
    }
    std::string checkout(const std::string& type, int number = 1, std::int64_t paid = 922) {
        return event("checkout.session." + type, {{"id", "cs_" + std::to_string(number)},
                                                  {"payment_intent", "pi_" + std::to_string(number)},
                                                  {"payment_status", "paid"},
                                                  {"amount_total", paid},
                                                  {"currency", "eur"}});
    }
    static std::string refund(std::int64_t refunded, std::int64_t paid = 922) {
        return event("charge.refunded", {{"payment_intent", "pi_1"},
                                         {"amount", paid},
                                         {"amount_refunded", refunded},
                                         {"currency", "eur"}});
    }
    static std::string dispute(const std::string& type, const std::string& status,
                               const std::string& id = "du_1") {
        return event("charge.dispute." + type, {{"id", id}, {"payment_intent", "pi_1"}, {"status", status}});
    }

    std::int64_t number(std::string_view sql) {
        return run(world_.database->query(Statement{.name = "payments_test", .sql = sql}))[0]
            .get<std::int64_t>("n");
    }
    void audit() {
        EXPECT_EQ(number("SELECT count(*) AS n FROM (SELECT transaction_id FROM ledger_entries GROUP BY "
                         "transaction_id HAVING sum(amount_minor) <> 0) AS wrong"),
                  0);
        EXPECT_EQ(number("SELECT count(*) AS n FROM ledger_accounts a WHERE balance_minor <> (SELECT "
                         "COALESCE(sum(amount_minor), 0) FROM ledger_entries WHERE account_id = a.id)"),
                  0);
        EXPECT_EQ(number("SELECT count(*) AS n FROM transactions t WHERE (status = 'completed') <> EXISTS "
                         "(SELECT 1 FROM ledger_entries WHERE transaction_id = t.id)"),
                  0);
    }

    World world_;
    ledger::Ledger ledger_{{.database = *world_.database, .clock = world_.clock, .random = world_.random}};
    WebClient web_;
    Rates rates_{{.database = *world_.database,
                  .clock = world_.clock,
                  .web = web_,
                  .offer = parse_offer("USD,EUR=0.9221,JPY=151.3,CHF,VND=0.0001")}};
    Counter* counter_ = nullptr;
    std::unique_ptr<Service> service_;
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
    int keys_ = 0;
};

TEST_F(Payments, ATopUpIsPendingUntilItIsPaid) {
    const auto top_up = start();
    EXPECT_EQ(top_up.status, Status::pending);
    EXPECT_EQ(top_up.amount, cents(1'000));
    EXPECT_EQ(top_up.currency, "EUR");
    EXPECT_EQ(top_up.exchange_rate, 9'221);
    EXPECT_EQ(top_up.paid_minor, 922);
    EXPECT_EQ(top_up.provider, "stripe");
    EXPECT_EQ(top_up.checkout_url, "https://pay.example/c");
    EXPECT_EQ(top_up.created_at, top_up.id.value.timestamp());
    EXPECT_EQ(counter_->asked.top_up, top_up.id);
    EXPECT_EQ(counter_->asked.paid_minor, 922);
    EXPECT_EQ(wallet(), cents(0));
    EXPECT_EQ(send_signed(checkout("completed")), "200");
    EXPECT_EQ(status(top_up), Status::completed);
    EXPECT_FALSE(run(service_->find(ada_, top_up.id)).checkout_url);
    EXPECT_EQ(wallet(), cents(1'000));
    EXPECT_EQ(balance(clearing), cents(-1'000));
    audit();
}

TEST_F(Payments, YenHaveNoDecimals) {
    EXPECT_EQ(start(1'000, "JPY").paid_minor, 1'513);
}

TEST_F(Payments, ATopUpIsRefusedInOrderOfPrecedence) {
    const auto refusal = [this](std::int64_t amount, const char* currency, const char* key) {
        return failure_of(service_->start(wanted(amount, currency, key)));
    };
    start(100, "USD");  // under "key_1"
    counter_->is_down = true;
    EXPECT_EQ(refusal(99, "XXX", "key_1"), "unprocessable idempotency_key_reused Idempotency-Key");
    EXPECT_EQ(refusal(99, "XXX", "k"), "invalid_argument amount_out_of_range amount");
    EXPECT_EQ(refusal(50'001, "XXX", "k"), "invalid_argument amount_out_of_range amount");
    EXPECT_EQ(refusal(-100, "USD", "k"), "invalid_argument amount_out_of_range amount");
    EXPECT_EQ(refusal(100, "XXX", "k"), "invalid_argument currency_not_offered currency");
    EXPECT_EQ(refusal(100, "CHF", "k"), "invalid_argument currency_not_offered currency") << "it has no rate";
    EXPECT_EQ(refusal(100, "VND", "k"), "invalid_argument amount_out_of_range amount") << "less than a dong";
    EXPECT_EQ(refusal(100, "USD", "k"), "unavailable payment_provider_unavailable");
    counter_->is_down = false;
    EXPECT_EQ(refusal(100, "USD", "k"), "") << "a refused request leaves its key free";
    EXPECT_EQ(refusal(50'000, "USD", "k2"), "");
    EXPECT_EQ(number("SELECT count(*) AS n FROM transactions"), 3);
    EXPECT_EQ(number("SELECT count(*) AS n FROM ledger_entries"), 0);

    Service off({.database = *world_.database, .ledger = ledger_, .rates = rates_, .clock = world_.clock});
    EXPECT_EQ(failure_of(off.start(wanted(99, "XXX", "k3"))), "conflict top_ups_off");
    EXPECT_EQ(failure_of(off.start(wanted(100, "USD", "key_1"))), "") << "what was begun before is answered";
    EXPECT_FALSE(off.provider_name());
}

TEST_F(Payments, ARepetitionIsAnsweredByTheFirstTopUp) {
    const auto first = run(service_->start(wanted(1'000, "EUR", "k")));
    EXPECT_EQ(send_signed(checkout("completed")), "200");
    const auto again = run(service_->start(wanted(1'000, "EUR", "k")));
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(again.status, Status::completed);
    EXPECT_EQ(counter_->checkouts, 1);
}

TEST_F(Payments, AnothersTopUpIsNotFound) {
    const auto top_up = start();
    EXPECT_EQ(failure_of(service_->find(bob_, top_up.id)), "not_found");
    EXPECT_EQ(failure_of(service_->find(ada_, TransactionId::make(world_.clock.now(), world_.random))),
              "not_found");
}

// ---- the corpus of webhooks
TEST_F(Payments, AWebhookThatIsNotStripesIsRefused) {
    const auto top_up = start();
    const auto body = checkout("completed");
    const auto now = world_.clock.now();
    const std::string invalid = "400 /problems/invalid_signature Stripe-Signature";
    EXPECT_EQ(world_.call(Method::post, "/api/v1/payments/stripe/webhook", {.body = body}).problem(),
              invalid);
    EXPECT_EQ(send(body, "t=1,v1=00"), invalid);
    EXPECT_EQ(send(body, stripe_signature(body, "whsec_other", now)), invalid);
    EXPECT_EQ(send(checkout("completed", 1, 923), stripe_signature(body, secret, now)), invalid);
    EXPECT_EQ(send_signed(body, std::chrono::seconds(301)), "400 /problems/stale_signature Stripe-Signature");
    EXPECT_EQ(send_signed("{"), "400 /problems/invalid_json");
    EXPECT_EQ(status(top_up), Status::pending);
    EXPECT_EQ(send_signed(body, std::chrono::seconds(300)), "200");
    EXPECT_EQ(wallet(), cents(1'000));
}

TEST_F(Payments, AnEventIsBookedOnceHoweverOftenItComes) {
    start();
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(send_signed(checkout("completed")), "200");
    EXPECT_EQ(send_signed(checkout("async_payment_succeeded")), "200");
    EXPECT_EQ(wallet(), cents(1'000));
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(send_signed(refund(922)), "200");
    EXPECT_EQ(send_signed(checkout("completed")), "200");
    EXPECT_EQ(wallet(), cents(0));
    EXPECT_EQ(balance(clearing), cents(0));
    audit();
}

TEST_F(Payments, AnEventAtManyNodesAtOnceIsBookedOnce) {
    const auto top_up = start();
    const auto body = checkout("completed");
    engines::testing::in_parallel(8, [&](int) { EXPECT_EQ(send_signed(body), "200"); });
    EXPECT_EQ(status(top_up), Status::completed);
    EXPECT_EQ(wallet(), cents(1'000));
    audit();
}

TEST_F(Payments, EventsOfOthersAndUnknownOnesAreIgnored) {
    const auto top_up = start();
    EXPECT_EQ(send_signed(checkout("completed", 7)), "200");
    EXPECT_EQ(send_signed(event("charge.dispute.closed", {{"id", "du"}, {"payment_intent", "pi_7"}})), "200");
    EXPECT_EQ(send_signed(event("invoice.paid", {{"id", "in_1"}})), "200");
    EXPECT_EQ(send_signed("{}"), "200");
    EXPECT_EQ(status(top_up), Status::pending);
    EXPECT_EQ(number("SELECT count(*) AS n FROM ledger_entries"), 0);
}

TEST_F(Payments, AFailedOneIsOverUnlessItIsPaidAfterAll) {
    const auto top_up = start();
    EXPECT_EQ(send_signed(checkout("expired")), "200");
    EXPECT_EQ(status(top_up), Status::failed);
    EXPECT_EQ(number("SELECT count(*) AS n FROM transactions WHERE status = 'failed'"), 1);
    EXPECT_EQ(wallet(), cents(0));
    EXPECT_EQ(send_signed(checkout("completed")), "200");
    EXPECT_EQ(status(top_up), Status::completed) << "the provider has the money";
    EXPECT_EQ(send_signed(checkout("async_payment_failed")), "200");
    EXPECT_EQ(status(top_up), Status::completed) << "told too late";
    EXPECT_EQ(wallet(), cents(1'000));
    audit();
}

TEST_F(Payments, AnotherSumThanWasAskedForIsNotBooked) {
    const auto top_up = start();
    EXPECT_EQ(send_signed(checkout("completed", 1, 921)), "409 /problems/payment_mismatch");
    EXPECT_EQ(status(top_up), Status::pending);
    EXPECT_EQ(send_signed(checkout("completed")), "200");
    EXPECT_EQ(send_signed(refund(923)), "409 /problems/payment_mismatch") << "more than was paid";
    EXPECT_EQ(send_signed(refund(-1)), "409 /problems/payment_mismatch");
    EXPECT_EQ(send_signed(refund(1, 500)), "409 /problems/payment_mismatch");
    EXPECT_EQ(wallet(), cents(1'000));
}

TEST_F(Payments, ARefundBeforeItsPaymentIsToComeAgain) {
    const auto top_up = start();
    const auto early = event("charge.refunded", {{"payment_intent", "pi_1"},
                                                 {"amount", 922},
                                                 {"amount_refunded", 922},
                                                 {"currency", "eur"},
                                                 {"metadata", {{"top_up_id", top_up.id.to_string()}}}});
    EXPECT_EQ(send_signed(early), "409 /problems/payment_pending");
    EXPECT_EQ(send_signed(checkout("completed")), "200");
    EXPECT_EQ(send_signed(early), "200");
    EXPECT_EQ(status(top_up), Status::refunded);
    EXPECT_EQ(wallet(), cents(0));
}

TEST_F(Payments, ARefundInPartsTakesBackEachPart) {
    const auto top_up = start();
    send_signed(checkout("completed"));
    EXPECT_EQ(send_signed(refund(461)), "200");
    EXPECT_EQ(wallet(), cents(500));
    EXPECT_EQ(status(top_up), Status::completed);
    EXPECT_EQ(send_signed(refund(922)), "200");
    EXPECT_EQ(wallet(), cents(0));
    EXPECT_EQ(send_signed(refund(461)), "200") << "the first one comes again";
    EXPECT_EQ(wallet(), cents(0));
    EXPECT_EQ(status(top_up), Status::refunded);
    EXPECT_EQ(number("SELECT count(*) AS n FROM transactions WHERE transaction_type = 'refund'"), 2);
    audit();
}

TEST_F(Payments, WhatTheWalletNoLongerHasIsThePlatformsLoss) {
    start();
    send_signed(checkout("completed"));
    spend(700);
    EXPECT_EQ(send_signed(refund(922)), "200");
    EXPECT_EQ(wallet(), cents(0));
    EXPECT_EQ(balance(revenue), cents(-700));
    EXPECT_EQ(balance(clearing), cents(0));
    EXPECT_EQ(balance(ledger::earnings_of(bob_)), cents(700));
    audit();
}

TEST_F(Payments, AnEmptyWalletIsLeftAlone) {
    start();
    send_signed(checkout("completed"));
    spend(1'000);
    EXPECT_EQ(send_signed(dispute("closed", "lost")), "200");
    EXPECT_EQ(wallet(), cents(0));
    EXPECT_EQ(balance(revenue), cents(-1'000));
    audit();
}

TEST_F(Payments, ADisputeMovesMoneyOnlyWhenItIsLost) {
    const auto top_up = start();
    send_signed(checkout("completed"));
    EXPECT_EQ(send_signed(dispute("created", "needs_response")), "200");
    EXPECT_EQ(status(top_up), Status::disputed);
    EXPECT_EQ(wallet(), cents(1'000));
    EXPECT_EQ(send_signed(dispute("closed", "won")), "200");
    EXPECT_EQ(status(top_up), Status::completed);
    EXPECT_EQ(send_signed(dispute("created", "needs_response")), "200") << "told late";
    EXPECT_EQ(status(top_up), Status::completed);
    EXPECT_EQ(send_signed(dispute("created", "needs_response", "du_2")), "200");
    EXPECT_EQ(status(top_up), Status::disputed);
    EXPECT_EQ(send_signed(refund(461)), "200");
    EXPECT_EQ(send_signed(dispute("closed", "lost", "du_2")), "200");
    EXPECT_EQ(send_signed(dispute("closed", "lost", "du_2")), "200");
    EXPECT_EQ(status(top_up), Status::refunded);
    EXPECT_EQ(wallet(), cents(0));
    EXPECT_EQ(balance(clearing), cents(0));
    EXPECT_EQ(send_signed(dispute("created", "needs_response", "du_2")), "200") << "told late";
    EXPECT_EQ(status(top_up), Status::refunded);
    audit();
}

TEST_F(Payments, ThereIsNoSandboxUnlessTheSettingsSaySo) {
    const auto top_up = start();
    EXPECT_EQ(failure_of(service_->end_sandbox(ada_, top_up.id, SandboxOutcome::paid)), "not_found");
}

class SandboxPayments : public Payments {
  protected:
    SandboxPayments() : Payments(true) {}
};

TEST_F(SandboxPayments, ThePersonSaysWhatBecomesOfIt) {
    const auto paid = start();
    EXPECT_EQ(paid.provider, "sandbox");
    EXPECT_EQ(paid.checkout_url, "/wallet/checkout/" + paid.id.to_string());
    EXPECT_EQ(run(service_->end_sandbox(ada_, paid.id, SandboxOutcome::paid)).status, Status::completed);
    EXPECT_EQ(wallet(), cents(1'000));
    const auto failed = start();
    EXPECT_EQ(run(service_->end_sandbox(ada_, failed.id, SandboxOutcome::failed)).status, Status::failed);
    EXPECT_EQ(wallet(), cents(1'000));
    audit();
}

TEST_F(SandboxPayments, AreRefusedInOrderOfPrecedence) {
    const auto top_up = start();
    const auto path = "/api/v1/payments/sandbox/" + top_up.id.to_string();
    const auto session = world_.sign_in(ada_);
    const auto end = [&](std::optional<http::Session> who, const char* outcome, const std::string& where) {
        return world_.call(Method::post, where, {.session = who, .json = json::Object{{"outcome", outcome}}})
            .problem();
    };
    EXPECT_EQ(end(std::nullopt, "paid", path), "401 /problems/unauthenticated");
    EXPECT_EQ(end(session, "stolen", path), "400 /problems/invalid_field outcome");
    EXPECT_EQ(end(session, "paid", "/api/v1/payments/sandbox/x"), "404 /problems/not_found");
    EXPECT_EQ(end(world_.sign_in(bob_), "paid", path), "404 /problems/not_found");
    EXPECT_EQ(end(session, "paid", path), "200");
    EXPECT_EQ(end(session, "paid", path), "409 /problems/top_up_ended");
    EXPECT_EQ(send_signed(checkout("completed")), "404 /problems/not_found") << "no webhooks of Stripe's";
    EXPECT_EQ(wallet(), cents(1'000));
}

}  // namespace
}  // namespace spaktok::payments
