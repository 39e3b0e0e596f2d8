// The names under which the port's things stand in Redis. What is in braces is what Redis Cluster places by
// (https://redis.io/docs/reference/cluster-spec/#hash-tags): all keys of one topic, board or place together.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace spaktok::realtime::redis::keys {

// A key-value keeps its own name. Where that would be another thing's, it stands behind "value:".
inline std::string of_value(std::string_view key) {
    constexpr std::array<std::string_view, 6> taken{
        "counter:", "ranking:", "set:", "topic:", "value:", "viewers:"};
    const bool is_taken =
        std::ranges::any_of(taken, [&](std::string_view prefix) { return key.starts_with(prefix); });
    return (is_taken ? "value:" : "") + std::string(key);
}
inline constexpr std::string_view set_prefix = "set:";
inline std::string of_set(std::string_view key) {
    return std::string(set_prefix) + std::string(key);
}
// What a name of the server's is the key of; nullopt where it is no key-value's.
inline std::optional<std::string> value_of(std::string_view name) {
    if (of_value(name) == name) return std::string(name);
    constexpr std::string_view prefix = "value:";
    if (name.starts_with(prefix)) return std::string(name.substr(prefix.size()));
    return std::nullopt;
}
inline std::string of_counter(std::string_view key) {
    return "counter:" + std::string(key);
}

// The name as a hash tag. Empty braces are none, so what would look like them begins with a colon of its own.
inline std::string tagged(std::string_view name) {
    const bool is_escaped = name.empty() || name.front() == '}' || name.front() == ':';
    return (is_escaped ? "{:" : "{") + std::string(name) + "}";
}
inline std::string untagged(std::string_view tag) {
    const auto name = tag.substr(1, tag.size() - 2);
    return std::string(name.starts_with(':') ? name.substr(1) : name);
}

inline std::string of_board(std::string_view board) {
    return "ranking:" + tagged(board);
}
inline std::string of_board_events(std::string_view board) {
    return of_board(board) + ":events";
}

inline constexpr std::string_view topic_prefix = "topic:";
inline std::string of_topic(std::string_view topic) {
    return std::string(topic_prefix) + tagged(topic);
}
inline std::string topic_of(std::string_view name) {
    return untagged(name.substr(topic_prefix.size()));
}
inline std::string of_topic_state(std::string_view topic) {
    return of_topic(topic) + ":state";
}

// The nodes that count at a place stand at `viewers:{<stream>}`, their counts at `viewers:{<stream>}:<node>`.
inline std::string of_place(std::string_view place) {
    constexpr std::string_view usual = "viewers:";
    if (place.starts_with(usual)) return "viewers:" + tagged(place.substr(usual.size()));
    return "viewers::" + tagged(place);
}

}  // namespace spaktok::realtime::redis::keys
