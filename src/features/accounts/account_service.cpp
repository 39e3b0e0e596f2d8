#include "features/accounts/account_service.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <sodium.h>

#include "base/hex.h"
#include "base/log.h"
#include "features/accounts/account_store.h"
#include "features/accounts/sign_in_guard.h"
#include "features/cache/expiring_cache.h"

namespace spaktok::accounts {

namespace asio = boost::asio;

namespace {

constexpr std::string_view setup_key = "setup_token";
constexpr std::size_t setup_token_bytes = 32;
// Longest that another node's change of a name or picture stays unseen here.
constexpr std::chrono::seconds known_life{10};
constexpr std::size_t known_max = 20'000;

std::string hash_of(const std::string& token) {
    std::array<std::uint8_t, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(token.data()), token.size());
    return hex::encode(digest);
}

Error no_such_user() {
    return Error(ErrorCode::not_found, "There is no such user.");
}
Error invalid_setup_token() {
    return Error(ErrorCode::forbidden, "This is not the link that the server printed last.",
                 {.field = "token", .reason = "invalid_setup_token"});
}
Error setup_done() {
    return Error(ErrorCode::conflict, "This server is set up already.", {.reason = "setup_done"});
}

std::string picture_key(UserId user, const Uuid& picture) {
    return "pictures/" + user.to_string() + "/" + picture.to_string() + ".webp";
}
constexpr std::string_view media_prefix = "/media/";

struct Known {
    Account account;  // as answered
    Status status = Status::active;
};
using KnownUser = std::shared_ptr<const Known>;

}  // namespace

struct Service::State {
    explicit State(Options given)
        : options(std::move(given)),
          store(options.database),
          guard(options.realtime.counters()),
          known(options.clock, {.life = known_life, .entries_max = known_max}),
          names(options.clock, {.life = known_life, .entries_max = known_max}) {}

    StoredUser new_user(const NewAccount& account, std::string password_hash, Role role);
    Account answered(const StoredUser& user) const;
    asio::awaitable<StoredUser> existing(UserId user);
    asio::awaitable<StoredUser> existing_login(std::string login);
    asio::awaitable<std::unordered_map<UserId, KnownUser>> load(std::vector<UserId> ids);
    asio::awaitable<std::unordered_map<UserId, KnownUser>> look_up(std::vector<UserId> ids);
    asio::awaitable<void> prove_password(StoredUser user, Proof proof);
    asio::awaitable<void> remove_blob(std::string path);

    Options options;
    Store store;
    SignInGuard guard;
    cache::ExpiringCache<UserId, KnownUser> known;
    cache::ExpiringCache<std::string, UserId> names;  // by username, in lower case
    std::atomic<bool> has_users{false};  // once true, true for good: rows of users are never deleted
};

Service::Service(Options options) : state_(std::make_unique<State>(std::move(options))) {}
Service::~Service() = default;

StoredUser Service::State::new_user(const NewAccount& account, std::string password_hash, Role role) {
    StoredUser user;
    user.account.id = UserId::make(options.clock.now(), options.random);
    user.account.username = account.username;
    user.account.email = account.email;
    user.account.display_name = account.display_name.value_or(account.username);
    user.account.role = role;
    user.account.created_at = user.account.id.value.timestamp();
    user.account.updated_at = user.account.created_at;
    user.password_hash = std::move(password_hash);
    return user;
}

// As the API shows it: the picture's path below the media base.
Account Service::State::answered(const StoredUser& user) const {
    Account account = user.account;
    if (account.profile_picture_url)
        account.profile_picture_url = options.media_base_url + *account.profile_picture_url;
    return account;
}

asio::awaitable<StoredUser> Service::State::existing(UserId id) {
    auto user = co_await store.find(id);
    if (!user || user->status == Status::deleted) throw no_such_user();
    co_return std::move(*user);
}

asio::awaitable<StoredUser> Service::State::existing_login(std::string login) {
    auto user = co_await store.find_by_login(std::move(login));
    if (!user || user->status == Status::deleted) throw no_such_user();
    co_return std::move(*user);
}

// Throws {rate_limited} or {forbidden "wrong_password"}.
asio::awaitable<void> Service::State::prove_password(StoredUser user, Proof proof) {
    const SignInGuard::Attempt attempt{.subject = user.account.id.to_string(),
                                       .remote_address = proof.remote_address};
    co_await guard.begin(attempt);
    const auto verified = co_await options.passwords.verify(user.password_hash, proof.current_password);
    if (!verified.matches) {
        throw Error(ErrorCode::forbidden, "This is not your password.",
                    {.field = "current_password", .reason = "wrong_password"});
    }
    co_await guard.succeeded(attempt);
}

// ---- the first administrator
bool Service::is_registration_open() const {
    return state_->options.registration == Registration::open;
}

asio::awaitable<bool> Service::is_setup_required() {
    if (state_->has_users) co_return false;
    if (co_await state_->store.has_users()) state_->has_users = true;
    co_return !state_->has_users;
}

asio::awaitable<std::optional<std::string>> Service::create_setup_token() {
    if (!co_await is_setup_required()) co_return std::nullopt;
    auto token = state_->options.random.token(setup_token_bytes);
    co_await state_->options.realtime.key_values().put(std::string(setup_key), hash_of(token),
                                                       {.durable = true});
    co_return token;
}

asio::awaitable<Account> Service::set_up(std::string token, NewAccount account) {
    auto& key_values = state_->options.realtime.key_values();
    if (!co_await is_setup_required()) throw setup_done();
    account = checked(std::move(account));
    const std::string given = hash_of(token);
    const auto expected = co_await key_values.get(std::string(setup_key));
    if (!expected || *expected != given) throw invalid_setup_token();  // hashes: comparing them leaks nothing
    auto password_hash = co_await state_->options.passwords.hash(account.password);
    const auto user = state_->new_user(account, std::move(password_hash), Role::admin);
    // Of several with the same link, one gets it.
    const auto taken = co_await key_values.take(std::string(setup_key));
    if (!taken || *taken != given) throw invalid_setup_token();
    bool is_first = false;
    std::exception_ptr failure;
    try {
        is_first = co_await state_->store.insert_first(user);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {  // the link stays good for another attempt
        co_await key_values.put(std::string(setup_key), *taken, {.durable = true});
        std::rethrow_exception(failure);
    }
    if (!is_first) throw setup_done();
    state_->has_users = true;
    log::info("server set up", {{"administrator", user.account.username}});
    co_return state_->answered(user);
}

// ---- accounts
asio::awaitable<Account> Service::sign_up(NewAccount account) {
    if (co_await is_setup_required()) {
        throw Error(ErrorCode::forbidden, "This server has no administrator yet.",
                    {.reason = "setup_required"});
    }
    if (!is_registration_open()) {
        throw Error(ErrorCode::forbidden, "This server takes no new accounts.",
                    {.reason = "registration_closed"});
    }
    co_return co_await create_user(std::move(account), Role::user);
}

asio::awaitable<Account> Service::create_user(NewAccount account, Role role) {
    account = checked(std::move(account));
    auto password_hash = co_await state_->options.passwords.hash(account.password);
    const auto user = state_->new_user(account, std::move(password_hash), role);
    co_await state_->store.insert(user);
    state_->has_users = true;
    log::info("account made",
              {{"username", user.account.username}, {"user_id", user.account.id.to_string()}});
    co_return state_->answered(user);
}

asio::awaitable<Account> Service::authenticate(Credentials credentials) {
    auto user = co_await state_->store.find_by_login(credentials.login);
    if (user && user->status == Status::deleted) user.reset();
    const SignInGuard::Attempt attempt{
        .subject = user ? user->account.id.to_string() : lower(credentials.login),
        .remote_address = credentials.remote_address};
    co_await state_->guard.begin(attempt);
    const std::string hash = user ? user->password_hash : std::string{};
    const auto verified = co_await state_->options.passwords.verify(hash, credentials.password);
    if (!verified.matches) {
        throw Error(ErrorCode::unauthenticated, "The login or the password is wrong.",
                    {.reason = "wrong_credentials"});
    }
    co_await state_->guard.succeeded(attempt);
    if (user->status == Status::suspended) {
        throw Error(ErrorCode::forbidden, "This account is suspended.", {.reason = "account_suspended"});
    }
    if (verified.needs_rehash) {
        auto fresh = co_await state_->options.passwords.hash(credentials.password);
        co_await state_->store.replace_password_hash(user->account.id, hash, std::move(fresh));
    }
    co_return state_->answered(*user);
}

asio::awaitable<Account> Service::account(UserId user) {
    co_return state_->answered(co_await state_->existing(user));
}

asio::awaitable<Account> Service::update(UserId user, AccountChanges changes, Proof proof) {
    changes = checked(std::move(changes));
    const auto before = co_await state_->existing(user);
    const bool moves_email = changes.email && *changes.email != before.account.email;
    if (moves_email) co_await state_->prove_password(before, std::move(proof));
    const auto after = co_await state_->store.change(user, std::move(changes), state_->options.clock.now());
    if (!after) throw no_such_user();
    state_->known.drop(user);
    co_return state_->answered(*after);
}

asio::awaitable<void> Service::change_password(UserId user, std::string session_id, Proof proof,
                                               std::string new_password) {
    const auto stored = co_await state_->existing(user);
    co_await state_->prove_password(stored, std::move(proof));
    check_password(new_password, {.username = stored.account.username, .email = stored.account.email},
                   "new_password");
    auto hash = co_await state_->options.passwords.hash(std::move(new_password));
    co_await state_->store.set_password_hash(user, std::move(hash), state_->options.clock.now());
    co_await state_->options.sessions.end_all(user, std::move(session_id));
}

// A blob that stays behind costs only its bytes: never a reason to fail what the user asked for.
asio::awaitable<void> Service::State::remove_blob(std::string path) {
    if (!path.starts_with(media_prefix)) co_return;
    try {
        co_await options.blobs.remove(path.substr(media_prefix.size()));
    } catch (const Error& error) {
        log::warning("old picture not removed", {{"path", path}, {"problem", error.message()}});
    }
}

asio::awaitable<Account> Service::set_picture(UserId user, std::string bytes) {
    co_await state_->existing(user);
    check_picture(bytes);
    auto webp = co_await state_->options.process_picture(std::move(bytes));
    const auto now = state_->options.clock.now();
    const auto key = picture_key(user, Uuid::v7(now, state_->options.random));
    co_await state_->options.blobs.put(key, std::move(webp), "image/webp");
    const auto before = co_await state_->store.set_picture(user, std::string(media_prefix) + key, now);
    state_->known.drop(user);
    if (before) co_await state_->remove_blob(*before);
    co_return co_await account(user);
}

asio::awaitable<void> Service::remove_picture(UserId user) {
    const auto before = co_await state_->store.set_picture(user, std::nullopt, state_->options.clock.now());
    state_->known.drop(user);
    if (before) co_await state_->remove_blob(*before);
}

// ---- for other features
asio::awaitable<std::unordered_map<UserId, KnownUser>> Service::State::load(std::vector<UserId> ids) {
    std::unordered_map<UserId, KnownUser> loaded;
    for (const auto& user : co_await store.find_many(std::move(ids)))
        loaded.emplace(user.account.id, std::make_shared<const Known>(answered(user), user.status));
    co_return loaded;
}

asio::awaitable<std::unordered_map<UserId, KnownUser>> Service::State::look_up(std::vector<UserId> ids) {
    return cache::get_all(known, std::move(ids),
                          [this](std::vector<UserId> missing) { return load(std::move(missing)); });
}

asio::awaitable<std::unordered_map<UserId, UserSummary>> Service::summaries(std::vector<UserId> ids) {
    std::unordered_map<UserId, UserSummary> result;
    for (auto& [id, known] : co_await state_->look_up(std::move(ids)))
        result.emplace(id, summary_of(known->account));
    co_return result;
}

asio::awaitable<UserSummary> Service::summary(UserId id) {
    const auto found = co_await state_->look_up({id});
    if (found.empty()) throw no_such_user();
    co_return summary_of(found.begin()->second->account);
}

asio::awaitable<Role> Service::role(UserId user) {
    const auto found = co_await state_->look_up({user});
    if (found.empty()) throw no_such_user();
    co_return found.begin()->second->account.role;
}

asio::awaitable<Account> Service::account_by_username(std::string username) {
    username = lower(username);
    if (const auto id = state_->names.get(username)) {
        const auto found = co_await state_->look_up({*id});
        if (found.empty() || found.begin()->second->status != Status::active) throw no_such_user();
        co_return found.begin()->second->account;
    }
    const auto ticket = state_->names.ticket(username);
    const auto user = co_await state_->store.find_by_username(username);
    if (!user || user->status != Status::active) throw no_such_user();
    state_->names.put(username, user->account.id, ticket);
    co_return state_->answered(*user);
}

asio::awaitable<UserId> Service::find_by_username(std::string username) {
    const auto found = co_await account_by_username(std::move(username));
    co_return found.id;
}

asio::awaitable<void> Service::mark_streamer(UserId user) {
    co_await state_->store.mark_streamer(user, state_->options.clock.now());
    state_->known.drop(user);
}

std::string Service::media_url(const std::string& path) const {
    return state_->options.media_base_url + path;
}

// ---- for the command line
asio::awaitable<void> Service::reset_password(std::string login, std::string new_password) {
    const auto user = co_await state_->existing_login(std::move(login));
    check_password(new_password, {.username = user.account.username, .email = user.account.email},
                   "password");
    auto hash = co_await state_->options.passwords.hash(std::move(new_password));
    co_await state_->store.set_password_hash(user.account.id, std::move(hash), state_->options.clock.now());
    co_await state_->options.sessions.end_all(user.account.id);
}

asio::awaitable<Account> Service::set_role(std::string login, Role role) {
    auto user = co_await state_->existing_login(std::move(login));
    co_await state_->store.set_role(user.account.id, role, state_->options.clock.now());
    state_->known.drop(user.account.id);
    user.account.role = role;
    co_return state_->answered(user);
}

asio::awaitable<std::vector<Account>> Service::list_users(std::string after, std::int64_t limit) {
    std::vector<Account> accounts;
    for (const auto& user : co_await state_->store.list(std::move(after), limit))
        accounts.push_back(state_->answered(user));
    co_return accounts;
}

}  // namespace spaktok::accounts
