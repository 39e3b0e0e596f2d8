// The table `users`. Names of its rules become errors here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "features/accounts/account.h"

namespace spaktok::accounts {

// A row; `account.profile_picture_url` is the stored path.
struct StoredUser {
    Account account;
    std::string password_hash;
    Status status = Status::active;
};

class Store {
  public:
    explicit Store(relational::Database& database) : database_(database) {}

    boost::asio::awaitable<bool> has_users();
    // Throws Error{conflict, "username_taken" | "email_taken"}.
    boost::asio::awaitable<void> insert(StoredUser user);
    // Only where there is no user at all; false otherwise.
    boost::asio::awaitable<bool> insert_first(StoredUser user);

    boost::asio::awaitable<std::optional<StoredUser>> find(UserId id);
    boost::asio::awaitable<std::optional<StoredUser>> find_by_username(std::string username);
    // Username or email.
    boost::asio::awaitable<std::optional<StoredUser>> find_by_login(std::string login);
    boost::asio::awaitable<std::vector<StoredUser>> find_many(std::vector<UserId> ids);
    boost::asio::awaitable<std::vector<StoredUser>> list(std::string after, std::int64_t limit);

    // Reads and writes in one transaction, so that two changes at once both count. nullopt where there is no
    // such user. Throws Error{conflict, "email_taken"}.
    boost::asio::awaitable<std::optional<StoredUser>> change(UserId id, AccountChanges changes, Timestamp at);
    boost::asio::awaitable<void> set_password_hash(UserId id, std::string hash, Timestamp at);
    // Only if the hash is still `from`: a password that was changed meanwhile stays.
    boost::asio::awaitable<void> replace_password_hash(UserId id, std::string from, std::string to);
    // Returns the path that was stored before.
    boost::asio::awaitable<std::optional<std::string>> set_picture(UserId id, std::optional<std::string> path,
                                                                   Timestamp at);
    boost::asio::awaitable<void> set_role(UserId id, Role role, Timestamp at);
    boost::asio::awaitable<void> mark_streamer(UserId id, Timestamp at);

  private:
    relational::Database& database_;
};

}  // namespace spaktok::accounts
