#include "features/graph/graph_service.h"

#include <utility>

#include "features/cache/expiring_cache.h"
#include "features/graph/graph_store.h"

namespace spaktok::graph {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds counts_life{10};
constexpr std::string_view followers_list = "followers";
constexpr std::string_view following_list = "following";

// One more than a page was asked for, to know whether there is another.
paging::Page<Follow> page_of(std::vector<Follow> follows, std::int64_t limit, std::string_view list) {
    paging::Page<Follow> page{.items = std::move(follows)};
    if (std::cmp_greater(page.items.size(), limit)) {
        page.items.resize(static_cast<std::size_t>(limit));
        const auto& last = page.items.back();
        page.next_cursor =
            paging::encode_cursor(list, paging::TimeAndId{.at = last.at, .id = last.user_id.value});
    }
    return page;
}

}  // namespace

struct Service::State {
    explicit State(Options given)
        : options(given),
          store(given.database),
          counts(given.clock, {.life = counts_life, .entries_max = 20'000}) {}

    void drop_counts(UserId follower, UserId following) {
        counts.drop(follower);
        counts.drop(following);
    }

    Options options;
    Store store;
    cache::ExpiringCache<UserId, FollowCounts> counts;
};

Service::Service(Options options) : state_(std::make_unique<State>(options)) {}
Service::~Service() = default;

asio::awaitable<void> Service::follow(UserId follower, std::string username) {
    const auto following = co_await state_->options.accounts.find_by_username(std::move(username));
    co_await follow_user(follower, following);
}

asio::awaitable<void> Service::follow_user(UserId follower, UserId following) {
    const auto now = state_->options.clock.now();
    events::Event event{.id = events::next_id(now, state_->options.random),
                        .aggregate_type = "user",
                        .aggregate_id = following.to_string(),
                        .type = "follow.created",
                        .payload = {{"follower_id", follower.to_string()},
                                    {"following_id", following.to_string()},
                                    {"created_at", to_rfc3339(now)}}};
    const bool is_new = co_await state_->store.insert(
        {.follower = follower, .following = following, .at = now}, std::move(event));
    if (!is_new) co_return;
    state_->drop_counts(follower, following);
    state_->options.events.poke();
}

asio::awaitable<void> Service::unfollow(UserId follower, std::string username) {
    const auto following = co_await state_->options.accounts.find_by_username(std::move(username));
    if (co_await state_->store.remove(follower, following)) state_->drop_counts(follower, following);
}

asio::awaitable<FollowCounts> Service::counts(UserId user) {
    if (const auto hit = state_->counts.get(user)) co_return *hit;
    const auto ticket = state_->counts.ticket(user);
    const auto counted = co_await state_->store.counts(user);
    state_->counts.put(user, counted, ticket);
    co_return counted;
}

asio::awaitable<std::unordered_set<UserId>> Service::followed_among(UserId follower,
                                                                    std::vector<UserId> users) {
    if (users.empty()) co_return std::unordered_set<UserId>{};
    const auto followed = co_await state_->store.followed_among(follower, std::move(users));
    co_return std::unordered_set<UserId>(followed.begin(), followed.end());
}

asio::awaitable<bool> Service::is_following(UserId follower, UserId following) {
    const auto followed = co_await followed_among(follower, {following});
    co_return !followed.empty();
}

asio::awaitable<paging::Page<Follow>> Service::followers(UserId user, PageRequest page) {
    auto follows =
        co_await state_->store.followers({.user = user,
                                          .after = paging::decode_time_and_id(followers_list, page.cursor),
                                          .limit = page.limit + 1});
    co_return page_of(std::move(follows), page.limit, followers_list);
}

asio::awaitable<paging::Page<Follow>> Service::following(UserId user, PageRequest page) {
    auto follows =
        co_await state_->store.following({.user = user,
                                          .after = paging::decode_time_and_id(following_list, page.cursor),
                                          .limit = page.limit + 1});
    co_return page_of(std::move(follows), page.limit, following_list);
}

void announce_follows(events::Dispatcher& events, accounts::Service& accounts, Publish publish) {
    events.subscribe(
        "follow.created",
        [&accounts, publish = std::move(publish)](const events::Event& event) -> asio::awaitable<void> {
            const auto follower = json::from_value<UserId>(event.payload.at("follower_id"));
            const auto found = co_await accounts.summaries({follower});
            if (found.empty()) co_return;  // deleted since
            json::Object data{{"event_id", event.id.to_string()},
                              {"user", json::to_value(found.at(follower))},
                              {"created_at", event.payload.at("created_at")}};
            co_await publish("user:" + event.aggregate_id, event.type, std::move(data));
        });
}

}  // namespace spaktok::graph
