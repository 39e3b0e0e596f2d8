#include "http/router.h"

#include <array>
#include <map>

#include "base/assert.h"
#include "http/syntax.h"

namespace spaktok::http {

namespace {

constexpr std::size_t methods_count = 7;
constexpr std::array<Method, methods_count> all_methods{
    Method::get, Method::head, Method::post, Method::put, Method::patch, Method::delete_, Method::options};
using RouteByMethod = std::array<std::unique_ptr<Route>, methods_count>;

bool has_any(const RouteByMethod& routes) {
    for (const auto& route : routes) {
        if (route) return true;
    }
    return false;
}

const Route* find_method(const RouteByMethod& routes, Method method) {
    const auto& exact = routes[static_cast<std::size_t>(method)];
    if (exact) return exact.get();
    return method == Method::head ? routes[static_cast<std::size_t>(Method::get)].get() : nullptr;
}

std::vector<Method> allowed_methods(const RouteByMethod& routes) {
    std::vector<Method> allowed;
    for (const auto method : all_methods) {
        if (find_method(routes, method) != nullptr) allowed.push_back(method);
    }
    return allowed;
}

// The names in the braces of a pattern, in order, without the dots of `{rest...}`.
std::vector<std::string_view> param_names(std::string_view pattern) {
    std::vector<std::string_view> names;
    for (auto begin = pattern.find('{'); begin != std::string_view::npos;
         begin = pattern.find('{', begin + 1)) {
        auto name = pattern.substr(begin + 1, pattern.find('}', begin) - begin - 1);
        if (name.ends_with("...")) name.remove_suffix(3);
        names.push_back(name);
    }
    return names;
}

std::string_view take_segment(std::string_view& path) {
    const auto end = path.find('/');
    const auto segment = path.substr(0, end);
    path = end == std::string_view::npos ? std::string_view{} : path.substr(end + 1);
    return segment;
}

}  // namespace

struct Router::Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> param;
    RouteByMethod routes;       // of the path that ends here
    RouteByMethod rest_routes;  // of `{rest...}` from here on

    // The most specific place of the path that has any route: it decides, so that /users/me is never taken
    // for a user's name. `path`: what follows the slash. `values` holds the parameters on the way.
    const RouteByMethod* find(std::string_view path, bool at_end, std::vector<std::string>& values) const;

  private:
    const RouteByMethod* find_segment(std::string_view segment, std::string_view rest, bool rest_at_end,
                                      std::vector<std::string>& values) const;
    bool take_rest(std::string_view path, std::vector<std::string>& values) const;
};

const RouteByMethod* Router::Node::find(std::string_view path, bool at_end,
                                        std::vector<std::string>& values) const {
    if (at_end) return has_any(routes) ? &routes : nullptr;
    auto rest = path;
    const auto segment = take_segment(rest);
    const bool rest_at_end = segment.size() == path.size();
    if (!segment.empty()) {
        if (const auto* found = find_segment(segment, rest, rest_at_end, values)) return found;
    }
    if (has_any(rest_routes) && take_rest(path, values)) return &rest_routes;
    return nullptr;
}

const RouteByMethod* Router::Node::find_segment(std::string_view segment, std::string_view rest,
                                                bool rest_at_end, std::vector<std::string>& values) const {
    std::string decoded;
    std::string_view text = segment;
    if (segment.find('%') != std::string_view::npos) {
        auto result = percent_decode(segment);
        if (!result) return nullptr;
        decoded = std::move(*result);
        text = decoded;
    }
    if (const auto literal = literals.find(text); literal != literals.end()) {
        if (const auto* found = literal->second->find(rest, rest_at_end, values)) return found;
    }
    if (!param || !is_utf8(text)) return nullptr;
    const auto before = values.size();
    values.emplace_back(text);
    if (const auto* found = param->find(rest, rest_at_end, values)) return found;
    values.resize(before);
    return nullptr;
}

bool Router::Node::take_rest(std::string_view path, std::vector<std::string>& values) const {
    std::string joined;
    auto rest = path;
    for (bool first = true; first || !rest.empty(); first = false) {
        const auto segment = percent_decode(take_segment(rest));
        // A slash that was encoded, `.` and `..` would let a name step out of where the handler looks.
        if (!segment || segment->empty() || *segment == "." || *segment == ".." ||
            segment->find('/') != std::string::npos) {
            return false;
        }
        if (!first) joined.push_back('/');
        joined += *segment;
    }
    if (path.ends_with('/')) return false;
    values.push_back(std::move(joined));
    return true;
}

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(Method method, std::string pattern, RouteOptions options, Handler handler) {
    SPAKTOK_ASSERT(pattern.starts_with('/') && handler != nullptr);
    Node* node = root_.get();
    std::string_view rest = std::string_view(pattern).substr(1);
    RouteByMethod* place = nullptr;
    while (!rest.empty()) {
        const auto segment = take_segment(rest);
        SPAKTOK_ASSERT(!segment.empty());
        if (segment.starts_with('{') && segment.ends_with("...}")) {
            SPAKTOK_ASSERT(rest.empty());
            place = &node->rest_routes;
            break;
        }
        auto& next = segment.starts_with('{') ? node->param : node->literals[std::string(segment)];
        if (!next) next = std::make_unique<Node>();
        node = next.get();
    }
    if (place == nullptr) place = &node->routes;
    auto& slot = (*place)[static_cast<std::size_t>(method)];
    SPAKTOK_ASSERT(slot == nullptr);
    slot = std::make_unique<Route>(Route{method, std::move(pattern), options, std::move(handler)});
    routes_.push_back(slot.get());
}

void Router::set_fallback(Handler handler) {
    fallback_ = std::move(handler);
}
const Handler& Router::fallback() const {
    return fallback_;
}
std::vector<const Route*> Router::routes() const {
    return routes_;
}

Router::Match Router::find(Method method, std::string_view path) const {
    Match match;
    if (!path.starts_with('/')) return match;
    std::vector<std::string> values;
    const auto* found = root_->find(path.substr(1), path.size() == 1, values);
    if (found == nullptr) return match;
    match.route = find_method(*found, method);
    if (match.route == nullptr) {
        match.allowed = allowed_methods(*found);
        return match;
    }
    if (values.empty()) return match;
    const auto names = param_names(match.route->pattern);
    SPAKTOK_ASSERT(names.size() == values.size());
    match.params.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        match.params.emplace_back(names[i], std::move(values[i]));
    return match;
}

}  // namespace spaktok::http
