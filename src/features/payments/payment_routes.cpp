#include "features/payments/payment_routes.h"

#include "features/payments/stripe.h"

namespace spaktok::payments {

namespace asio = boost::asio;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

// Of a provider's few addresses.
constexpr http::RateLimit webhook_limit{"webhook", 6'000, 1'000};

struct SandboxRequest {
    SandboxOutcome outcome = SandboxOutcome::failed;
};
BOOST_DESCRIBE_STRUCT(SandboxRequest, (), (outcome))

asio::awaitable<Response> receive_stripe(Service& service, Request& request) {
    const auto signature = request.headers.get("Stripe-Signature");
    co_await service.receive(std::string(stripe_name), std::string(signature.value_or("")), request.body);
    co_return Response::of(json::Object{{"received", true}});
}

asio::awaitable<Response> end_sandbox(Service& service, Request& request) {
    const auto body = request.json<SandboxRequest>();
    const auto id = request.path_id<TransactionId>("top_up_id");
    co_return Response::of(co_await service.end_sandbox(request.user(), id, body.outcome));
}

}  // namespace

void add_routes(http::Router& router, Service& service) {
    router.add(Method::post, "/api/v1/payments/stripe/webhook",
               {.operation_id = "receive_stripe_webhook",
                .rate = webhook_limit,
                .body_bytes_max = stripe_webhook_bytes_max},
               [&service](Request& request) { return receive_stripe(service, request); });
    router.add(
        Method::post, "/api/v1/payments/sandbox/{top_up_id}",
        {.operation_id = "end_sandbox_checkout", .access = Access::signed_in, .rate = http::write_limit},
        [&service](Request& request) { return end_sandbox(service, request); });
}

}  // namespace spaktok::payments
