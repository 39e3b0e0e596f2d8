#include <mutex>
#include <set>

#include "engines/relational/query_plan.h"
#include "features/graph/graph_service.h"
#include "features/testing/world.h"

namespace spaktok::graph {

namespace asio = boost::asio;
using accounts::Account;
using features_testing::eventually;
using features_testing::failure_of;
using features_testing::run;
using features_testing::World;
using http::Method;

namespace {

void suspend(World& world, UserId user) {
    constexpr relational::Statement statement{.name = "test_suspend",
                                              .sql = "UPDATE users SET status = 'suspended' WHERE id = $1",
                                              .mode = relational::Mode::write};
    run(world.database->query(statement, user));
}

TEST(Following, IsRefusedInOrderOfPrecedence) {
    World world;
    const auto ada = world.add_user("ada");
    const auto ghost = UserId::make(world.clock.now(), world.random);
    EXPECT_EQ(failure_of(world.graph.follow(ada.id, "nobody_here")), "not_found");
    EXPECT_EQ(failure_of(world.graph.follow(ada.id, "ADA")), "conflict cannot_follow_yourself");
    EXPECT_EQ(failure_of(world.graph.follow_user(ada.id, ghost)), "not_found");
    EXPECT_EQ(failure_of(world.graph.follow_user(ghost, ada.id)), "not_found");
    EXPECT_EQ(failure_of(world.graph.unfollow(ada.id, "nobody_here")), "not_found");
    const auto bob = world.add_user("bob");
    suspend(world, bob.id);
    EXPECT_EQ(failure_of(world.graph.follow(ada.id, "bob")), "not_found");
    EXPECT_EQ(world.outbox_size(), 0);
    EXPECT_EQ(run(world.graph.counts(ada.id)), FollowCounts{});
}

TEST(Following, TwiceIsOnceAndUnfollowingTwiceToo) {
    World world;
    const auto ada = world.add_user("ada");
    const auto bob = world.add_user("bob");
    EXPECT_EQ(run(world.graph.counts(bob.id)), (FollowCounts{.followers = 0, .following = 0}));
    run(world.graph.follow(ada.id, "bob"));
    run(world.graph.follow(ada.id, "BOB"));
    EXPECT_EQ(world.outbox_size(), 1);
    EXPECT_TRUE(run(world.graph.is_following(ada.id, bob.id)));
    EXPECT_FALSE(run(world.graph.is_following(bob.id, ada.id)));
    EXPECT_EQ(run(world.graph.counts(bob.id)), (FollowCounts{.followers = 1, .following = 0}));
    EXPECT_EQ(run(world.graph.counts(ada.id)), (FollowCounts{.followers = 0, .following = 1}));
    run(world.graph.unfollow(ada.id, "bob"));
    run(world.graph.unfollow(ada.id, "bob"));
    EXPECT_FALSE(run(world.graph.is_following(ada.id, bob.id)));
    EXPECT_EQ(run(world.graph.counts(bob.id)), FollowCounts{});
}

TEST(Following, IsToldToTheFollowedOnce) {
    World world;
    const auto ada = world.add_user("ada");
    const auto bob = world.add_user("bob");
    std::mutex mutex;
    std::vector<std::string> published;
    json::Value last;
    announce_follows(world.events, world.accounts,
                     [&](std::string topic, std::string event, json::Value data) -> asio::awaitable<void> {
                         const std::lock_guard lock(mutex);
                         published.push_back(topic + " " + event);
                         last = std::move(data);
                         co_return;
                     });
    world.events.start();
    run(world.graph.follow(ada.id, "bob"));
    run(world.graph.follow(ada.id, "bob"));
    EXPECT_TRUE(eventually([&] { return world.outbox_size() == 0; }));
    const std::lock_guard lock(mutex);
    EXPECT_EQ(published, (std::vector<std::string>{"user:" + bob.id.to_string() + " follow.created"}));
    EXPECT_EQ(last.at("user").at("username"), "ada");
    EXPECT_EQ(last.at("created_at").as_string(), to_rfc3339(world.clock.now()));
    EXPECT_TRUE(Uuid::parse(std::string(last.at("event_id").as_string())));
}

TEST(Following, IsKnownForManyAtOnce) {
    World world;
    const auto ada = world.add_user("ada");
    std::vector<UserId> users;
    std::unordered_set<UserId> followed;
    for (int i = 0; i < 30; ++i) {
        const auto user = world.add_user("user_" + std::to_string(i)).id;
        users.push_back(user);
        if (i % 3 != 0) continue;
        run(world.graph.follow_user(ada.id, user));
        followed.insert(user);
    }
    EXPECT_EQ(run(world.graph.followed_among(ada.id, users)), followed);
    EXPECT_TRUE(run(world.graph.followed_among(ada.id, {})).empty());
}

// ---- pages
struct Walk {
    std::vector<UserId> seen;
    int pages = 0;
};
// Reads all pages, doing something between them.
Walk walk(World& world, UserId user, std::int64_t limit, const std::function<void(const Walk&)>& between) {
    Walk result;
    std::optional<std::string> cursor;
    do {
        const auto page = run(world.graph.followers(user, {.limit = limit, .cursor = cursor}));
        EXPECT_LE(page.items.size(), static_cast<std::size_t>(limit));
        for (const auto& follow : page.items)
            result.seen.push_back(follow.user_id);
        ++result.pages;
        cursor = page.next_cursor;
        between(result);
    } while (cursor);
    return result;
}

class FollowPages : public testing::Test {
  protected:
    World world_;
    UserId star_ = world_.add_user("star").id;
    std::vector<UserId> fans_;

    UserId add_fan() {
        const auto fan = world_.add_user("fan_" + std::to_string(fans_.size())).id;
        fans_.push_back(fan);
        return fan;
    }
};

TEST_F(FollowPages, NeitherRepeatNorLoseWhileOthersFollowAndGo) {
    for (int i = 0; i < 40; ++i) {
        const auto fan = add_fan();
        run(world_.graph.follow_user(fan, star_));
    }
    const std::set<UserId> before(fans_.begin(), fans_.end());
    SeededRandom dice(99);
    std::set<UserId> gone;
    for (const std::int64_t limit : {1, 3, 7, 40}) {
        gone.clear();
        const auto result = walk(world_, star_, limit, [&](const Walk& so_far) {
            run(world_.graph.follow_user(add_fan(), star_));
            if (limit != 3) return;
            // One who was seen already leaves: the others stay in their places.
            const auto leaver = so_far.seen[static_cast<std::size_t>(dice.below(so_far.seen.size()))];
            if (!gone.insert(leaver).second) return;
            const auto name = run(world_.accounts.summary(star_)).username;
            run(world_.graph.unfollow(leaver, name));
        });
        const std::set<UserId> unique(result.seen.begin(), result.seen.end());
        EXPECT_EQ(unique.size(), result.seen.size()) << "repeated with limit " << limit;
        for (const auto& fan : before)
            EXPECT_TRUE(unique.contains(fan)) << "lost with limit " << limit;
        for (const auto& leaver : gone)
            run(world_.graph.follow_user(leaver, star_));
    }
}

TEST_F(FollowPages, OrderThoseOfOneMillisecondToo) {
    std::vector<UserId> fans;
    for (int i = 0; i < 25; ++i)
        fans.push_back(add_fan());
    for (const auto& fan : fans)
        run(world_.graph.follow_user(fan, star_));  // the clock stands still
    const auto result = walk(world_, star_, 4, [](const Walk&) {});
    EXPECT_EQ(result.pages, 7);
    std::ranges::sort(fans, std::greater{});
    EXPECT_EQ(result.seen, fans);
}

TEST_F(FollowPages, EndExactlyAtTheLastItem) {
    for (int i = 0; i < 6; ++i)
        run(world_.graph.follow_user(add_fan(), star_));
    EXPECT_EQ(walk(world_, star_, 3, [](const Walk&) {}).pages, 2);
    EXPECT_EQ(walk(world_, star_, 6, [](const Walk&) {}).pages, 1);
    EXPECT_EQ(walk(world_, star_, 5, [](const Walk&) {}).pages, 2);
    EXPECT_EQ(walk(world_, fans_[0], 5, [](const Walk&) {}).pages, 1);
}

TEST_F(FollowPages, AreServedByAnIndex) {
    for (const std::string direction : {"follower", "following"}) {
        const std::string other = direction == "follower" ? "following" : "follower";
        const std::string sql =
            "SELECT f." + other + "_id FROM followers f JOIN users u ON u.id = f." + other +
            "_id AND u.status = 'active' WHERE f." + direction + "_id = $1 AND (f.created_at, f." + other +
            "_id) < ($2, $3) ORDER BY f.created_at DESC, f." + other + "_id DESC LIMIT 20";
        const relational::Statement page{.name = "test_plan", .sql = sql};
        const std::vector<relational::Value> args{star_.value, Timestamp{}, star_.value};
        EXPECT_THAT(run(relational::steps_without_index(*world_.database, page, args)), testing::IsEmpty())
            << sql;
    }
}

// ---- routes
class GraphRoutes : public testing::Test {
  protected:
    World world_;
    Account ada_ = world_.add_user("ada");
    Account bob_ = world_.add_user("bob");
    http::Session as_ada_ = world_.sign_in(ada_.id);

    features_testing::Answer get(const std::string& path, std::optional<http::Session> session = {}) {
        return world_.call(Method::get, path, {.session = std::move(session)});
    }
};

TEST_F(GraphRoutes, ShowAProfileToGuestsAndToFollowers) {
    world_.live_stream = json::Object{{"id", "x"}};
    auto guest = get("/api/v1/users/BOB");
    EXPECT_EQ(guest.status, 200u);
    EXPECT_EQ(guest.body.at("username"), "bob");
    EXPECT_TRUE(guest.body.at("is_following").is_null());
    EXPECT_EQ(guest.body.at("live_stream").at("id"), "x");
    EXPECT_FALSE(guest.body.as_object().contains("email"));
    EXPECT_EQ(get("/api/v1/users/bob", as_ada_).body.at("is_following"), false);
    EXPECT_EQ(world_.call(Method::put, "/api/v1/users/bob/follow", {.session = as_ada_}).status, 204u);
    const auto follower = get("/api/v1/users/bob", as_ada_);
    EXPECT_EQ(follower.body.at("is_following"), true);
    EXPECT_EQ(follower.body.at("followers_count"), 1);
    EXPECT_EQ(get("/api/v1/users/ada").body.at("following_count"), 1);
    EXPECT_EQ(world_.call(Method::delete_, "/api/v1/users/bob/follow", {.session = as_ada_}).status, 204u);
    EXPECT_EQ(get("/api/v1/users/bob", as_ada_).body.at("is_following"), false);
}

TEST_F(GraphRoutes, AnswerExactlyTheFieldsOfTheContract) {
    const auto answer = get("/api/v1/users/bob");
    std::set<std::string> fields;
    for (const auto& member : answer.body.as_object())
        fields.insert(member.key());
    EXPECT_EQ(fields, (std::set<std::string>{"id", "username", "display_name", "bio", "profile_picture_url",
                                             "country", "language", "skills", "points", "role", "created_at",
                                             "is_streamer", "followers_count", "following_count",
                                             "is_following", "live_stream"}));
}

TEST_F(GraphRoutes, HideTheSuspended) {
    run(world_.graph.follow_user(bob_.id, ada_.id));
    EXPECT_EQ(get("/api/v1/users/ada/followers").body.at("items").as_array().size(), 1u);
    suspend(world_, bob_.id);
    EXPECT_EQ(get("/api/v1/users/bob").problem(), "404 /problems/not_found");
    EXPECT_EQ(get("/api/v1/users/bob/followers").problem(), "404 /problems/not_found");
    EXPECT_EQ(get("/api/v1/users/ada/followers").body.at("items").as_array().size(), 0u);
}

TEST_F(GraphRoutes, ListFollowersWithWhatTheViewerKnowsOfThem) {
    const auto cleo = world_.add_user("cleo");
    run(world_.graph.follow_user(bob_.id, cleo.id));
    world_.clock.advance(std::chrono::milliseconds{1});
    run(world_.graph.follow_user(ada_.id, cleo.id));
    run(world_.graph.follow_user(ada_.id, bob_.id));
    world_.live_users = {bob_.id};
    const auto page = get("/api/v1/users/cleo/followers", as_ada_);
    const auto& items = page.body.at("items").as_array();
    ASSERT_EQ(items.size(), 2u);
    EXPECT_EQ(items[0].at("username"), "ada");
    EXPECT_EQ(items[0].at("is_live"), false);
    EXPECT_EQ(items[1].at("username"), "bob");
    EXPECT_EQ(items[1].at("is_live"), true);
    EXPECT_EQ(items[1].at("is_following"), true);
    EXPECT_TRUE(page.body.at("next_cursor").is_null());
    EXPECT_TRUE(get("/api/v1/users/cleo/followers").body.at("items").at(0).at("is_following").is_null());
    const auto following = get("/api/v1/users/ada/following?limit=1");
    EXPECT_EQ(following.body.at("items").as_array().size(), 1u);
    const auto cursor = std::string(following.body.at("next_cursor").as_string());
    EXPECT_EQ(get("/api/v1/users/ada/following?limit=1&cursor=" + cursor).body.at("items").as_array().size(),
              1u);
    EXPECT_EQ(get("/api/v1/users/ada/followers?cursor=" + cursor).problem(),
              "400 /problems/invalid_cursor cursor");
}

TEST_F(GraphRoutes, RefuseInOrderOfPrecedence) {
    EXPECT_EQ(get("/api/v1/users/eve/followers?limit=0").problem(), "400 /problems/invalid_field limit");
    EXPECT_EQ(get("/api/v1/users/eve/followers?limit=101").problem(), "400 /problems/invalid_field limit");
    EXPECT_EQ(get("/api/v1/users/eve/followers?limit=100&cursor=x").problem(), "404 /problems/not_found");
    EXPECT_EQ(get("/api/v1/users/ada/followers?limit=100&cursor=x").problem(),
              "400 /problems/invalid_cursor cursor");
    EXPECT_EQ(get("/api/v1/users/eve").problem(), "404 /problems/not_found");
    EXPECT_EQ(world_.call(Method::put, "/api/v1/users/ada/follow", {.session = as_ada_}).problem(),
              "409 /problems/cannot_follow_yourself");
    EXPECT_EQ(world_.call(Method::put, "/api/v1/users/eve/follow", {.session = as_ada_}).problem(),
              "404 /problems/not_found");
}

}  // namespace
}  // namespace spaktok::graph
