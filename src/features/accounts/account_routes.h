// HTTP and JSON of accounts: /setup, /users, /sessions, /users/me, /instance.
#pragma once

#include <string>

#include "features/accounts/account_service.h"
#include "gateway/gateway.h"
#include "http/router.h"

namespace spaktok::accounts {

inline constexpr http::RateLimit sign_in_limit{"sign_in", 10, 20, true};
inline constexpr http::RateLimit sign_up_limit{"sign_up", 5, 10, true};
inline constexpr http::RateLimit set_up_limit{"set_up", 5, 5, true};
inline constexpr http::RateLimit password_limit{"password", 5, 10, true};
inline constexpr http::RateLimit picture_limit{"picture", 6, 10, true};

// Service and sessions outlive the router.
void add_routes(http::Router& router, Service& service, http::Sessions& sessions);

// What GET /instance says besides what the service knows. Limits of other features are given, so that no
// feature is named here.
struct InstanceFacts {
    std::string name;
    std::string version;
    std::string rtmp_url;
    std::string public_url;
    json::Object limits{};  // added to the accounts' own
};
void add_instance_route(http::Router& router, Service& service, InstanceFacts facts);

// Events for one person on all of their devices: topic user:<id>, for its owner only; kept so that a short
// absence loses none.
inline constexpr realtime::HistoryLimits user_topic_history{.messages_max = 100,
                                                            .age_max = std::chrono::minutes{10}};
void add_user_topic(gateway::Gateway& gateway);

}  // namespace spaktok::accounts
