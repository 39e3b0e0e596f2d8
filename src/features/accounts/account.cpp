#include "features/accounts/account.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/text.h"

namespace spaktok::accounts {

namespace {

constexpr std::string_view lower_letters = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view upper_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view digits = "0123456789";

// Paths of the page and the API, and names that would let their bearer speak for the server. Sorted.
constexpr std::array<std::string_view, 71> reserved_usernames = {
    "about",     "account",   "accounts", "admin",     "administrator", "all",      "anonymous",
    "api",       "app",       "assets",   "badges",    "blog",          "bot",      "challenges",
    "chat",      "code",      "deleted",  "docs",      "everyone",      "explore",  "feed",
    "followers", "following", "go_live",  "guest",     "healthz",       "help",     "here",
    "home",      "host",      "instance", "live",      "login",         "logout",   "media",
    "messages",  "metrics",   "mod",      "moderator", "news",          "nobody",   "notifications",
    "null",      "official",  "owner",    "posts",     "privacy",       "readyz",   "reels",
    "register",  "root",      "search",   "security",  "server",        "settings", "setup",
    "sign_in",   "sign_up",   "signin",   "signup",    "spaktok",       "staff",    "stories",
    "streams",   "support",   "system",   "terms",     "undefined",     "users",    "videos",
    "wallet"};
static_assert(std::ranges::is_sorted(reserved_usernames));

// What is tried first, of at least password_length_min characters, in lower case. Sorted.
constexpr std::array<std::string_view, 48> common_passwords = {
    "00000000000000", "0123456789",  "0987654321",    "1122334455",    "11223344556677", "123123123123",
    "1234512345",     "1234567890",  "12345678900",   "12345678901",   "123456789012",   "1234567891",
    "12345678910",    "123456789a",  "123456789q",    "1q2w3e4r5t",    "1q2w3e4r5t6y",   "1qaz2wsx3edc",
    "9876543210",     "abcdefghij",  "administrator", "asdfasdfasdf",  "asdfghjkl1",     "asdfghjkl;",
    "basketball",     "changeme123", "charlie123",    "football123",   "iloveyou123",    "letmein123",
    "liverpool1",     "manchester",  "michael123",    "passw0rd123",   "password01",     "password1!",
    "password12",     "password123", "password1234",  "password12345", "q1w2e3r4t5",     "q1w2e3r4t5y6",
    "qazwsxedcrfv",   "qwerty12345", "qwertyuiop",    "qwertyuiop123", "superman123",    "zxcvbnm123"};

static_assert(std::ranges::is_sorted(common_passwords));

[[noreturn]] void refuse(std::string_view field, std::string message, std::string reason = "invalid_field") {
    throw Error(ErrorCode::invalid_argument, std::move(message),
                {.field = std::string(field), .reason = std::move(reason)});
}

bool is_in(std::string_view set, char c) {
    return set.find(c) != std::string_view::npos;
}

bool consists_of(std::string_view text, std::initializer_list<std::string_view> sets) {
    return std::ranges::all_of(
        text, [&](char c) { return std::ranges::any_of(sets, [c](auto set) { return is_in(set, c); }); });
}

// Marks that turn the direction of what follows (Unicode's bidirectional overrides and isolates,
// U+202A–U+202E and U+2066–U+2069): with them a name can disguise itself as another.
bool has_direction_marks(std::string_view text) {
    for (std::size_t i = 0; i + 2 < text.size(); ++i) {
        const auto last = static_cast<unsigned char>(text[i + 2]);
        if (text.substr(i, 2) == "\xE2\x80" && last >= 0xAA && last <= 0xAE) return true;
        if (text.substr(i, 2) == "\xE2\x81" && last >= 0xA6 && last <= 0xA9) return true;
    }
    return false;
}

// Nothing but `unit`, over and over.
bool repeats(std::string_view text, std::string_view unit) {
    if (unit.empty()) return false;
    while (text.substr(0, unit.size()) == unit)
        text.remove_prefix(unit.size());
    return text.empty();
}

bool is_domain(std::string_view domain) {
    int labels = 0;
    for (;;) {
        const auto dot = domain.find('.');
        const auto label = domain.substr(0, dot);
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
        if (!consists_of(label, {lower_letters, upper_letters, digits, "-"})) return false;
        ++labels;
        if (dot == std::string_view::npos) return labels >= 2;
        domain.remove_prefix(dot + 1);
    }
}

}  // namespace

Role parse_role(std::string_view word) {
    Role role{};
    if (!boost::describe::enum_from_string(std::string(word).c_str(), role)) {
        refuse("role", "A role is user, moderator or admin.");
    }
    return role;
}

UserSummary summary_of(const Account& account) {
    return {.id = account.id,
            .username = account.username,
            .display_name = account.display_name,
            .profile_picture_url = account.profile_picture_url};
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

std::span<const std::string_view> reserved_username_list() {
    return reserved_usernames;
}

bool is_reserved_username(std::string_view username) {
    return std::ranges::binary_search(reserved_usernames, lower(username));
}

std::string checked_username(std::string_view username) {
    if (username.size() < username_length_min || username.size() > username_length_max) {
        refuse("username", "A username has 3 to 30 characters.");
    }
    if (!consists_of(username, {lower_letters, upper_letters, digits, "_"})) {
        refuse("username", "A username has only letters from a to z, digits and _.");
    }
    if (is_reserved_username(username)) {
        refuse("username", "This username is kept for the server.", "username_reserved");
    }
    return std::string(username);
}

std::string checked_email(std::string_view email) {
    email = text::trim(email);
    if (email.size() > email_length_max) refuse("email", "An email address has at most 255 characters.");
    const auto at = email.find('@');
    // RFC 5321, section 4.5.3.1.1: at most 64 octets before the @.
    const bool local_is_right =
        at != std::string_view::npos && at >= 1 && at <= 64 &&
        consists_of(email.substr(0, at), {lower_letters, upper_letters, digits, ".!#$%&'*+/=?^_`{|}~-"});
    if (!local_is_right || !is_domain(email.substr(at + 1))) refuse("email", "This is not an email address.");
    return std::string(email);
}

std::string checked_display_name(std::string_view name) {
    auto kept = text::checked(name, "display_name", {.length_min = 1, .length_max = display_name_length_max});
    if (has_direction_marks(kept))
        refuse("display_name", "A display name does not turn the direction of writing.");
    return kept;
}

std::string checked_bio(std::string_view bio) {
    std::string kept(bio);
    std::erase(kept, '\r');
    return text::checked(kept, "bio", {.length_max = bio_length_max, .lines = true});
}

std::string checked_country(std::string_view country) {
    if (!country.empty() && (country.size() != 2 || !consists_of(country, {upper_letters}))) {
        refuse("country", "A country is a code of two capital letters (ISO 3166-1), such as NL.");
    }
    return std::string(country);
}

std::string checked_language(std::string_view language) {
    const auto valid = [](std::string_view tag) {
        const auto dash = tag.find('-');
        const auto primary = tag.substr(0, dash);
        if (primary.size() < 2 || primary.size() > 3 || !consists_of(primary, {lower_letters})) return false;
        if (dash == std::string_view::npos) return true;
        const auto rest = tag.substr(dash + 1);
        if (rest.size() == 2) return consists_of(rest, {upper_letters});
        return rest.size() == 4 && is_in(upper_letters, rest[0]) &&
               consists_of(rest.substr(1), {lower_letters});
    };
    if (!language.empty() && !valid(language))
        refuse("language", "A language is a tag such as en, pt-BR or zh-Hant.");
    return std::string(language);
}

std::vector<std::string> checked_skills(std::vector<std::string> skills) {
    if (skills.size() > skills_max) refuse("skills", "There are at most 20 skills.");
    std::vector<std::string> kept;
    std::unordered_set<std::string> seen;
    for (const auto& given : skills) {
        auto skill = text::checked(given, "skills", {.length_min = 1, .length_max = skill_length_max});
        if (seen.insert(lower(skill)).second) kept.push_back(std::move(skill));
    }
    return kept;
}

void check_password(std::string_view password, const PasswordOwner& owner, std::string_view field) {
    const auto length = text::length(password).value_or(0);
    if (length < password_length_min || length > password_length_max) {
        refuse(field, "A password has 10 to 200 characters.");
    }
    const auto lowered = lower(password);
    const bool repeats_one = repeats(lowered, text::prefix(lowered, 1));
    const bool names_owner = lowered == lower(owner.username) || lowered == lower(owner.email);
    if (repeats_one || names_owner ||
        std::ranges::binary_search(common_passwords, std::string_view(lowered))) {
        refuse(field, "This password is too easy to guess.", "weak_password");
    }
}

NewAccount checked(NewAccount account) {
    account.username = checked_username(account.username);
    account.email = checked_email(account.email);
    check_password(account.password, {.username = account.username, .email = account.email}, "password");
    account.display_name =
        account.display_name ? checked_display_name(*account.display_name) : account.username;
    return account;
}

AccountChanges checked(AccountChanges changes) {
    if (changes.display_name) changes.display_name = checked_display_name(*changes.display_name);
    if (changes.bio) changes.bio = checked_bio(*changes.bio);
    if (changes.country) changes.country = checked_country(*changes.country);
    if (changes.language) changes.language = checked_language(*changes.language);
    if (changes.skills) changes.skills = checked_skills(std::move(*changes.skills));
    if (changes.email) changes.email = checked_email(*changes.email);
    return changes;
}

}  // namespace spaktok::accounts
