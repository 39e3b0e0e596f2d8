#include "engines/realtime/redis/address.h"

#include <charconv>
#include <string_view>

#include <boost/url/parse.hpp>

#include "base/error.h"

namespace spaktok::realtime::redis {

namespace {

constexpr int database_max = 16'383;

[[noreturn]] void refuse() {
    throw Error(ErrorCode::invalid_argument,
                "The realtime engine's URL must be redis://[user:password@]host[:port][/database], or "
                "rediss:// for TLS.",
                {.field = "realtime"});
}

int parse_number(std::string_view text, int maximum) {
    int number = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || number < 0 || number > maximum) refuse();
    return number;
}

}  // namespace

Address parse_address(const std::string& text) {
    const auto parsed = boost::urls::parse_uri(text);
    if (!parsed.has_value()) refuse();
    const auto& url = *parsed;
    const bool tls = url.scheme() == "rediss";
    if ((url.scheme() != "redis" && !tls) || url.host().empty() || url.has_fragment()) refuse();
    Address address{.host = url.host_type() == boost::urls::host_type::ipv6 ? url.host_address() : url.host(),
                    .tls = tls};
    if (url.has_port()) {
        if (parse_number(url.port(), 65'535) == 0) refuse();
        address.port = url.port();
    }
    address.user = url.user();
    address.password = url.password();
    const std::string path = url.path();
    if (!path.empty() && path != "/") address.database = parse_number(path.substr(1), database_max);
    for (const auto& parameter : url.params()) {
        if (parameter.key != "ca" || !tls) refuse();
        address.ca_file = parameter.value;
    }
    return address;
}

}  // namespace spaktok::realtime::redis
