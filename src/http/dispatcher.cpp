#include "http/dispatcher.h"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

#include "http/response_writer.h"
#include "http/syntax.h"

namespace spaktok::http {

namespace asio = boost::asio;

namespace {

// The page's files: a first visit fetches dozens at once.
constexpr RateLimit page_limit{"page", 3000, 1000};

constexpr const char* seconds_help = "From a request's header to its answer being ready.";

bool is_unsafe(Method method) {
    return method != Method::get && method != Method::head && method != Method::options;
}

std::string join_methods(const std::vector<Method>& methods) {
    std::string text;
    for (const auto method : methods) {
        if (!text.empty()) text += ", ";
        text += to_string(method);
    }
    return text;
}

}  // namespace

OperationMetrics::OperationMetrics(std::string_view operation_name)
    : operation(operation_name),
      seconds(metrics::histogram("spaktok_http_request_seconds", seconds_help, {{"operation", operation}})) {
    for (const auto* status_class : {"1xx", "2xx", "3xx", "4xx", "5xx"}) {
        by_class.push_back(metrics::counter("spaktok_http_requests_total", "Answered requests.",
                                            {{"operation", operation}, {"status", status_class}}));
    }
}

void OperationMetrics::record(unsigned status, std::chrono::steady_clock::duration took) {
    by_class[std::clamp(status / 100, 1u, 5u) - 1].add();
    seconds.observe(std::chrono::duration<double>(took).count());
}

Dispatcher::Dispatcher(const ServerOptions& options, const Router& router, Sessions* sessions,
                       RateLimiter* limiter)
    : options_(options),
      router_(router),
      sessions_(sessions),
      limiter_(limiter),
      page_(std::make_unique<OperationMetrics>("page")),
      unmatched_(std::make_unique<OperationMetrics>("unmatched")),
      unreadable_(std::make_unique<OperationMetrics>("unreadable")) {
    for (const auto& proxy : options_.trusted_proxies) {
        const bool is_network = proxy.find('/') != std::string::npos;
        boost::system::error_code error;
        if (proxy.find(':') != std::string::npos) {
            proxies_v6_.push_back(asio::ip::make_network_v6(is_network ? proxy : proxy + "/128", error));
        } else {
            proxies_v4_.push_back(asio::ip::make_network_v4(is_network ? proxy : proxy + "/32", error));
        }
        if (error) {
            throw Error(ErrorCode::invalid_argument, "\"" + proxy + "\" is not an address or a network.",
                        {.field = "trusted_proxies"});
        }
    }
}

void Dispatcher::add_upgrade(std::string path, RateLimit rate, UpgradeHandler handler) {
    auto operation = std::make_unique<OperationMetrics>("upgrade " + path);
    upgrades_.insert_or_assign(std::move(path),
                               UpgradeTarget{rate, std::move(handler), std::move(operation)});
}

void Dispatcher::prepare() {
    for (const auto* route : router_.routes()) {
        by_route_.emplace(route, std::make_unique<OperationMetrics>(route->options.operation_id));
    }
}

std::vector<std::string> Dispatcher::upgrade_paths() const {
    std::vector<std::string> paths;
    for (const auto& [path, target] : upgrades_)
        paths.push_back(path);
    return paths;
}

Target Dispatcher::find_upgrade(const UpgradeTarget& upgrade, const Request& request,
                                const RequestReader& reader) const {
    Target target{.rate = upgrade.rate, .metrics = upgrade.metrics.get()};
    if (request.method != Method::get) {
        target.refusal =
            refuse({405, "method_not_allowed", "This path is for WebSocket handshakes only."}, request.id);
        target.refusal->headers.add("Allow", "GET");
    } else if (!reader.wants_upgrade() || !reader.is_http_1_1() ||
               !list_has(request.headers.get("Upgrade").value_or(""), "websocket")) {
        target.refusal = refuse({426, "upgrade_required", "This path speaks WebSocket only."}, request.id);
        target.refusal->headers.add("Upgrade", "websocket");
    } else {
        target.upgrade = &upgrade.handler;
    }
    return target;
}

Target Dispatcher::find(Request& request, const RequestReader& reader) const {
    const auto& path = reader.raw_path();
    if (!upgrades_.empty()) {
        if (const auto upgrade = upgrades_.find(path); upgrade != upgrades_.end()) {
            return find_upgrade(upgrade->second, request, reader);
        }
    }
    auto match = router_.find(request.method, path);
    if (match.route != nullptr) {
        const auto& options = match.route->options;
        request.path_params = std::move(match.params);
        return {.handler = &match.route->handler,
                .rate = options.rate,
                .access = options.access,
                .body_bytes_max = options.body_bytes_max,
                .metrics = by_route_.at(match.route).get()};
    }
    Target target{.metrics = unmatched_.get()};
    if (!match.allowed.empty()) {
        match.allowed.push_back(Method::options);
        if (request.method == Method::options) {
            target.refusal = Response::no_content();
        } else {
            target.refusal =
                refuse({405, "method_not_allowed", "This path does not know that method."}, request.id);
        }
        target.refusal->headers.add("Allow", join_methods(match.allowed));
    } else if (router_.fallback() && !is_unsafe(request.method) && request.method != Method::options) {
        target = {.handler = &router_.fallback(), .rate = page_limit, .metrics = page_.get()};
    } else {
        target.refusal = problem(Error(ErrorCode::not_found, "There is nothing at this path."), request.id);
    }
    return target;
}

bool Dispatcher::has_credentials(const Request& request) const {
    return sessions_ != nullptr && (request.headers.has("Cookie") || request.headers.has("Authorization"));
}

asio::awaitable<void> Dispatcher::authenticate(Request& request) const {
    bool from_cookie = false;
    auto token = sessions_->token_of(request, from_cookie);
    if (!token) co_return;
    request.session = co_await sessions_->find(std::move(*token));
    if (request.session) request.session->from_cookie = from_cookie;
}

void Dispatcher::admit(const Request& request, const Target& target, const RequestReader& reader) const {
    if (limiter_ != nullptr) {
        const auto wait = request.session ? limiter_->take(target.rate, request.session->user_id.to_string())
                                          : limiter_->take(target.rate, rate_key(request.remote_address));
        if (wait)
            throw Error(ErrorCode::rate_limited, "Too many requests; try again later.",
                        {.retry_after = *wait});
    }
    if (target.access == Access::signed_in && !request.session) {
        throw Error(ErrorCode::unauthenticated, "Sign in first.");
    }
    const bool needs_origin = target.upgrade != nullptr || is_unsafe(request.method);
    if (needs_origin && request.session && request.session->from_cookie &&
        !sessions_->is_same_origin(request)) {
        throw Error(ErrorCode::forbidden, "The request comes from another site.", {.reason = "cross_origin"});
    }
    if (!target.refusal && reader.has_body() && reader.body_length().value_or(0) > target.body_bytes_max) {
        throw Error(ErrorCode::payload_too_large,
                    "The body may have at most " + std::to_string(target.body_bytes_max) + " bytes.");
    }
}

bool Dispatcher::is_trusted_proxy(const std::string& address) const {
    if (proxies_v4_.empty() && proxies_v6_.empty()) return false;
    boost::system::error_code error;
    const auto parsed = asio::ip::make_address(address, error);
    if (error) return false;
    if (parsed.is_v4()) {
        return std::any_of(proxies_v4_.begin(), proxies_v4_.end(), [&](const asio::ip::network_v4& network) {
            return (parsed.to_v4().to_uint() & network.netmask().to_uint()) == network.network().to_uint();
        });
    }
    return std::any_of(proxies_v6_.begin(), proxies_v6_.end(), [&](const asio::ip::network_v6& network) {
        return asio::ip::network_v6(parsed.to_v6(), network.prefix_length()).network() == network.network();
    });
}

std::string Dispatcher::client_address(const std::string& peer, const Headers& headers) const {
    if (!is_trusted_proxy(peer)) return peer;
    std::string chain;
    headers.for_each([&](std::string_view name, std::string_view value) {
        if (equals_ignoring_case(name, "X-Forwarded-For")) chain.append(",").append(value);
    });
    // From the right: each proxy appends whom it saw. The first that is no proxy of ours is the client; what
    // stands before it is the client's own claim.
    std::string address = peer;
    while (is_trusted_proxy(address)) {
        const auto comma = chain.rfind(',');
        if (comma == std::string::npos) break;
        const auto text = std::string(trim(std::string_view(chain).substr(comma + 1)));
        chain.resize(comma);
        boost::system::error_code error;
        const auto parsed = asio::ip::make_address(text, error);
        if (error) break;
        address = parsed.to_string();
    }
    return address;
}

Response refuse(const Refusal& refusal, std::string_view request_id) {
    json::Object object;
    object["type"] = "/problems/" + std::string(refusal.reason);
    object["title"] = reason_phrase(refusal.status);
    object["status"] = refusal.status;
    object["detail"] = refusal.detail;
    object["request_id"] = request_id;
    auto response = Response::of(std::move(object), refusal.status);
    response.headers.set("Content-Type", "application/problem+json");
    response.headers.add("Cache-Control", "no-store");
    return response;
}

Failure failure_of(const std::exception_ptr& exception, std::string_view request_id) {
    const Error hidden(ErrorCode::internal,
                       "Something went wrong here. It was noted under this request's id.");
    try {
        std::rethrow_exception(exception);
    } catch (const Error& error) {
        auto detail = error.detail().empty() ? error.message() : error.detail();
        if (error.code() != ErrorCode::internal) return {problem(error, request_id), std::move(detail)};
        return {problem(hidden, request_id), error.message() + ": " + error.detail()};
    } catch (const std::exception& error) {
        return {problem(hidden, request_id), error.what()};
    } catch (...) {
        return {problem(hidden, request_id), "an exception of unknown type"};
    }
}

}  // namespace spaktok::http
