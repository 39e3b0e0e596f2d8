#include "http/sessions.h"

#include <algorithm>
#include <array>
#include <span>

#include <openssl/sha.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "http/syntax.h"

namespace spaktok::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t device_bytes_max = 200;
constexpr std::size_t token_bytes = 32;
constexpr std::size_t token_characters_max = 64;  // ours have 43; anything longer is not worth hashing
constexpr auto refresh_interval = std::chrono::minutes(1);
constexpr std::size_t refreshed_max = 50'000;

// The store never sees the token: whoever reads the store cannot act as anyone.
std::string hash_of(std::string_view token) {
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
    return hex::encode(digest);
}

std::string session_key(std::string_view hash) {
    return "session:" + std::string(hash);
}
// When it was last used. A key of its own: writing it again can never bring back a session that was just
// ended.
std::string seen_key(std::string_view hash) {
    return "session_seen:" + std::string(hash);
}
std::string user_key(UserId user) {
    return "user_sessions:" + user.to_string();
}

// A member of the user's set: "<session id> <hash of the token>".
std::string member_of(const std::string& id, const std::string& hash) {
    return id + " " + hash;
}
std::string id_of_member(const std::string& member) {
    return member.substr(0, member.find(' '));
}
std::string hash_of_member(const std::string& member) {
    return member.substr(member.find(' ') + 1);
}

std::string cut_utf8(std::string text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    text.resize(bytes_max);
    while (!text.empty() && !is_utf8(text))
        text.pop_back();
    return text;
}

// "https://live.example.org" of "https://Live.example.org:443/path".
std::string origin_of(std::string_view url) {
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos) return {};
    auto origin = std::string(url.substr(0, url.find('/', scheme_end + 3)));
    std::transform(origin.begin(), origin.end(), origin.begin(), to_lower_ascii);
    const std::string_view default_port = origin.starts_with("https:") ? ":443" : ":80";
    if (origin.ends_with(default_port)) origin.resize(origin.size() - default_port.size());
    return origin;
}

std::string_view authority_of(std::string_view origin) {
    return origin.substr(origin.find("://") + 3);
}

std::optional<std::string_view> cookie_value(std::string_view header, std::string_view name) {
    while (!header.empty()) {
        const auto end = header.find(';');
        const auto pair = trim(header.substr(0, end));
        header = end == std::string_view::npos ? std::string_view{} : header.substr(end + 1);
        if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
            return pair.substr(name.size() + 1);
        }
    }
    return std::nullopt;
}

}  // namespace

// What the store holds under a session's key; never written again.
struct StoredSession {
    std::string id;
    UserId user_id;
    Timestamp created_at{};
    std::string device;
};
BOOST_DESCRIBE_STRUCT(StoredSession, (), (id, user_id, created_at, device))

Sessions::Sessions(realtime::KeyValues& store, const Clock& clock, Random& random, Options options)
    : store_(store),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      origin_(origin_of(options_.public_url)),
      secure_(origin_.starts_with("https://")) {
    // The prefix makes the browser refuse the cookie unless it is Secure, for this host only and for all
    // paths (RFC 6265bis, 4.1.3.2), so that a neighbouring subdomain cannot plant one.
    cookie_name_ = secure_ ? "__Host-spaktok_session" : "spaktok_session";
}

asio::awaitable<Sessions::Created> Sessions::create(UserId user, std::string device) {
    const auto now = clock_.now();
    const auto token = random_.token(token_bytes);
    const auto hash = hash_of(token);
    StoredSession stored{Uuid::v7(now, random_).to_string(), user, now,
                         cut_utf8(std::move(device), device_bytes_max)};
    if (!is_utf8(stored.device)) stored.device.clear();
    // The session before its place in the list: a list that is read in between must not take the place for a
    // leftover.
    co_await store_.put(session_key(hash), json::serialize(stored), {.expires_after = options_.lifetime});
    co_await store_.set_add(user_key(user), member_of(stored.id, hash));
    co_await end_oldest(user);
    co_return Created{token, Session{stored.id, user, now, now, stored.device, false}};
}

asio::awaitable<void> Sessions::end_oldest(UserId user) {
    auto members = co_await store_.set_members(user_key(user));
    const auto allowed = static_cast<std::size_t>(std::max(1, options_.per_user_max));
    if (members.size() <= allowed) co_return;
    std::sort(members.begin(), members.end());  // ids are of version 7: by time
    members.resize(members.size() - allowed);
    for (const auto& member : members)
        co_await remove(user, member);
}

asio::awaitable<std::optional<Session>> Sessions::load(std::string hash) {
    const auto value = co_await store_.get(session_key(hash));
    if (!value) co_return std::nullopt;
    auto stored = json::from_value<StoredSession>(json::parse(*value));
    co_return Session{std::move(stored.id), stored.user_id,           stored.created_at,
                      stored.created_at,    std::move(stored.device), false};
}

asio::awaitable<std::optional<Session>> Sessions::find(std::string token) {
    if (token.empty() || token.size() > token_characters_max) co_return std::nullopt;
    auto hash = hash_of(token);
    auto session = co_await load(hash);
    if (!session) co_return std::nullopt;
    session->last_seen_at = clock_.now();
    if (needs_refresh(hash, *session)) co_await refresh(std::move(hash), session->id);
    co_return session;
}

bool Sessions::needs_refresh(const std::string& hash, const Session& session) {
    const auto now = session.last_seen_at;
    // Just made: its expiry is new.
    if (now - session.created_at < refresh_interval) return false;
    const std::lock_guard lock(refreshed_mutex_);
    // Full: begin anew. The price is one more touch for each session, not more memory.
    if (refreshed_.size() >= refreshed_max) refreshed_.clear();
    const auto [it, is_new] = refreshed_.try_emplace(hash, now);
    if (!is_new && now - it->second < refresh_interval) return false;
    it->second = now;
    return true;
}

asio::awaitable<void> Sessions::refresh(std::string hash, std::string session_id) {
    try {
        if (!co_await store_.touch(session_key(hash), options_.lifetime)) co_return;
        co_await store_.put(seen_key(hash), std::to_string(to_unix_milliseconds(clock_.now())),
                            {.expires_after = options_.lifetime});
    } catch (const Error& error) {
        // The session is valid all the same; the next request after a minute tries again.
        log::warning("session was not refreshed",
                     {{"session", session_id}, {"error", error.message()}, {"detail", error.detail()}});
    }
}

asio::awaitable<std::vector<Session>> Sessions::list(UserId user) {
    std::vector<Session> sessions;
    for (const auto& member : co_await store_.set_members(user_key(user))) {
        const auto hash = hash_of_member(member);
        auto session = co_await load(hash);
        if (!session) {
            co_await store_.set_remove(user_key(user),
                                       member);  // expired: members do not expire by themselves
            continue;
        }
        if (const auto seen = co_await store_.get(seen_key(hash))) {
            if (const auto milliseconds = parse_decimal(*seen)) {
                session->last_seen_at = from_unix_milliseconds(static_cast<std::int64_t>(*milliseconds));
            }
        }
        sessions.push_back(std::move(*session));
    }
    std::sort(sessions.begin(), sessions.end(), [](const Session& left, const Session& right) {
        return std::tie(left.last_seen_at, left.id) > std::tie(right.last_seen_at, right.id);
    });
    co_return sessions;
}

asio::awaitable<void> Sessions::remove(UserId user, std::string member) {
    const auto hash = hash_of_member(member);
    co_await store_.remove(session_key(hash));
    co_await store_.set_remove(user_key(user), member);
    co_await store_.remove(seen_key(hash));
    {
        const std::lock_guard lock(refreshed_mutex_);
        refreshed_.erase(hash);
    }
    const auto id = id_of_member(member);
    for (const auto& callback : ended_callbacks_)
        callback(user, id);
}

asio::awaitable<bool> Sessions::end(UserId user, std::string session_id) {
    for (const auto& member : co_await store_.set_members(user_key(user))) {
        if (id_of_member(member) != session_id) continue;
        co_await remove(user, member);
        co_return true;
    }
    co_return false;
}

asio::awaitable<void> Sessions::end_all(UserId user, std::string except) {
    for (const auto& member : co_await store_.set_members(user_key(user))) {
        if (id_of_member(member) != except) co_await remove(user, member);
    }
}

void Sessions::on_ended(std::function<void(UserId, const std::string&)> callback) {
    ended_callbacks_.push_back(std::move(callback));
}

std::optional<std::string> Sessions::token_of(const Request& request, bool& from_cookie) const {
    from_cookie = false;
    if (const auto authorization = request.headers.get("Authorization")) {
        constexpr std::string_view scheme = "Bearer ";
        // Whoever states credentials is judged by them, never by a cookie that came along.
        if (!starts_ignoring_case(*authorization, scheme)) return std::nullopt;
        return std::string(trim(authorization->substr(scheme.size())));
    }
    const auto cookies = request.headers.get("Cookie");
    const auto value = cookies ? cookie_value(*cookies, cookie_name_) : std::nullopt;
    if (!value || value->empty()) return std::nullopt;
    from_cookie = true;
    return std::string(*value);
}

std::string Sessions::cookie(const std::string& token) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.lifetime).count();
    return cookie_name_ + "=" + token + "; Path=/; Max-Age=" + std::to_string(seconds) +
           "; HttpOnly; SameSite=Lax" + (secure_ ? "; Secure" : "");
}

std::string Sessions::expired_cookie() const {
    return cookie_name_ + "=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax" + (secure_ ? "; Secure" : "");
}

bool Sessions::is_same_origin(const Request& request) const {
    const auto origin = request.headers.get("Origin");
    if (!origin) return request.headers.get("Sec-Fetch-Site") == "same-origin";
    const auto theirs = origin_of(*origin);
    if (theirs.empty()) return false;  // "null": a sandboxed frame, a local file
    if (theirs == origin_) return true;
    // The operator may use another name of the server (localhost, an address): the page then asks the host
    // that it came from, and no other site can make a browser do that. An https site trusts no page that came
    // over plain HTTP.
    if (secure_ && !theirs.starts_with("https://")) return false;
    const auto host = request.headers.get("Host").value_or("");
    const auto scheme = theirs.substr(0, theirs.find("://") + 3);
    return !host.empty() && authority_of(theirs) == authority_of(origin_of(scheme + std::string(host)));
}

}  // namespace spaktok::http
