#include "features/payments/stripe.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <sodium.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"

namespace spaktok::payments {

namespace asio = boost::asio;
using Kind = PaymentEvent::Kind;
using Digest = std::array<std::uint8_t, crypto_auth_hmacsha256_BYTES>;

namespace {

// The shape of what is sent and read here; Stripe keeps each version as it was.
constexpr std::string_view api_version = "2024-06-20";

Digest digest_of(std::string_view time, std::string_view body, std::string_view secret) {
    const auto bytes = [](std::string_view text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    };
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, bytes(secret), secret.size());
    crypto_auth_hmacsha256_update(&state, bytes(time), time.size());
    crypto_auth_hmacsha256_update(&state, bytes("."), 1);
    crypto_auth_hmacsha256_update(&state, bytes(body), body.size());
    Digest digest{};
    crypto_auth_hmacsha256_final(&state, digest.data());
    return digest;
}

struct Signature {
    std::string_view time;
    std::vector<std::string_view> digests;  // v1
};

Signature signature_of(std::string_view header) {
    Signature signature;
    while (!header.empty()) {
        const auto comma = header.find(',');
        const auto item = header.substr(0, comma);
        if (item.starts_with("t=")) signature.time = item.substr(2);
        if (item.starts_with("v1=")) signature.digests.push_back(item.substr(3));
        header = comma == std::string_view::npos ? std::string_view{} : header.substr(comma + 1);
    }
    return signature;
}

bool is_digest(std::string_view text, const Digest& expected) {
    Digest given{};
    if (text.size() != 2 * given.size()) return false;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const auto byte = hex::decode_byte(text[2 * i], text[2 * i + 1]);
        if (!byte) return false;
        given[i] = *byte;
    }
    return sodium_memcmp(given.data(), expected.data(), given.size()) == 0;
}

std::optional<std::int64_t> seconds_of(std::string_view text) {
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    constexpr std::int64_t seconds_max = 100'000'000'000;
    if (error != std::errc{} || end != text.data() + text.size() || seconds < 0 || seconds > seconds_max)
        return std::nullopt;
    return seconds;
}

[[noreturn]] void refuse(const char* message, const char* reason) {
    throw Error(ErrorCode::invalid_argument, message, {.field = "Stripe-Signature", .reason = reason});
}

// Their minor units, for reasons of their own, are hundredths here though the currency has none.
bool is_written_in_hundredths(std::string_view currency) {
    return currency == "ISK" || currency == "UGX";
}
std::int64_t to_stripe(std::int64_t minor, std::string_view currency) {
    return is_written_in_hundredths(currency) ? minor * 100 : minor;
}
std::int64_t from_stripe(std::int64_t minor, std::string_view currency) {
    return is_written_in_hundredths(currency) ? minor / 100 : minor;
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return text;
}
std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
    return text;
}

// Members that are missing, null or of another type are empty: what is needed is checked where it is used.
std::string text_of(const json::Object& object, std::string_view member) {
    const auto* found = object.if_contains(member);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string{};
}
std::int64_t number_of(const json::Object& object, std::string_view member) {
    const auto* found = object.if_contains(member);
    return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}
std::optional<TransactionId> top_up_of(const json::Object& object) {
    const auto* metadata = object.if_contains("metadata");
    if (metadata == nullptr || !metadata->is_object()) return std::nullopt;
    return TransactionId::parse(text_of(metadata->get_object(), "top_up_id"));
}

PaymentEvent checkout_event(Kind kind, const json::Object& session) {
    PaymentEvent event{.kind = kind,
                       .provider_ref = text_of(session, "id"),
                       .payment_ref = text_of(session, "payment_intent"),
                       .top_up = top_up_of(session),
                       .currency = upper(text_of(session, "currency"))};
    event.paid_minor = from_stripe(number_of(session, "amount_total"), event.currency);
    return event;
}

PaymentEvent refund_event(const json::Object& charge) {
    PaymentEvent event{.kind = Kind::refunded,
                       .payment_ref = text_of(charge, "payment_intent"),
                       .top_up = top_up_of(charge),
                       .currency = upper(text_of(charge, "currency"))};
    event.paid_minor = from_stripe(number_of(charge, "amount"), event.currency);
    event.refunded_minor = from_stripe(number_of(charge, "amount_refunded"), event.currency);
    return event;
}

PaymentEvent dispute_event(Kind kind, const json::Object& dispute) {
    return {.kind = kind,
            .payment_ref = text_of(dispute, "payment_intent"),
            .dispute_ref = text_of(dispute, "id")};
}

}  // namespace

void check_stripe_signature(const Webhook& webhook, std::string_view secret, Timestamp now) {
    const auto signature = signature_of(webhook.signature);
    const auto seconds = seconds_of(signature.time);
    const auto expected = digest_of(signature.time, webhook.body, secret);
    bool is_right = false;
    for (const auto text : signature.digests)
        is_right = is_digest(text, expected) || is_right;
    if (!seconds || !is_right) refuse("The signature is not right.", "invalid_signature");
    const auto age =
        std::chrono::floor<std::chrono::seconds>(now) - Timestamp(std::chrono::seconds(*seconds));
    if (std::chrono::abs(age) > stripe_tolerance)
        refuse("The signature is too old, or from the future.", "stale_signature");
}

std::string stripe_signature(std::string_view body, std::string_view secret, Timestamp at) {
    const auto time = std::to_string(std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
    return fmt::format("t={},v1={}", time, hex::encode(digest_of(time, body, secret)));
}

PaymentEvent parse_stripe_event(std::string_view body) {
    const auto event = json::from_value<json::Object>(json::parse(body));
    const auto type = text_of(event, "type");
    const auto* data = event.if_contains("data");
    const auto* inner =
        data != nullptr && data->is_object() ? data->get_object().if_contains("object") : nullptr;
    if (inner == nullptr || !inner->is_object()) return {};
    const auto& object = inner->get_object();
    if (type == "checkout.session.completed") {
        // Some ways of paying take days; their end is told by async_payment_….
        const bool is_paid = text_of(object, "payment_status") == "paid";
        return checkout_event(is_paid ? Kind::paid : Kind::unknown, object);
    }
    if (type == "checkout.session.async_payment_succeeded") return checkout_event(Kind::paid, object);
    if (type == "checkout.session.async_payment_failed" || type == "checkout.session.expired")
        return checkout_event(Kind::failed, object);
    if (type == "charge.refunded") return refund_event(object);
    if (type == "charge.dispute.created") return dispute_event(Kind::dispute_opened, object);
    if (type == "charge.dispute.closed")
        return dispute_event(text_of(object, "status") == "lost" ? Kind::dispute_lost : Kind::dispute_won,
                             object);
    return {};
}

PaymentEvent Stripe::parse(const Webhook& webhook, Timestamp now) const {
    check_stripe_signature(webhook, options_.webhook_secret, now);
    return parse_stripe_event(webhook.body);
}

std::string Stripe::form(const CheckoutRequest& request) const {
    const auto id = request.top_up.to_string();
    const auto back = fmt::format("{}/wallet?top_up={}", options_.public_url, id);
    return form_of({
        {"mode", "payment"},
        {"client_reference_id", id},
        {"success_url", back},
        {"cancel_url", back},
        {"line_items[0][quantity]", "1"},
        {"line_items[0][price_data][currency]", lower(request.currency)},
        {"line_items[0][price_data][unit_amount]",
         std::to_string(to_stripe(request.paid_minor, request.currency))},
        {"line_items[0][price_data][product_data][name]",
         fmt::format("{}: {} USD", options_.place, request.amount.to_string())},
        {"metadata[top_up_id]", id},
        {"payment_intent_data[metadata][top_up_id]", id},
    });
}

asio::awaitable<Checkout> Stripe::start(CheckoutRequest request) {
    WebRequest sent{.method = "POST",
                    .url = options_.url + "/v1/checkout/sessions",
                    .headers = {{"Authorization", "Bearer " + options_.secret_key},
                                {"Content-Type", "application/x-www-form-urlencoded"},
                                {"Stripe-Version", std::string(api_version)},
                                {"Idempotency-Key", request.top_up.to_string()}},
                    .body = form(request)};
    const auto answer = co_await options_.web.send(std::move(sent));
    const auto unavailable = [](std::string detail) {
        return Error(ErrorCode::unavailable, "Payments are not available at the moment.",
                     {.reason = "payment_provider_unavailable", .detail = std::move(detail)});
    };
    constexpr std::size_t shown_max = 500;
    if (answer.status != 200)
        throw unavailable(
            fmt::format("Stripe answered {}: {}", answer.status, answer.body.substr(0, shown_max)));
    Checkout checkout;
    try {
        const auto session = json::from_value<json::Object>(json::parse(answer.body));
        checkout = {.provider_ref = text_of(session, "id"), .url = text_of(session, "url")};
    } catch (const Error& error) {
        throw unavailable("Stripe's answer: " + error.message());
    }
    const bool is_web = checkout.url.starts_with("https://") || checkout.url.starts_with("http://");
    if (checkout.provider_ref.empty() || !is_web) throw unavailable("Stripe's answer has no id or no url");
    co_return checkout;
}

}  // namespace spaktok::payments
