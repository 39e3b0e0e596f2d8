#include "features/chat/chat_routes.h"

namespace spaktok::chat {

namespace asio = boost::asio;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

struct SendRequest {
    RoomId room_id;
    Uuid client_id;
    std::string content;
    std::optional<ObjectId> reply_to;
};
BOOST_DESCRIBE_STRUCT(SendRequest, (), (room_id, client_id, content, reply_to))

asio::awaitable<Response> list_room_messages(Service& service, Request& request) {
    const auto page =
        co_await service.history(request.path_id<RoomId>("room_id"),
                                 paging::limit_of(request, history_limit_default), request.query("cursor"));
    co_return Response::of(page);
}

asio::awaitable<Response> delete_message(Service& service, Request& request) {
    co_await service.remove(request.user(), request.path_id<RoomId>("room_id"),
                            request.path_id<ObjectId>("message_id"));
    co_return Response::no_content();
}

asio::awaitable<json::Value> send(Service& service, gateway::Caller caller, json::Object body) {
    auto given = json::from_value<SendRequest>(body);
    const auto message = co_await service.send(caller.user(), {.room_id = given.room_id,
                                                               .client_id = given.client_id,
                                                               .content = std::move(given.content),
                                                               .reply_to = given.reply_to});
    co_return json::Object{{"message", json::to_value(message)}};
}

// Anyone may listen in a stream's room.
asio::awaitable<json::Value> authorize_room(rooms::Service& rooms, std::string rest) {
    const auto id = RoomId::parse(rest);
    if (!id) throw Error(ErrorCode::not_found, "There is no such room.");
    const auto room = co_await rooms.find(*id);
    if (room.kind != rooms::Kind::stream)
        throw Error(ErrorCode::forbidden, "You are not a member of this room.");
    co_return json::Object{{"host_id", json::to_value(room.owner_id)}};
}

}  // namespace

void add_routes(http::Router& router, Service& service) {
    router.add(Method::get, "/api/v1/rooms/{room_id}/messages", {.operation_id = "list_room_messages"},
               [&service](Request& request) { return list_room_messages(service, request); });
    router.add(Method::delete_, "/api/v1/rooms/{room_id}/messages/{message_id}",
               {.operation_id = "delete_message", .access = Access::signed_in, .rate = http::write_limit},
               [&service](Request& request) { return delete_message(service, request); });
}

void add_realtime(gateway::Gateway& gateway, Service& service, rooms::Service& rooms) {
    gateway.add_request("chat.send", [&service](gateway::Caller caller, json::Object body) {
        return send(service, std::move(caller), std::move(body));
    });
    gateway.add_topic({.prefix = "room", .authorize = [&rooms](gateway::Caller, std::string rest) {
                           return authorize_room(rooms, std::move(rest));
                       }});
}

}  // namespace spaktok::chat
