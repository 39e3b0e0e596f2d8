#include "features/graph/graph_routes.h"

#include <utility>

namespace spaktok::graph {

namespace asio = boost::asio;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

struct Profile {
    UserId id;
    std::string username;
    std::string display_name;
    std::string bio;
    std::optional<std::string> profile_picture_url;
    std::optional<std::string> country;
    std::optional<std::string> language;
    std::vector<std::string> skills;
    std::int64_t points = 0;
    accounts::Role role = accounts::Role::user;
    Timestamp created_at{};
    bool is_streamer = false;
    std::int64_t followers_count = 0;
    std::int64_t following_count = 0;
    std::optional<bool> is_following;
    json::Value live_stream;
};
BOOST_DESCRIBE_STRUCT(Profile, (),
                      (id, username, display_name, bio, profile_picture_url, country, language, skills,
                       points, role, created_at, is_streamer, followers_count, following_count, is_following,
                       live_stream))

struct FollowItem {
    UserId id;
    std::string username;
    std::string display_name;
    std::optional<std::string> profile_picture_url;
    bool is_live = false;
    std::optional<bool> is_following;
};
BOOST_DESCRIBE_STRUCT(FollowItem, (),
                      (id, username, display_name, profile_picture_url, is_live, is_following))

std::optional<UserId> viewer_of(const Request& request) {
    if (!request.session) return std::nullopt;
    return request.session->user_id;
}

Profile profile_of(accounts::Account account, FollowCounts counts) {
    return {.id = account.id,
            .username = std::move(account.username),
            .display_name = std::move(account.display_name),
            .bio = std::move(account.bio),
            .profile_picture_url = std::move(account.profile_picture_url),
            .country = std::move(account.country),
            .language = std::move(account.language),
            .skills = std::move(account.skills),
            .points = account.points,
            .role = account.role,
            .created_at = account.created_at,
            .is_streamer = account.is_streamer,
            .followers_count = counts.followers,
            .following_count = counts.following,
            .is_following = std::nullopt,
            .live_stream = nullptr};
}

// Everything that the routes below need; outlived by what it refers to.
struct Parts {
    Service& graph;
    accounts::Service& accounts;
    LiveLookup live;
};
using SharedParts = std::shared_ptr<const Parts>;

asio::awaitable<Response> get_profile(SharedParts parts, std::string username, std::optional<UserId> viewer) {
    auto account = co_await parts->accounts.account_by_username(std::move(username));
    const auto counts = co_await parts->graph.counts(account.id);
    auto profile = profile_of(std::move(account), counts);
    if (viewer) profile.is_following = co_await parts->graph.is_following(*viewer, profile.id);
    profile.live_stream = co_await parts->live.live_stream(profile.id, viewer);
    co_return Response::of(profile);
}

asio::awaitable<paging::Page<FollowItem>> dressed(SharedParts parts, paging::Page<Follow> page,
                                                  std::optional<UserId> viewer) {
    std::vector<UserId> ids;
    for (const auto& follow : page.items)
        ids.push_back(follow.user_id);
    const auto summaries = co_await parts->accounts.summaries(ids);
    const auto live = co_await parts->live.live_among(ids);
    std::unordered_set<UserId> followed;
    if (viewer) followed = co_await parts->graph.followed_among(*viewer, ids);
    paging::Page<FollowItem> result{.items = {}, .next_cursor = std::move(page.next_cursor)};
    for (const auto& id : ids) {
        const auto found = summaries.find(id);
        if (found == summaries.end()) continue;
        const auto& summary = found->second;
        FollowItem item{.id = id,
                        .username = summary.username,
                        .display_name = summary.display_name,
                        .profile_picture_url = summary.profile_picture_url,
                        .is_live = live.contains(id)};
        if (viewer) item.is_following = followed.contains(id);
        result.items.push_back(std::move(item));
    }
    co_return result;
}

using List = asio::awaitable<paging::Page<Follow>> (Service::*)(UserId, Service::PageRequest);

void add_list(http::Router& router, SharedParts parts, std::string_view operation, std::string path,
              List list) {
    router.add(Method::get, std::move(path), {.operation_id = operation},
               [parts, list](Request& request) -> asio::awaitable<Response> {
                   Service::PageRequest wanted{.limit = paging::limit_of(request),
                                               .cursor = request.query("cursor")};
                   const auto user =
                       co_await parts->accounts.find_by_username(request.path_param("username"));
                   auto page = co_await (parts->graph.*list)(user, std::move(wanted));
                   const auto answer = co_await dressed(parts, std::move(page), viewer_of(request));
                   co_return Response::of(answer);
               });
}

}  // namespace

void add_routes(http::Router& router, Service& service, accounts::Service& accounts, LiveLookup live) {
    const auto parts = std::make_shared<const Parts>(Parts{service, accounts, std::move(live)});
    router.add(Method::get, "/api/v1/users/{username}", {.operation_id = "get_profile"},
               [parts](Request& request) -> asio::awaitable<Response> {
                   co_return co_await get_profile(parts, request.path_param("username"), viewer_of(request));
               });
    router.add(Method::put, "/api/v1/users/{username}/follow",
               {.operation_id = "follow", .access = Access::signed_in, .rate = http::write_limit},
               [parts](Request& request) -> asio::awaitable<Response> {
                   co_await parts->graph.follow(request.user(), request.path_param("username"));
                   co_return Response::no_content();
               });
    router.add(Method::delete_, "/api/v1/users/{username}/follow",
               {.operation_id = "unfollow", .access = Access::signed_in, .rate = http::write_limit},
               [parts](Request& request) -> asio::awaitable<Response> {
                   co_await parts->graph.unfollow(request.user(), request.path_param("username"));
                   co_return Response::no_content();
               });
    add_list(router, parts, "list_followers", "/api/v1/users/{username}/followers", &Service::followers);
    add_list(router, parts, "list_following", "/api/v1/users/{username}/following", &Service::following);
}

}  // namespace spaktok::graph
