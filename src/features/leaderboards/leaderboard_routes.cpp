#include "features/leaderboards/leaderboard_routes.h"

#include "features/paging/page.h"

namespace spaktok::leaderboards {

namespace asio = boost::asio;
using http::Method;
using http::Request;
using http::Response;

namespace {

constexpr std::int64_t limit_default = 10;

Side side_of(const Request& request) {
    const auto& name = request.path_param("side");
    if (name == "senders") return Side::senders;
    if (name == "streamers") return Side::streamers;
    throw Error(ErrorCode::not_found, "There is no such leaderboard.");
}

Period period_of(const Request& request) {
    return json::from_value<Period>(json::Value(request.query("period").value_or("all")), "period");
}

std::int64_t limit_of(const Request& request) {
    return request.query_integer("limit", limit_default, 1, places_max);
}

Response answer(std::vector<Place> places) {
    return Response::of(paging::Page<Place>{.items = std::move(places), .next_cursor = std::nullopt});
}

asio::awaitable<Response> get_leaderboard(Service& service, Request& request) {
    const auto side = side_of(request);
    const auto period = period_of(request);
    co_return answer(co_await service.top(side, period, limit_of(request)));
}

asio::awaitable<Response> get_stream_leaderboard(Service& service, Request& request) {
    const auto stream = request.path_id<StreamId>("stream_id");
    co_return answer(co_await service.top_of_stream(stream, limit_of(request)));
}

}  // namespace

void add_routes(http::Router& router, Service& service) {
    router.add(Method::get, "/api/v1/leaderboards/{side}", {.operation_id = "get_leaderboard"},
               [&service](Request& request) { return get_leaderboard(service, request); });
    router.add(Method::get, "/api/v1/streams/{stream_id}/leaderboard",
               {.operation_id = "get_stream_leaderboard"},
               [&service](Request& request) { return get_stream_leaderboard(service, request); });
}

}  // namespace spaktok::leaderboards
