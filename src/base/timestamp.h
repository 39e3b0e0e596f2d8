// A moment in UTC with millisecond resolution, as stored and as answered by the API.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace spaktok {

using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

// RFC 3339 with exactly three decimals and `Z`: 2026-01-31T08:09:10.123Z (24 characters).
std::string to_rfc3339(Timestamp at);
// Any RFC 3339 date-time with years 1970–9999; decimals beyond milliseconds are cut. Leap seconds are
// refused.
std::optional<Timestamp> parse_rfc3339(std::string_view text);

inline std::int64_t to_unix_milliseconds(Timestamp at) {
    return at.time_since_epoch().count();
}
inline Timestamp from_unix_milliseconds(std::int64_t count) {
    return Timestamp{std::chrono::milliseconds{count}};
}

}  // namespace spaktok
