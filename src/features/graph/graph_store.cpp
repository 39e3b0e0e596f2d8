#include "features/graph/graph_store.h"

#include <utility>

namespace spaktok::graph {

namespace asio = boost::asio;
using relational::ConstraintViolation;
using relational::Mode;
using relational::Result;
using relational::Statement;
using relational::Transaction;

namespace {

constexpr Statement insert_follow{
    .name = "insert_follow",
    .sql =
        "INSERT INTO followers (follower_id, following_id, created_at) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING RETURNING following_id",
    .mode = Mode::write};
constexpr Statement delete_follow{.name = "delete_follow",
                                  .sql = "DELETE FROM followers WHERE follower_id = $1 AND following_id = $2",
                                  .mode = Mode::write};
constexpr Statement count_follows{
    .name = "count_follows",
    .sql =
        "SELECT (SELECT count(*) FROM followers WHERE following_id = $1) AS followers, "
        "(SELECT count(*) FROM followers WHERE follower_id = $1) AS following",
    .mode = Mode::read};
constexpr Statement list_followed_among{
    .name = "list_followed_among",
    .sql =
        "SELECT following_id FROM followers WHERE follower_id = $1 AND following_id IN (SELECT value FROM "
        "json_each($2))",
    .postgres_sql =
        "SELECT following_id FROM followers WHERE follower_id = $1 AND following_id IN "
        "(SELECT value::uuid FROM jsonb_array_elements_text($2::jsonb) AS e (value))",
    .mode = Mode::point_read};

// Suspended and deleted users have no profile to go to, and so are in no list.
constexpr Statement list_followers{
    .name = "list_followers",
    .sql =
        "SELECT f.follower_id AS user_id, f.created_at AS created_at FROM followers f "
        "JOIN users u ON u.id = f.follower_id AND u.status = 'active' WHERE f.following_id = $1 "
        "ORDER BY f.created_at DESC, f.follower_id DESC LIMIT $2",
    .mode = Mode::read,
    .list = true};
constexpr Statement list_followers_after{
    .name = "list_followers_after",
    .sql =
        "SELECT f.follower_id AS user_id, f.created_at AS created_at FROM followers f "
        "JOIN users u ON u.id = f.follower_id AND u.status = 'active' WHERE f.following_id = $1 "
        "AND (f.created_at, f.follower_id) < ($2, $3) ORDER BY f.created_at DESC, f.follower_id DESC LIMIT "
        "$4",
    .mode = Mode::read,
    .list = true};
constexpr Statement list_following{
    .name = "list_following",
    .sql =
        "SELECT f.following_id AS user_id, f.created_at AS created_at FROM followers f "
        "JOIN users u ON u.id = f.following_id AND u.status = 'active' WHERE f.follower_id = $1 "
        "ORDER BY f.created_at DESC, f.following_id DESC LIMIT $2",
    .mode = Mode::read,
    .list = true};
constexpr Statement list_following_after{
    .name = "list_following_after",
    .sql =
        "SELECT f.following_id AS user_id, f.created_at AS created_at FROM followers f "
        "JOIN users u ON u.id = f.following_id AND u.status = 'active' WHERE f.follower_id = $1 "
        "AND (f.created_at, f.following_id) < ($2, $3) ORDER BY f.created_at DESC, f.following_id DESC LIMIT "
        "$4",
    .mode = Mode::read,
    .list = true};

std::vector<Follow> follows_of(const Result& result) {
    std::vector<Follow> follows;
    follows.reserve(result.size());
    for (const auto row : result) {
        follows.push_back({.user_id = row.get<UserId>("user_id"), .at = row.get<Timestamp>("created_at")});
    }
    return follows;
}

[[noreturn]] void refuse(const ConstraintViolation& violation) {
    if (violation.constraint() == "followers_not_self") {
        throw Error(ErrorCode::conflict, "You cannot follow yourself.", {.reason = "cannot_follow_yourself"});
    }
    if (violation.kind() == ConstraintViolation::Kind::foreign_key) {
        throw Error(ErrorCode::not_found, "There is no such user.");
    }
    throw violation;
}

}  // namespace

asio::awaitable<bool> Store::insert(Edge edge, events::Event event) {
    try {
        co_return co_await database_.transaction([edge, event](Transaction& tx) -> asio::awaitable<bool> {
            const auto inserted = co_await tx.query(insert_follow, edge.follower, edge.following, edge.at);
            if (inserted.empty()) co_return false;
            co_await events::append(tx, event);
            co_return true;
        });
    } catch (const ConstraintViolation& violation) {
        refuse(violation);
    }
}

asio::awaitable<bool> Store::remove(UserId follower, UserId following) {
    const auto result = co_await database_.query(delete_follow, follower, following);
    co_return result.affected() > 0;
}

asio::awaitable<FollowCounts> Store::counts(UserId user) {
    const auto result = co_await database_.query(count_follows, user);
    co_return FollowCounts{.followers = result[0].get<std::int64_t>("followers"),
                           .following = result[0].get<std::int64_t>("following")};
}

asio::awaitable<std::vector<UserId>> Store::followed_among(UserId follower, std::vector<UserId> users) {
    const auto result = co_await database_.query(list_followed_among, follower, json::to_value(users));
    std::vector<UserId> followed;
    for (const auto row : result)
        followed.push_back(row.get<UserId>("following_id"));
    co_return followed;
}

asio::awaitable<std::vector<Follow>> Store::followers(ListQuery query) {
    if (!query.after) co_return follows_of(co_await database_.query(list_followers, query.user, query.limit));
    co_return follows_of(co_await database_.query(list_followers_after, query.user, query.after->at,
                                                  query.after->id, query.limit));
}

asio::awaitable<std::vector<Follow>> Store::following(ListQuery query) {
    if (!query.after) co_return follows_of(co_await database_.query(list_following, query.user, query.limit));
    co_return follows_of(co_await database_.query(list_following_after, query.user, query.after->at,
                                                  query.after->id, query.limit));
}

}  // namespace spaktok::graph
