// What is decided about a request between its header and its handler: route, credentials, limits, origin. And
// how an exception becomes an answer. No socket here.
#pragma once

#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "base/metrics.h"
#include "http/rate_limiter.h"
#include "http/request_reader.h"
#include "http/router.h"
#include "http/server.h"
#include "http/sessions.h"

namespace spaktok::http {

// The counters of one operation, looked up once.
struct OperationMetrics {
    explicit OperationMetrics(std::string_view operation);
    void record(unsigned status, std::chrono::steady_clock::duration took);

    std::string operation;
    std::vector<metrics::Counter> by_class;  // 1xx … 5xx
    metrics::Histogram seconds;
};

// Where a request goes.
struct Target {
    const Handler* handler = nullptr;  // either of the two, unless refused
    const UpgradeHandler* upgrade = nullptr;
    std::optional<Response> refusal{};  // no such method, no such path: judged after the rate limit
    RateLimit rate = read_limit;
    Access access = Access::anyone;
    std::size_t body_bytes_max = 0;
    OperationMetrics* metrics = nullptr;
};

// One a server, shared by its threads; immutable once the server runs.
class Dispatcher {
  public:
    Dispatcher(const ServerOptions& options, const Router& router, Sessions* sessions, RateLimiter* limiter);

    void add_upgrade(std::string path, RateLimit rate, UpgradeHandler handler);
    std::vector<std::string> upgrade_paths() const;
    // Before the first request: the router has all its routes.
    void prepare();

    // Fills path_params.
    Target find(Request& request, const RequestReader& reader) const;
    bool has_credentials(const Request& request) const;
    // Sets `session` where the credentials are good. The request outlives the call.
    boost::asio::awaitable<void> authenticate(Request& request) const;
    // Throws Error{rate_limited | unauthenticated | forbidden | payload_too_large}.
    void admit(const Request& request, const Target& target, const RequestReader& reader) const;

    // The client's address: the peer's, or what a trusted proxy says of it.
    std::string client_address(const std::string& peer, const Headers& headers) const;
    bool is_trusted_proxy(const std::string& address) const;
    OperationMetrics& unreadable() const { return *unreadable_; }

  private:
    struct UpgradeTarget {
        RateLimit rate;
        UpgradeHandler handler;
        std::unique_ptr<OperationMetrics> metrics;
    };
    Target find_upgrade(const UpgradeTarget& upgrade, const Request& request,
                        const RequestReader& reader) const;

    const ServerOptions& options_;
    const Router& router_;
    Sessions* sessions_;
    RateLimiter* limiter_;
    std::unordered_map<std::string, UpgradeTarget> upgrades_;
    std::unordered_map<const Route*, std::unique_ptr<OperationMetrics>> by_route_;
    std::unique_ptr<OperationMetrics> page_;
    std::unique_ptr<OperationMetrics> unmatched_;
    std::unique_ptr<OperationMetrics> unreadable_;
    std::vector<boost::asio::ip::network_v4> proxies_v4_;
    std::vector<boost::asio::ip::network_v6> proxies_v6_;
};

// A problem that HTTP itself has a word for and the program's errors have not.
Response refuse(const Refusal& refusal, std::string_view request_id);

struct Failure {
    Response response;
    std::string detail;  // for the log
};
// The one place in which an exception becomes an answer: an Error its problem, anything else 500 without a
// word about it.
Failure failure_of(const std::exception_ptr& exception, std::string_view request_id);

}  // namespace spaktok::http
