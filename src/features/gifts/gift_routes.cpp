#include "features/gifts/gift_routes.h"

#include "features/accounts/administrator.h"
#include "features/paging/page.h"

namespace spaktok::gifts {

namespace asio = boost::asio;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

// Thirty at once, then two a second: a combo is a row of clicks, and faster than that nobody means it.
constexpr http::RateLimit gift_limit{.name = "gift", .per_minute = 120, .burst = 30, .shared = true};

struct SendGiftRequest {
    GiftId gift_id;
};
BOOST_DESCRIBE_STRUCT(SendGiftRequest, (), (gift_id))

struct SentGift {
    TransactionId transaction_id;
    Gift gift;
    Money balance;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(SentGift, (), (transaction_id, gift, balance, created_at))

struct AddGiftRequest {
    std::string name;
    Money price;
    std::string image_url;
    std::optional<std::string> animation;
    std::optional<std::int64_t> sort_order;
};
BOOST_DESCRIBE_STRUCT(AddGiftRequest, (), (name, price, image_url, animation, sort_order))

struct UpdateGiftRequest {
    bool is_active = true;
};
BOOST_DESCRIBE_STRUCT(UpdateGiftRequest, (), (is_active))

asio::awaitable<bool> is_administrator(accounts::Service& accounts, const Request& request) {
    if (!request.session) co_return false;
    co_return co_await accounts.role(request.session->user_id) == accounts::Role::admin;
}

asio::awaitable<Response> list_gifts(Service& service, accounts::Service& accounts, Request& request) {
    paging::Page<Gift> page{.items = co_await service.catalogue(), .next_cursor = std::nullopt};
    if (!co_await is_administrator(accounts, request))
        std::erase_if(page.items, [](const Gift& gift) { return !gift.is_active; });
    co_return Response::of(page);
}

asio::awaitable<Response> get_gift(Service& service, Request& request) {
    co_return Response::of(co_await service.find(request.path_id<GiftId>("gift_id")));
}

asio::awaitable<Response> send_gift(Service& service, Request& request) {
    const UserId sender = request.user();
    const auto stream = request.path_id<StreamId>("stream_id");
    // Of what no key names, nothing else is looked at.
    auto key = idempotency::make_key(sender, request.headers.get("Idempotency-Key"),
                                     request.path + "\n" + request.body);
    const auto gift = request.json<SendGiftRequest>().gift_id;
    const auto sent =
        co_await service.send({.sender = sender, .stream = stream, .gift = gift, .key = std::move(key)});
    co_return Response::of(SentGift{.transaction_id = sent.transaction_id,
                                    .gift = sent.gift,
                                    .balance = sent.balance,
                                    .created_at = sent.created_at},
                           201);
}

asio::awaitable<Response> add_gift(Service& service, accounts::Service& accounts, Request& request) {
    co_await accounts::administrator(accounts, request);
    auto body = request.json<AddGiftRequest>();
    const auto gift = co_await service.add({.name = std::move(body.name),
                                            .price = body.price,
                                            .image_url = std::move(body.image_url),
                                            .animation = std::move(body.animation),
                                            .sort_order = body.sort_order.value_or(0)});
    auto response = Response::of(gift, 201);
    response.headers.set("Location", "/api/v1/gifts/" + gift.id.to_string());
    co_return response;
}

asio::awaitable<Response> update_gift(Service& service, accounts::Service& accounts, Request& request) {
    co_await accounts::administrator(accounts, request);
    const auto gift = request.path_id<GiftId>("gift_id");
    co_await service.set_active(gift, request.json<UpdateGiftRequest>().is_active);
    co_return Response::of(co_await service.find(gift));
}

}  // namespace

void add_routes(http::Router& router, Service& service, accounts::Service& accounts) {
    const auto bind = [&service, &accounts](auto handler) {
        return
            [&service, &accounts, handler](Request& request) { return handler(service, accounts, request); };
    };
    router.add(Method::get, "/api/v1/gifts", {.operation_id = "list_gifts"}, bind(list_gifts));
    router.add(Method::post, "/api/v1/gifts",
               {.operation_id = "add_gift", .access = Access::signed_in, .rate = http::write_limit},
               bind(add_gift));
    router.add(Method::get, "/api/v1/gifts/{gift_id}", {.operation_id = "get_gift"},
               [&service](Request& request) { return get_gift(service, request); });
    router.add(Method::patch, "/api/v1/gifts/{gift_id}",
               {.operation_id = "update_gift", .access = Access::signed_in, .rate = http::write_limit},
               bind(update_gift));
    router.add(Method::post, "/api/v1/streams/{stream_id}/gifts",
               {.operation_id = "send_gift", .access = Access::signed_in, .rate = gift_limit},
               [&service](Request& request) { return send_gift(service, request); });
}

}  // namespace spaktok::gifts
