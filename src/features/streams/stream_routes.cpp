#include "features/streams/stream_routes.h"

namespace spaktok::streams {

namespace asio = boost::asio;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

struct CreateStreamRequest {
    std::string title;
    std::optional<std::string> description;
    std::optional<Timestamp> scheduled_for;
};
BOOST_DESCRIBE_STRUCT(CreateStreamRequest, (), (title, description, scheduled_for))

struct MyStream {
    std::optional<StreamAnswer> stream;
};
BOOST_DESCRIBE_STRUCT(MyStream, (), (stream))

struct StreamKeyState {
    bool exists = false;
    std::optional<Timestamp> last_used_at;
    std::string rtmp_url;
};
BOOST_DESCRIBE_STRUCT(StreamKeyState, (), (exists, last_used_at, rtmp_url))

struct StreamKeyAnswer {
    std::string key;
    std::string rtmp_url;
};
BOOST_DESCRIBE_STRUCT(StreamKeyAnswer, (), (key, rtmp_url))

std::optional<UserId> viewer_of(const Request& request) {
    return request.session ? std::optional(request.session->user_id) : std::nullopt;
}

// A PATCH tells what is absent (stays) from what is null (cleared), so it is read by hand.
StreamChange change_of(const json::Value& body) {
    const auto object = json::from_value<json::Object>(body);
    StreamChange change;
    if (const auto* title = object.if_contains("title"))
        change.title = json::from_value<std::string>(*title, "title");
    if (const auto* description = object.if_contains("description")) {
        change.description =
            json::from_value<std::optional<std::string>>(*description, "description").value_or("");
    }
    if (const auto* at = object.if_contains("scheduled_for")) {
        change.scheduled_for = json::from_value<std::optional<Timestamp>>(*at, "scheduled_for");
    }
    return change;
}

Service::PageRequest page_of(const Request& request) {
    return {.limit = paging::limit_of(request), .cursor = request.query("cursor")};
}

bool boolean_query(const Request& request, std::string_view name) {
    const auto value = request.query(name).value_or("false");
    if (value != "true" && value != "false") {
        throw Error(ErrorCode::invalid_argument, "This must be true or false.",
                    {.field = std::string(name), .reason = "invalid_field"});
    }
    return value == "true";
}

Status status_query(const Request& request) {
    return json::from_value<Status>(json::Value(request.query("status").value_or("live")), "status");
}

asio::awaitable<Response> page_answer(Service& service, paging::Page<Stream> page,
                                      std::optional<UserId> viewer) {
    paging::Page<StreamAnswer> answered{.items = co_await service.answers(std::move(page.items), viewer),
                                        .next_cursor = std::move(page.next_cursor)};
    co_return Response::of(answered);
}

asio::awaitable<Response> list_streams(Service& service, Request& request) {
    auto page = page_of(request);
    if (boolean_query(request, "following")) page.followed_by = request.user();
    co_return co_await page_answer(service, co_await service.list(status_query(request), std::move(page)),
                                   viewer_of(request));
}

asio::awaitable<Response> list_user_streams(Service& service, accounts::Service& accounts, Request& request) {
    const UserId user = co_await accounts.find_by_username(request.path_param("username"));
    co_return co_await page_answer(service, co_await service.list_of(user, page_of(request)),
                                   viewer_of(request));
}

asio::awaitable<Response> create_stream(Service& service, Request& request) {
    auto body = request.json<CreateStreamRequest>();
    const auto stream = co_await service.create(request.user(), {.title = std::move(body.title),
                                                                 .description = body.description.value_or(""),
                                                                 .scheduled_for = body.scheduled_for});
    auto response = Response::of(co_await service.answer(stream, request.user()), 201);
    response.headers.set("Location", "/api/v1/streams/" + stream.id.to_string());
    co_return response;
}

asio::awaitable<Response> get_stream(Service& service, Request& request) {
    const auto stream = co_await service.recent(request.path_id<StreamId>("stream_id"));
    co_return Response::of(co_await service.answer(stream, viewer_of(request)));
}

asio::awaitable<Response> update_stream(Service& service, Request& request) {
    const auto stream = co_await service.update(request.user(), request.path_id<StreamId>("stream_id"),
                                                change_of(request.json_value()));
    co_return Response::of(co_await service.answer(stream, request.user()));
}

asio::awaitable<Response> delete_stream(Service& service, Request& request) {
    co_await service.remove(request.user(), request.path_id<StreamId>("stream_id"));
    co_return Response::no_content();
}

asio::awaitable<Response> end_stream(Service& service, Request& request) {
    const auto stream = co_await service.end(request.user(), request.path_id<StreamId>("stream_id"));
    co_return Response::of(co_await service.answer(stream, request.user()));
}

asio::awaitable<Response> get_my_stream(Service& service, Request& request) {
    MyStream answer;
    if (const auto stream = co_await service.current(request.user())) {
        answer.stream = co_await service.answer(*stream, request.user());
    }
    co_return Response::of(answer);
}

asio::awaitable<Response> get_stream_key(Service& service, std::string rtmp_url, Request& request) {
    const auto key = co_await service.key(request.user());
    co_return Response::of(StreamKeyState{.exists = key.has_value(),
                                          .last_used_at = key ? key->last_used_at : std::nullopt,
                                          .rtmp_url = std::move(rtmp_url)});
}

asio::awaitable<Response> create_stream_key(Service& service, std::string rtmp_url, Request& request) {
    auto response = Response::of(
        StreamKeyAnswer{.key = co_await service.rotate_key(request.user()), .rtmp_url = std::move(rtmp_url)},
        201);
    response.headers.set("Cache-Control", "no-store");  // a secret
    co_return response;
}

asio::awaitable<Response> delete_stream_key(Service& service, Request& request) {
    co_await service.delete_key(request.user());
    co_return Response::no_content();
}

http::RouteOptions reads(std::string_view operation_id) {
    return {.operation_id = operation_id, .access = Access::signed_in};
}
http::RouteOptions writes(std::string_view operation_id) {
    return {.operation_id = operation_id, .access = Access::signed_in, .rate = http::write_limit};
}

}  // namespace

void add_routes(http::Router& router, Service& service, accounts::Service& accounts, std::string rtmp_url) {
    const auto bind = [&service](auto handler) {
        return [&service, handler](Request& request) { return handler(service, request); };
    };
    const auto bind_key = [&service, rtmp_url](auto handler) {
        return
            [&service, rtmp_url, handler](Request& request) { return handler(service, rtmp_url, request); };
    };
    router.add(Method::get, "/api/v1/streams", {.operation_id = "list_streams"}, bind(list_streams));
    router.add(
        Method::get, "/api/v1/users/{username}/streams", {.operation_id = "list_user_streams"},
        [&service, &accounts](Request& request) { return list_user_streams(service, accounts, request); });
    router.add(Method::post, "/api/v1/streams", writes("create_stream"), bind(create_stream));
    router.add(Method::get, "/api/v1/streams/{stream_id}", {.operation_id = "get_stream"}, bind(get_stream));
    router.add(Method::patch, "/api/v1/streams/{stream_id}", writes("update_stream"), bind(update_stream));
    router.add(Method::delete_, "/api/v1/streams/{stream_id}", writes("delete_stream"), bind(delete_stream));
    router.add(Method::post, "/api/v1/streams/{stream_id}/end", writes("end_stream"), bind(end_stream));
    router.add(Method::get, "/api/v1/users/me/stream", reads("get_my_stream"), bind(get_my_stream));
    router.add(Method::get, "/api/v1/users/me/stream_key", reads("get_stream_key"), bind_key(get_stream_key));
    router.add(Method::post, "/api/v1/users/me/stream_key", writes("create_stream_key"),
               bind_key(create_stream_key));
    router.add(Method::delete_, "/api/v1/users/me/stream_key", writes("delete_stream_key"),
               bind(delete_stream_key));
}

}  // namespace spaktok::streams
