// Who follows whom.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "features/accounts/account_service.h"
#include "features/events/events.h"
#include "features/paging/page.h"

namespace spaktok::graph {

struct FollowCounts {
    std::int64_t followers = 0;
    std::int64_t following = 0;
    bool operator==(const FollowCounts&) const = default;
};

struct Follow {
    UserId user_id;  // the other one
    Timestamp at{};
};

// Thread-safe; what it refers to outlives it.
class Service {
  public:
    struct Options {
        relational::Database& database;
        accounts::Service& accounts;
        events::Dispatcher& events;
        const Clock& clock;
        Random& random;
    };
    explicit Service(Options options);
    ~Service();

    // Idempotent: the event follow.created is written once a follow. Throws Error{not_found} or {conflict
    // "cannot_follow_yourself"}.
    boost::asio::awaitable<void> follow(UserId follower, std::string username);
    boost::asio::awaitable<void> unfollow(UserId follower, std::string username);
    // For the command line's demo and other features.
    boost::asio::awaitable<void> follow_user(UserId follower, UserId following);

    // A count may be up to ten seconds old where another node changed it.
    boost::asio::awaitable<FollowCounts> counts(UserId user);
    // Those of `users` whom `follower` follows.
    boost::asio::awaitable<std::unordered_set<UserId>> followed_among(UserId follower,
                                                                      std::vector<UserId> users);
    boost::asio::awaitable<bool> is_following(UserId follower, UserId following);

    // Newest first; `cursor` as a client gives it. Throws Error{invalid_argument "invalid_cursor"}.
    struct PageRequest {
        std::int64_t limit = paging::limit_default;
        std::optional<std::string> cursor{};
    };
    boost::asio::awaitable<paging::Page<Follow>> followers(UserId user, PageRequest page);
    boost::asio::awaitable<paging::Page<Follow>> following(UserId user, PageRequest page);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// Hands an event to a topic of the gateway: (topic, event, data). A function, so that tests need no socket.
using Publish = std::function<boost::asio::awaitable<void>(std::string, std::string, json::Value)>;
// follow.created reaches user:<followed> with {event_id, user (summary of the follower), created_at}.
void announce_follows(events::Dispatcher& events, accounts::Service& accounts, Publish publish);

}  // namespace spaktok::graph
