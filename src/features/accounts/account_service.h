// What people can do with their accounts, and how other features look people up.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/blob/blob_store.h"
#include "engines/realtime/realtime.h"
#include "engines/relational/database.h"
#include "features/accounts/account.h"
#include "features/accounts/password_hasher.h"
#include "features/accounts/picture.h"
#include "http/sessions.h"

namespace spaktok::accounts {

enum class Registration { open, closed };

// Thread-safe; lives as long as the program. What it refers to outlives it.
class Service {
  public:
    struct Options {
        relational::Database& database;
        realtime::Engine& realtime;
        blob::BlobStore& blobs;
        http::Sessions& sessions;
        PasswordHasher& passwords;
        const Clock& clock;
        Random& random;
        PictureProcessor process_picture;
        Registration registration = Registration::open;
        std::string media_base_url{};  // before "/media/…" in answers: empty, or a CDN's origin
    };
    explicit Service(Options options);
    ~Service();

    // ---- the first administrator
    bool is_registration_open() const;
    boost::asio::awaitable<bool> is_setup_required();
    // A new one-time token while there are no users (nullopt when there are); one made earlier stops working.
    boost::asio::awaitable<std::optional<std::string>> create_setup_token();
    // Throws Error{conflict "setup_done"}, a field's error, or {forbidden "invalid_setup_token"}, in this
    // order.
    boost::asio::awaitable<Account> set_up(std::string token, NewAccount account);

    // ---- accounts
    // Throws Error{forbidden "setup_required" | "registration_closed"}, a field's error, or {conflict
    // "username_taken" | "email_taken"}, in this order.
    boost::asio::awaitable<Account> sign_up(NewAccount account);
    struct Credentials {
        std::string login;  // username or email
        std::string password;
        std::string remote_address;
    };
    // Throws Error{rate_limited "too_many_attempts"}, {unauthenticated "wrong_credentials"} or {forbidden
    // "account_suspended"}.
    boost::asio::awaitable<Account> authenticate(Credentials credentials);
    // Throws Error{not_found} (deleted).
    boost::asio::awaitable<Account> account(UserId user);
    // `current_password` is asked for where the email changes. Throws a field's error, {rate_limited
    // "too_many_attempts"}, {forbidden "wrong_password"} or {conflict "email_taken"}.
    struct Proof {
        std::string current_password;
        std::string remote_address;
    };
    boost::asio::awaitable<Account> update(UserId user, AccountChanges changes, Proof proof);
    // Ends all sessions but `session_id`. Throws {rate_limited}, {forbidden "wrong_password"} or the new
    // password's error.
    boost::asio::awaitable<void> change_password(UserId user, std::string session_id, Proof proof,
                                                 std::string new_password);
    boost::asio::awaitable<Account> set_picture(UserId user, std::string bytes);
    boost::asio::awaitable<void> remove_picture(UserId user);

    // ---- for other features
    // Those of the ids that exist; from a short-lived cache, which a change in this process drops at once.
    boost::asio::awaitable<std::unordered_map<UserId, UserSummary>> summaries(std::vector<UserId> ids);
    // Throws Error{not_found}.
    boost::asio::awaitable<UserSummary> summary(UserId id);
    // Active users only, without regard to case; from the same cache. Throws Error{not_found}.
    boost::asio::awaitable<UserId> find_by_username(std::string username);
    boost::asio::awaitable<Account> account_by_username(std::string username);
    boost::asio::awaitable<Role> role(UserId user);
    // They have published; idempotent.
    boost::asio::awaitable<void> mark_streamer(UserId user);
    // A stored path ("/media/…") as it is answered.
    std::string media_url(const std::string& path) const;

    // ---- for the command line; `login` is a username or an email
    boost::asio::awaitable<Account> create_user(NewAccount account, Role role);
    // Ends all of the user's sessions.
    boost::asio::awaitable<void> reset_password(std::string login, std::string new_password);
    boost::asio::awaitable<Account> set_role(std::string login, Role role);
    // By username, after `after` (empty: from the first).
    boost::asio::awaitable<std::vector<Account>> list_users(std::string after, std::int64_t limit);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::accounts
