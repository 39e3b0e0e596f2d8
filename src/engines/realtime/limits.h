// What every adapter of the realtime port refuses, so that what works on one works on all.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include "engines/realtime/realtime.h"

namespace spaktok::realtime {

inline constexpr std::size_t topic_bytes_max = 200;
inline constexpr std::size_t payload_bytes_max = 256 * 1024;
inline constexpr std::size_t history_messages_max = 10'000;
inline constexpr std::chrono::hours history_age_max{24};
inline constexpr std::size_t key_bytes_max = 512;  // of key-values, sets, counters, boards, places
inline constexpr std::size_t value_bytes_max = 1024 * 1024;
inline constexpr std::size_t set_member_bytes_max = 512;
inline constexpr std::size_t set_members_max = 1'000;
inline constexpr std::size_t ranking_page_max = 1'000;
// A repeated event is recognised as long as it is among the board's last ones; the outbox repeats within
// seconds.
inline constexpr std::size_t ranking_events_kept = 10'000;
inline constexpr std::chrono::hours expiry_max{24 * 366 * 10};
inline constexpr std::chrono::seconds presence_lifetime{15};

// Each throws Error{invalid_argument} or, for what is too large, Error{payload_too_large}.
void check_topic(std::string_view topic);
void check_publish(std::string_view topic, std::string_view payload, const HistoryLimits& history);
void check_key(std::string_view key);
void check_value(std::string_view value);
void check_set_member(std::string_view member);
void check_expiry(std::optional<std::chrono::milliseconds> expires_after);
void check_score(double score);
void check_ranking_page(std::size_t limit);

}  // namespace spaktok::realtime
