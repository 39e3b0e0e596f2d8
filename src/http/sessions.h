// Signed-in sessions over the realtime engine: `session:<sha256 of token>`. Opaque tokens of 32 random bytes;
// only their hash is stored.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/realtime/realtime.h"
#include "http/request.h"

namespace spaktok::http {

class Sessions {
  public:
    struct Options {
        std::chrono::hours lifetime{24 * 30};  // sliding
        std::string public_url;  // https: `__Host-spaktok_session`, Secure; else `spaktok_session`
        int per_user_max = 50;   // the oldest is ended beyond that
    };
    Sessions(realtime::KeyValues& store, const Clock& clock, Random& random, Options options);

    struct Created {
        std::string token;
        Session session;
    };
    boost::asio::awaitable<Created> create(UserId user, std::string device);
    // nullopt for an unknown or expired token. Pushes the expiry at most once a minute.
    boost::asio::awaitable<std::optional<Session>> find(std::string token);
    boost::asio::awaitable<std::vector<Session>> list(UserId user);
    // False where the user has no such session.
    boost::asio::awaitable<bool> end(UserId user, std::string session_id);
    // Ends all of the user's sessions but `except` (empty: all).
    boost::asio::awaitable<void> end_all(UserId user, std::string except = "");

    // Called with the id of every session that was ended, on any thread: the gateway closes its sockets.
    void on_ended(std::function<void(UserId, const std::string& session_id)> callback);

    // Token of a request: `Authorization: Bearer …`, else the cookie.
    std::optional<std::string> token_of(const Request& request, bool& from_cookie) const;
    std::string cookie(const std::string& token) const;  // Set-Cookie's value
    std::string expired_cookie() const;
    // Whether an unsafe request or a WebSocket handshake with a cookie comes from our own page (Origin, else
    // Sec-Fetch-Site).
    bool is_same_origin(const Request& request) const;

  private:
    boost::asio::awaitable<void> refresh(std::string hash, std::string session_id);
    bool needs_refresh(const std::string& hash, const Session& session);
    boost::asio::awaitable<std::optional<Session>> load(std::string hash);
    boost::asio::awaitable<void> remove(UserId user, std::string member);
    boost::asio::awaitable<void> end_oldest(UserId user);

    realtime::KeyValues& store_;
    const Clock& clock_;
    Random& random_;
    Options options_;
    std::string origin_;  // of public_url: scheme, host and port; empty where there is none
    std::string cookie_name_;
    bool secure_ = false;
    std::vector<std::function<void(UserId, const std::string&)>> ended_callbacks_;

    // When a session's expiry was last pushed, by the hash of its token: no store is asked for what happened
    // within a minute.
    std::mutex refreshed_mutex_;
    std::unordered_map<std::string, Timestamp> refreshed_;
};

}  // namespace spaktok::http
