// Players that are known only by their playlist fetches.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_map>

namespace spaktok::media::hls {

// Thread-safe. A player is a `session` word; it counts for `lifetime` after its last fetch.
class PlayerCount {
  public:
    static constexpr std::chrono::seconds lifetime{15};
    static constexpr std::size_t session_characters_max = 32;

    // Remembers at most `players_max`; beyond that the new ones are not counted until old ones are forgotten.
    explicit PlayerCount(std::size_t players_max = 50'000) : players_max_(players_max) {}

    // A word that is none (empty, too long, strange characters) is ignored.
    void seen(std::string_view session, std::chrono::steady_clock::time_point now);
    std::int64_t count(std::chrono::steady_clock::time_point now);

  private:
    void forget(std::chrono::steady_clock::time_point now);

    const std::size_t players_max_;
    std::mutex mutex_;
    std::unordered_map<std::uint64_t, std::chrono::steady_clock::time_point>
        last_seen_;  // by the word's hash
    std::chrono::steady_clock::time_point forgot_at_{};
};

}  // namespace spaktok::media::hls
