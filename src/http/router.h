// Which handler answers a method and a path, and under what conditions.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"

namespace spaktok::http {

enum class Access {
    anyone,     // a session is recognised where there is one
    signed_in,  // 401 without
};

// A token bucket for each key: `burst` at once, then `per_minute` a minute. Key: the user where signed in,
// else the address (an IPv6 address counts by its /64).
struct RateLimit {
    std::string_view name;  // routes with the same name share a bucket
    int per_minute;
    int burst;
    bool shared = false;  // by all nodes; otherwise each has its own buckets
};
inline constexpr RateLimit read_limit{"read", 1200, 300};
inline constexpr RateLimit write_limit{"write", 120, 40, true};

struct RouteOptions {
    std::string_view operation_id;  // as in api/openapi.yaml
    Access access = Access::anyone;
    RateLimit rate = read_limit;
    std::size_t body_bytes_max = 64 * 1024;
};

struct Route {
    Method method;
    std::string pattern;  // "/api/v1/users/{username}/follow"
    RouteOptions options;
    Handler handler;
};

class Router {
  public:
    Router();
    ~Router();
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;

    // Before the server starts. A literal segment wins over a parameter. `{rest...}` as the last segment
    // takes the whole rest. Asserts that no other route has the same method and shape.
    void add(Method method, std::string pattern, RouteOptions options, Handler handler);
    // Whoever matches no route (the page's files). GET and HEAD only.
    void set_fallback(Handler handler);

    struct Match {
        const Route* route = nullptr;  // nullptr: see allowed
        std::vector<std::pair<std::string, std::string>> params;
        std::vector<Method> allowed;  // other methods at this path: 405 with Allow
    };
    // `path` is still percent-encoded; segments are decoded one by one. HEAD finds GET's route.
    Match find(Method method, std::string_view path) const;
    const Handler& fallback() const;
    std::vector<const Route*> routes() const;

  private:
    struct Node;
    std::unique_ptr<Node> root_;
    std::vector<const Route*> routes_;  // in the order in which they were added
    Handler fallback_;
};

}  // namespace spaktok::http
