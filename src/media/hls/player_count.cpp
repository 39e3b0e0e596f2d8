#include "media/hls/player_count.h"

#include <algorithm>
#include <functional>

namespace spaktok::media::hls {
namespace {

bool is_word(std::string_view session) {
    return !session.empty() && session.size() <= PlayerCount::session_characters_max &&
           std::ranges::all_of(session, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
           });
}

}  // namespace

void PlayerCount::seen(std::string_view session, std::chrono::steady_clock::time_point now) {
    if (!is_word(session)) return;
    const std::scoped_lock lock(mutex_);
    const std::uint64_t player = std::hash<std::string_view>{}(session);
    if (const auto it = last_seen_.find(player); it != last_seen_.end()) {
        it->second = now;
        return;
    }
    // A full table is swept at most once a second, so that a flood of invented words costs a lookup each.
    if (last_seen_.size() >= players_max_ && now - forgot_at_ >= std::chrono::seconds(1)) forget(now);
    if (last_seen_.size() < players_max_) last_seen_.emplace(player, now);
}

std::int64_t PlayerCount::count(std::chrono::steady_clock::time_point now) {
    const std::scoped_lock lock(mutex_);
    forget(now);
    return static_cast<std::int64_t>(last_seen_.size());
}

void PlayerCount::forget(std::chrono::steady_clock::time_point now) {
    std::erase_if(last_seen_, [&](const auto& entry) { return now - entry.second > lifetime; });
    forgot_at_ = now;
}

}  // namespace spaktok::media::hls
