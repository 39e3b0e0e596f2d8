#include "features/payments/stripe.h"

#include <mutex>

#include <boost/url/params_view.hpp>
#include <boost/url/parse_query.hpp>
#include <gmock/gmock.h>

#include "features/testing/world.h"
#include "http/test_server.h"

namespace spaktok::payments {
namespace {

using features_testing::failure_of;
using features_testing::run;
using Kind = PaymentEvent::Kind;

const Timestamp now = *parse_rfc3339("2026-01-31T08:00:00Z");
const std::string secret = "whsec_test";
const std::string body = R"({"id":"evt_1","type":"ping"})";
const TransactionId top_up = *TransactionId::parse("019a5b0c-7e1f-7000-8000-000000000001");

// ---- signatures
std::string verdict(const std::string& header, const std::string& text = body) {
    return failure_of([&] { check_stripe_signature({.signature = header, .body = text}, secret, now); });
}
const std::string wrong = "invalid_argument invalid_signature Stripe-Signature";
const std::string stale = "invalid_argument stale_signature Stripe-Signature";

TEST(StripeSignature, IsTheHmacOfTheTimeAndTheBody) {
    // By OpenSSL: printf '1769846400.{"id":"evt_1","type":"ping"}' | openssl dgst -sha256 -hmac whsec_test
    EXPECT_EQ(stripe_signature(body, secret, now),
              "t=1769846400,v1=6957948f82a0914536a315166e868b87319bffd1fd2252d92b66df24a472de7e");
    EXPECT_EQ(verdict(stripe_signature(body, secret, now)), "");
}

TEST(StripeSignature, IsRefusedWhereItIsMissingOrWrong) {
    const auto right = stripe_signature(body, secret, now);
    const auto digest = right.substr(right.find("v1=") + 3);
    const std::string time = right.substr(0, right.find(','));
    EXPECT_EQ(verdict(""), wrong);
    EXPECT_EQ(verdict("nonsense"), wrong);
    EXPECT_EQ(verdict(time), wrong);
    EXPECT_EQ(verdict("v1=" + digest), wrong);
    EXPECT_EQ(verdict("t=,v1=" + digest), wrong);
    EXPECT_EQ(verdict("t=x,v1=" + digest), wrong);
    EXPECT_EQ(verdict(time + ",v0=" + digest), wrong) << "an old scheme";
    EXPECT_EQ(verdict(time + ",v1=" + digest.substr(2)), wrong);
    EXPECT_EQ(verdict(time + ",v1=" + digest + "00"), wrong);
    EXPECT_EQ(verdict(time + ",v1=" + std::string(64, 'z')), wrong);
    EXPECT_EQ(verdict("t=1769846401,v1=" + digest), wrong) << "another time";
    EXPECT_EQ(verdict(right, body + " "), wrong) << "another body";
    EXPECT_EQ(verdict(stripe_signature(body, "whsec_other", now)), wrong);
    // While a secret is being exchanged there are two.
    EXPECT_EQ(verdict(time + ",v1=" + std::string(64, '0') + ",v1=" + digest + ",v0=ab"), "");
}

TEST(StripeSignature, IsGoodForFiveMinutes) {
    using std::chrono::seconds;
    EXPECT_EQ(verdict(stripe_signature(body, secret, now - seconds(300))), "");
    EXPECT_EQ(verdict(stripe_signature(body, secret, now - seconds(301))), stale);
    EXPECT_EQ(verdict(stripe_signature(body, secret, now + seconds(300))), "");
    EXPECT_EQ(verdict(stripe_signature(body, secret, now + seconds(301))), stale);
}

// ---- events
std::string event(const std::string& type, const std::string& object) {
    return R"({"id":"evt_1","object":"event","type":")" + type + R"(","data":{"object":)" + object + "}}";
}
const std::string session =
    R"({"id":"cs_1","object":"checkout.session","payment_intent":"pi_1","payment_status":"paid",)"
    R"("amount_total":1084,"currency":"eur","metadata":{"top_up_id":"019a5b0c-7e1f-7000-8000-000000000001"}})";

TEST(StripeEvents, TellWhatBecameOfACheckout) {
    const struct {
        const char* type;
        Kind kind;
    } cases[] = {{"checkout.session.completed", Kind::paid},
                 {"checkout.session.async_payment_succeeded", Kind::paid},
                 {"checkout.session.async_payment_failed", Kind::failed},
                 {"checkout.session.expired", Kind::failed}};
    for (const auto& each : cases) {
        const auto parsed = parse_stripe_event(event(each.type, session));
        EXPECT_EQ(parsed.kind, each.kind) << each.type;
        EXPECT_EQ(parsed.provider_ref, "cs_1");
        EXPECT_EQ(parsed.payment_ref, "pi_1");
        EXPECT_EQ(parsed.top_up, top_up);
        EXPECT_EQ(parsed.currency, "EUR");
        EXPECT_EQ(parsed.paid_minor, 1'084);
    }
}

TEST(StripeEvents, ACheckoutThatIsNotPaidYetSaysNothing) {
    const auto parsed = parse_stripe_event(event(
        "checkout.session.completed", R"({"id":"cs_1","payment_status":"unpaid","payment_intent":null})"));
    EXPECT_EQ(parsed.kind, Kind::unknown);
}

TEST(StripeEvents, TellOfRefundsAndDisputes) {
    const auto refund = parse_stripe_event(
        event("charge.refunded",
              R"({"id":"ch_1","payment_intent":"pi_1","amount":1513,"amount_refunded":500,"currency":"jpy",)"
              R"("metadata":{}})"));
    EXPECT_EQ(refund.kind, Kind::refunded);
    EXPECT_EQ(refund.payment_ref, "pi_1");
    EXPECT_EQ(refund.currency, "JPY");
    EXPECT_EQ(refund.paid_minor, 1'513);
    EXPECT_EQ(refund.refunded_minor, 500);
    EXPECT_FALSE(refund.top_up);
    const auto dispute = [](const char* type, const char* status) {
        return parse_stripe_event(
            event(type, R"({"id":"du_1","payment_intent":"pi_1","status":")" + std::string(status) + "\"}"));
    };
    EXPECT_EQ(dispute("charge.dispute.created", "needs_response").kind, Kind::dispute_opened);
    EXPECT_EQ(dispute("charge.dispute.closed", "lost").kind, Kind::dispute_lost);
    EXPECT_EQ(dispute("charge.dispute.closed", "won").kind, Kind::dispute_won);
    EXPECT_EQ(dispute("charge.dispute.closed", "warning_closed").kind, Kind::dispute_won);
    EXPECT_EQ(dispute("charge.dispute.closed", "lost").dispute_ref, "du_1");
    EXPECT_EQ(dispute("charge.dispute.closed", "lost").payment_ref, "pi_1");
}

TEST(StripeEvents, KronurAreWrittenInHundredths) {
    const auto parsed = parse_stripe_event(
        event("checkout.session.completed",
              R"({"id":"cs_1","payment_status":"paid","amount_total":138000,"currency":"isk"})"));
    EXPECT_EQ(parsed.paid_minor, 1'380);
}

TEST(StripeEvents, OfOtherTypesAndShapesSayNothing) {
    for (const auto& text :
         {event("customer.created", "{}"), event("charge.refund.updated", "{}"), std::string("{}"),
          std::string(R"({"type":"charge.refunded"})"),
          std::string(R"({"type":"charge.refunded","data":[]})"), event("checkout.session.completed", "[]"),
          event("checkout.session.completed", "null"), std::string(R"({"type":7,"data":{"object":{}}})")})
        EXPECT_EQ(parse_stripe_event(text).kind, Kind::unknown) << text;
    EXPECT_EQ(failure_of([] { parse_stripe_event("{"); }), "invalid_argument invalid_json");
    EXPECT_EQ(failure_of([] { parse_stripe_event("[]"); }), "invalid_argument invalid_field");
}

// ---- checkouts, at a server that answers as Stripe's documents say
class StripeCheckout : public testing::Test {
  protected:
    StripeCheckout() {
        server_.answer(http::Method::post, "/v1/checkout/sessions", [this](http::Request& request) {
            const std::scoped_lock lock(mutex_);
            asked_ = request;
            return http::Response::json_text(answer_, status_);
        });
        server_.start();
    }
    std::string header(std::string_view name) { return std::string(asked_.headers.get(name).value_or("")); }
    std::string field(std::string_view name) {
        const auto query = boost::urls::parse_query(asked_.body);
        if (!query) return "no form";
        for (const auto param : boost::urls::params_view(*query))
            if (param.key == name) return std::string(param.value);
        return "missing";
    }
    Checkout start(CheckoutRequest request) {
        Stripe stripe({.web = web_,
                       .url = "http://127.0.0.1:" + std::to_string(server_.port()),
                       .secret_key = "sk_test_1",
                       .webhook_secret = secret,
                       .public_url = "https://live.example.org",
                       .place = "Looms & Co"});
        return run(stripe.start(std::move(request)));
    }

    http::testing::TestServer server_;
    WebClient web_;
    std::mutex mutex_;
    http::Request asked_;
    std::string answer_ =
        R"({"id":"cs_test_1","object":"checkout.session","url":"https://checkout.example/c/1"})";
    unsigned status_ = 200;
};
const CheckoutRequest ten_dollars{
    .top_up = top_up, .amount = Money::from_minor(1'000), .currency = "EUR", .paid_minor = 922};

TEST_F(StripeCheckout, IsASessionWithOneLine) {
    const auto checkout = start(ten_dollars);
    EXPECT_EQ(checkout.provider_ref, "cs_test_1");
    EXPECT_EQ(checkout.url, "https://checkout.example/c/1");
    const std::scoped_lock lock(mutex_);
    EXPECT_EQ(header("Authorization"), "Bearer sk_test_1");
    EXPECT_EQ(header("Content-Type"), "application/x-www-form-urlencoded");
    EXPECT_EQ(header("Idempotency-Key"), top_up.to_string());
    EXPECT_EQ(header("Stripe-Version"), "2024-06-20");
    EXPECT_EQ(field("mode"), "payment");
    EXPECT_EQ(field("client_reference_id"), top_up.to_string());
    EXPECT_EQ(field("metadata[top_up_id]"), top_up.to_string());
    EXPECT_EQ(field("payment_intent_data[metadata][top_up_id]"), top_up.to_string());
    EXPECT_EQ(field("line_items[0][quantity]"), "1");
    EXPECT_EQ(field("line_items[0][price_data][currency]"), "eur");
    EXPECT_EQ(field("line_items[0][price_data][unit_amount]"), "922");
    EXPECT_EQ(field("line_items[0][price_data][product_data][name]"), "Looms & Co: 10.00 USD");
    EXPECT_EQ(field("success_url"), "https://live.example.org/wallet?top_up=" + top_up.to_string());
    EXPECT_EQ(field("cancel_url"), field("success_url"));
}

TEST_F(StripeCheckout, WritesYenAsTheyAreAndKronurInHundredths) {
    auto request = ten_dollars;
    request.currency = "JPY";
    request.paid_minor = 1'513;
    start(request);
    EXPECT_EQ(field("line_items[0][price_data][unit_amount]"), "1513");
    request.currency = "ISK";
    start(request);
    EXPECT_EQ(field("line_items[0][price_data][unit_amount]"), "151300");
}

TEST_F(StripeCheckout, IsUnavailableWhereStripeRefusesOrAnswersAnythingElse) {
    const auto refusal = [this] { return failure_of([&] { start(ten_dollars); }); };
    const std::string expected = "unavailable payment_provider_unavailable";
    status_ = 401;
    EXPECT_EQ(refusal(), expected);
    status_ = 200;
    for (const auto* text : {"", "[]", "{}", R"({"id":"cs_1"})", R"({"id":"cs_1","url":null})",
                             R"x({"id":"cs_1","url":"javascript:alert(1)"})x"}) {
        answer_ = text;
        EXPECT_EQ(refusal(), expected) << text;
    }
    answer_ = std::string(256 * 1024 + 1, ' ');
    EXPECT_EQ(refusal(), "unavailable") << "too large";
}

}  // namespace
}  // namespace spaktok::payments
