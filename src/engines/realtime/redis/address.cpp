#include "engines/realtime/redis/address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <boost/url/parse.hpp>

#include "base/error.h"

namespace spaktok::realtime::redis {

namespace {

constexpr int database_max = 16'383;

struct Scheme {
    std::string_view text;
    Address::Form form;
    bool tls;
    const char* usual_port;
};
constexpr std::array schemes{
    Scheme{"redis://", Address::Form::server, false, "6379"},
    Scheme{"rediss://", Address::Form::server, true, "6379"},
    Scheme{"redis+sentinel://", Address::Form::sentinels, false, "26379"},
    Scheme{"rediss+sentinel://", Address::Form::sentinels, true, "26379"},
    Scheme{"redis+cluster://", Address::Form::cluster, false, "6379"},
    Scheme{"rediss+cluster://", Address::Form::cluster, true, "6379"},
};

const Scheme* scheme_of(std::string_view url) {
    const auto* found =
        std::ranges::find_if(schemes, [&](const Scheme& each) { return url.starts_with(each.text); });
    return found == schemes.end() ? nullptr : found;
}

[[noreturn]] void refuse() {
    throw Error(ErrorCode::invalid_argument,
                "The realtime engine's URL must be redis://[user:password@]host[:port][/database], "
                "redis+sentinel://[user:password@]host[:port],…/master[/database] or "
                "redis+cluster://[user:password@]host[:port],…; with TLS rediss://, rediss+sentinel:// or "
                "rediss+cluster://.",
                {.field = "realtime"});
}

int parse_number(std::string_view text, int maximum) {
    int number = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || number < 0 || number > maximum) refuse();
    return number;
}

// What stands before the hosts, each of them, and what stands behind them.
struct Pieces {
    std::string_view login;
    std::vector<std::string_view> hosts;
    std::string_view rest;
};
Pieces split(std::string_view text) {
    Pieces pieces;
    auto authority = text.substr(0, text.find_first_of("/?#"));
    pieces.rest = text.substr(authority.size());
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        pieces.login = authority.substr(0, at + 1);
        authority.remove_prefix(at + 1);
    }
    for (;;) {
        const auto comma = authority.find(',');
        pieces.hosts.push_back(authority.substr(0, comma));
        if (comma == std::string_view::npos) return pieces;
        authority.remove_prefix(comma + 1);
    }
}

Endpoint endpoint_of(const boost::urls::url_view& url, const char* usual_port) {
    if (url.host().empty()) refuse();
    if (url.has_port() && parse_number(url.port(), 65'535) == 0) refuse();
    return {.host = url.host_type() == boost::urls::host_type::ipv6 ? url.host_address() : url.host(),
            .port = url.has_port() ? std::string(url.port()) : usual_port};
}

void read_path(const boost::urls::url_view& url, Address& address) {
    std::vector<std::string> parts;
    for (const auto& part : url.segments())
        parts.push_back(part);
    if (address.form == Address::Form::sentinels) {
        if (parts.empty() || parts.front().empty()) refuse();
        address.master = parts.front();
        parts.erase(parts.begin());
    }
    if (parts.size() > 1) refuse();
    // A cluster has but one database.
    const int maximum = address.form == Address::Form::cluster ? 0 : database_max;
    if (!parts.empty()) address.login.database = parse_number(parts.front(), maximum);
}

}  // namespace

bool is_address(const std::string& url) {
    return scheme_of(url) != nullptr;
}

Address parse_address(const std::string& text) {
    const Scheme* scheme = scheme_of(text);
    if (scheme == nullptr) refuse();
    const auto pieces = split(std::string_view(text).substr(scheme->text.size()));
    if (pieces.hosts.size() > (scheme->form == Address::Form::server ? 1 : endpoints_max)) refuse();
    Address address{.form = scheme->form, .endpoints = {}, .login = {.tls = scheme->tls}};
    for (const auto host : pieces.hosts) {
        // The URL as if there were but this host: what is not a host is the same in all of them.
        const std::string one =
            "redis://" + std::string(pieces.login) + std::string(host) + std::string(pieces.rest);
        const auto parsed = boost::urls::parse_uri(one);
        if (!parsed.has_value() || parsed->has_fragment()) refuse();
        address.endpoints.push_back(endpoint_of(*parsed, scheme->usual_port));
        if (address.endpoints.size() > 1) continue;
        address.login.user = parsed->user();
        address.login.password = parsed->password();
        read_path(*parsed, address);
        for (const auto& parameter : parsed->params()) {
            if (parameter.key != "ca" || !scheme->tls) refuse();
            address.login.ca_file = parameter.value;
        }
    }
    return address;
}

}  // namespace spaktok::realtime::redis
