#include "engines/realtime/redis/cluster.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <boost/crc.hpp>

#include "engines/realtime/redis/failure.h"

namespace spaktok::realtime::redis {

namespace {

std::optional<std::size_t> slot_number(std::string_view text) {
    std::size_t number = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || number >= slots) return std::nullopt;
    return number;
}

// A server without a name is the one that was asked; "?" is one whose name is not known.
std::optional<Endpoint> server_of(const Reply& entry, const Endpoint& asked) {
    const std::string host = entry[0].is_nil() ? "" : std::string(entry[0].text());
    if (host == "?") return std::nullopt;
    return Endpoint{.host = host.empty() ? asked.host : host, .port = std::to_string(entry[1].integer())};
}

}  // namespace

std::size_t slot_of(std::string_view key) {
    if (const auto open = key.find('{'); open != std::string_view::npos) {
        const auto close = key.find('}', open + 1);
        if (close != std::string_view::npos && close != open + 1)
            key = key.substr(open + 1, close - open - 1);
    }
    boost::crc_optimal<16, 0x1021, 0, 0, false, false> checksum;
    checksum.process_bytes(key.data(), key.size());
    return checksum.checksum() % slots;
}

ClusterMap parse_map(const Reply& answer, const Endpoint& asked) {
    if (answer.is_error()) throw unavailable(std::string(answer.text()));
    ClusterMap map;
    for (std::size_t i = 0; i < answer.size(); ++i) {
        const Reply range = answer[i];
        const std::int64_t first = range[0].integer();
        const std::int64_t last = range[1].integer();
        if (first < 0 || last < first || last >= static_cast<std::int64_t>(slots))
            throw unavailable("the cluster tells of slots that there are not");
        for (std::size_t j = 2; j < range.size(); ++j) {
            const auto server = server_of(range[j], asked);
            if (!server) continue;
            if (std::ranges::find(map.servers, *server) == map.servers.end()) map.servers.push_back(*server);
            if (j > 2) continue;
            map.ranges.push_back({.first = static_cast<std::size_t>(first),
                                  .last = static_cast<std::size_t>(last),
                                  .master = *server});
        }
    }
    if (map.ranges.empty()) throw unavailable("the server at " + asked.text() + " knows of no slots");
    return map;
}

std::optional<Redirection> parse_redirection(std::string_view error, const Endpoint& asked) {
    const bool is_moved = error.starts_with("MOVED ");
    if (!is_moved && !error.starts_with("ASK ")) return std::nullopt;
    error.remove_prefix(error.find(' ') + 1);
    const auto space = error.find(' ');
    const auto colon = error.rfind(':');
    if (space == std::string_view::npos || colon == std::string_view::npos || colon < space)
        return std::nullopt;
    const auto slot = slot_number(error.substr(0, space));
    const auto host = error.substr(space + 1, colon - space - 1);
    if (!slot || host == "?") return std::nullopt;
    return Redirection{.is_moved = is_moved,
                       .slot = *slot,
                       .server = {.host = host.empty() ? asked.host : std::string(host),
                                  .port = std::string(error.substr(colon + 1))}};
}

}  // namespace spaktok::realtime::redis
