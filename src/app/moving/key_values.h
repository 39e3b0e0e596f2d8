// The realtime part that must survive: key-values such as sessions, and sets such as the sessions of a user.
#pragma once

#include <chrono>
#include <cstdint>

#include <boost/asio/awaitable.hpp>

#include "app/moving/journal.h"
#include "engines/realtime/realtime.h"

namespace spaktok::moving {

// What ends sooner is not worth the way: leases and caches.
inline constexpr std::chrono::minutes life_min{1};

boost::asio::awaitable<bool> is_empty(realtime::KeyValues& values);

boost::asio::awaitable<void> copy_key_values(realtime::KeyValues& source, realtime::KeyValues& target,
                                             Journal& journal, const Progress& progress);

struct KeyValuesCompared {
    std::int64_t compared = 0;  // values and sets
    std::int64_t missing = 0;   // those that the other has not, or with another content
};
// Both ways around it finds every difference but in how long values live.
boost::asio::awaitable<KeyValuesCompared> compare_with(realtime::KeyValues& from, realtime::KeyValues& other,
                                                       const Progress& progress);

}  // namespace spaktok::moving
