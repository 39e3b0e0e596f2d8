#include "features/accounts/account_store.h"

#include "base/assert.h"

namespace spaktok::accounts {

namespace asio = boost::asio;
using relational::ConstraintViolation;
using relational::Mode;
using relational::Result;
using relational::Row;
using relational::Statement;
using relational::Transaction;

namespace {

// A macro, because statements are joined at compile time.
#define SPAKTOK_USER_COLUMNS                                                                                 \
    "id, username, email, password_hash, COALESCE(display_name, username) AS display_name, COALESCE(bio, "   \
    "'') AS bio, "                                                                                           \
    "profile_picture_url, country, language, skills, points, role, status, is_streamer, email_verified_at, " \
    "created_at, updated_at"
#define SPAKTOK_NEW_USER "id, username, email, password_hash, display_name, role, created_at, updated_at"

constexpr Statement any_user{
    .name = "any_user", .sql = "SELECT id FROM users LIMIT 1", .mode = Mode::point_read};
constexpr Statement insert_user{
    .name = "insert_user",
    .sql = "INSERT INTO users (" SPAKTOK_NEW_USER ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    .mode = Mode::write};
constexpr Statement find_user{.name = "find_user",
                              .sql = "SELECT " SPAKTOK_USER_COLUMNS " FROM users WHERE id = $1",
                              .mode = Mode::point_read};
constexpr Statement find_user_by_username{
    .name = "find_user_by_username",
    .sql = "SELECT " SPAKTOK_USER_COLUMNS " FROM users WHERE lower(username) = $1",
    .mode = Mode::point_read};
constexpr Statement find_user_by_email{
    .name = "find_user_by_email",
    .sql = "SELECT " SPAKTOK_USER_COLUMNS " FROM users WHERE lower(email) = $1",
    .mode = Mode::point_read};
constexpr Statement find_users{
    .name = "find_users",
    .sql = "SELECT " SPAKTOK_USER_COLUMNS " FROM users WHERE id IN (SELECT value FROM json_each($1))",
    .postgres_sql =
        "SELECT " SPAKTOK_USER_COLUMNS
        " FROM users WHERE id IN (SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb) AS e (value))",
    .mode = Mode::point_read};
constexpr Statement list_users{
    .name = "list_users",
    .sql = "SELECT " SPAKTOK_USER_COLUMNS
           " FROM users WHERE lower(username) > $1 AND status <> 'deleted' ORDER BY lower(username) LIMIT $2",
    .mode = Mode::read,
    .list = true};
constexpr Statement update_user{
    .name = "update_user",
    .sql =
        "UPDATE users SET display_name = $1, bio = $2, country = $3, language = $4, "
        "skills = $5, email = $6, email_verified_at = $7, updated_at = $8 WHERE id = $9",
    .mode = Mode::write};
constexpr Statement update_password_hash{
    .name = "update_password_hash",
    .sql = "UPDATE users SET password_hash = $1, updated_at = $2 WHERE id = $3",
    .mode = Mode::write};
constexpr Statement replace_hash{
    .name = "replace_password_hash",
    .sql = "UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3",
    .mode = Mode::write};
constexpr Statement update_picture{
    .name = "update_user_picture",
    .sql = "UPDATE users SET profile_picture_url = $1, updated_at = $2 WHERE id = $3",
    .mode = Mode::write};
constexpr Statement update_role{.name = "update_user_role",
                                .sql = "UPDATE users SET role = $1, updated_at = $2 WHERE id = $3",
                                .mode = Mode::write};
constexpr Statement update_is_streamer{
    .name = "mark_streamer",
    .sql = "UPDATE users SET is_streamer = TRUE, updated_at = $1 WHERE id = $2 AND NOT is_streamer",
    .mode = Mode::write};

template <class Enum>
Enum word(const Row& row, std::string_view column) {
    Enum value{};
    SPAKTOK_ASSERT(boost::describe::enum_from_string(row.get<std::string>(column).c_str(), value));
    return value;
}
std::string word_of(Role role) {
    return boost::describe::enum_to_string(role, "");
}

StoredUser user_of(const Row& row) {
    StoredUser user;
    auto& account = user.account;
    account.id = row.get<UserId>("id");
    account.username = row.get<std::string>("username");
    account.email = row.get<std::string>("email");
    account.display_name = row.get<std::string>("display_name");
    account.bio = row.get<std::string>("bio");
    account.profile_picture_url = row.get<std::optional<std::string>>("profile_picture_url");
    account.country = row.get<std::optional<std::string>>("country");
    account.language = row.get<std::optional<std::string>>("language");
    account.skills = json::from_value<std::vector<std::string>>(row.get<boost::json::value>("skills"));
    account.points = row.get<std::int64_t>("points");
    account.role = word<Role>(row, "role");
    account.is_streamer = row.get<bool>("is_streamer");
    account.email_verified_at = row.get<std::optional<Timestamp>>("email_verified_at");
    account.created_at = row.get<Timestamp>("created_at");
    account.updated_at = row.get<Timestamp>("updated_at");
    user.password_hash = row.get<std::string>("password_hash");
    user.status = word<Status>(row, "status");
    return user;
}

std::optional<StoredUser> first_of(const Result& result) {
    if (result.empty()) return std::nullopt;
    return user_of(result[0]);
}
std::vector<StoredUser> all_of(const Result& result) {
    std::vector<StoredUser> users;
    users.reserve(result.size());
    for (const auto row : result)
        users.push_back(user_of(row));
    return users;
}

[[noreturn]] void refuse(const ConstraintViolation& violation) {
    if (violation.constraint() == "idx_users_username") {
        throw Error(ErrorCode::conflict, "This username is taken.",
                    {.field = "username", .reason = "username_taken"});
    }
    if (violation.constraint() == "idx_users_email") {
        throw Error(ErrorCode::conflict, "There is an account with this email address already.",
                    {.field = "email", .reason = "email_taken"});
    }
    throw violation;
}

asio::awaitable<Result> insert_row(Transaction& tx, const StoredUser& user) {
    const auto& account = user.account;
    co_return co_await tx.query(insert_user, account.id, account.username, account.email, user.password_hash,
                                account.display_name, word_of(account.role), account.created_at,
                                account.updated_at);
}

// Empty becomes NULL.
std::optional<std::string> cleared(const std::optional<std::string>& change,
                                   const std::optional<std::string>& before) {
    if (!change) return before;
    if (change->empty()) return std::nullopt;
    return change;
}

void apply(const AccountChanges& changes, Account& account) {
    if (changes.display_name) account.display_name = *changes.display_name;
    if (changes.bio) account.bio = *changes.bio;
    account.country = cleared(changes.country, account.country);
    account.language = cleared(changes.language, account.language);
    if (changes.skills) account.skills = *changes.skills;
    if (changes.email && *changes.email != account.email) {
        account.email = *changes.email;
        account.email_verified_at.reset();
    }
}

}  // namespace

asio::awaitable<bool> Store::has_users() {
    const auto result = co_await database_.query(any_user);
    co_return !result.empty();
}

asio::awaitable<void> Store::insert(StoredUser user) {
    try {
        co_await database_.transaction(
            [user](Transaction& tx) -> asio::awaitable<void> { co_await insert_row(tx, user); });
    } catch (const ConstraintViolation& violation) {
        refuse(violation);
    }
}

asio::awaitable<bool> Store::insert_first(StoredUser user) {
    co_return co_await database_.transaction([user](Transaction& tx) -> asio::awaitable<bool> {
        const auto others = co_await tx.query(any_user);
        if (!others.empty()) co_return false;
        co_await insert_row(tx, user);
        co_return true;
    });
}

asio::awaitable<std::optional<StoredUser>> Store::find(UserId id) {
    co_return first_of(co_await database_.query(find_user, id));
}
asio::awaitable<std::optional<StoredUser>> Store::find_by_username(std::string username) {
    co_return first_of(co_await database_.query(find_user_by_username, lower(username)));
}
asio::awaitable<std::optional<StoredUser>> Store::find_by_login(std::string login) {
    // A username has no '@', an email has one.
    const bool is_email = login.find('@') != std::string::npos;
    co_return first_of(
        co_await database_.query(is_email ? find_user_by_email : find_user_by_username, lower(login)));
}

asio::awaitable<std::vector<StoredUser>> Store::find_many(std::vector<UserId> ids) {
    co_return all_of(co_await database_.query(find_users, json::to_value(ids)));
}
asio::awaitable<std::vector<StoredUser>> Store::list(std::string after, std::int64_t limit) {
    co_return all_of(co_await database_.query(list_users, lower(after), limit));
}

asio::awaitable<std::optional<StoredUser>> Store::change(UserId id, AccountChanges changes, Timestamp at) {
    try {
        co_return co_await database_.transaction(
            [id, changes, at](Transaction& tx) -> asio::awaitable<std::optional<StoredUser>> {
                auto user = first_of(co_await tx.query(find_user, id));
                if (!user) co_return std::nullopt;
                auto& account = user->account;
                apply(changes, account);
                account.updated_at = at;
                co_await tx.query(update_user, account.display_name, account.bio, account.country,
                                  account.language, json::to_value(account.skills), account.email,
                                  account.email_verified_at, at, id);
                co_return user;
            });
    } catch (const ConstraintViolation& violation) {
        refuse(violation);
    }
}

asio::awaitable<void> Store::set_password_hash(UserId id, std::string hash, Timestamp at) {
    co_await database_.query(update_password_hash, std::move(hash), at, id);
}
asio::awaitable<void> Store::replace_password_hash(UserId id, std::string from, std::string to) {
    co_await database_.query(replace_hash, std::move(to), id, std::move(from));
}

asio::awaitable<std::optional<std::string>> Store::set_picture(UserId id, std::optional<std::string> path,
                                                               Timestamp at) {
    co_return co_await database_.transaction(
        [id, path, at](Transaction& tx) -> asio::awaitable<std::optional<std::string>> {
            const auto user = first_of(co_await tx.query(find_user, id));
            if (!user) throw Error(ErrorCode::not_found, "There is no such user.");
            co_await tx.query(update_picture, path, at, id);
            co_return user->account.profile_picture_url;
        });
}

asio::awaitable<void> Store::set_role(UserId id, Role role, Timestamp at) {
    co_await database_.query(update_role, word_of(role), at, id);
}
asio::awaitable<void> Store::mark_streamer(UserId id, Timestamp at) {
    co_await database_.query(update_is_streamer, at, id);
}

}  // namespace spaktok::accounts
