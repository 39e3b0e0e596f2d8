// A person's account: values and pure rules. No I/O here.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace spaktok::accounts {

enum class Role { user, moderator, admin };
BOOST_DESCRIBE_ENUM(Role, user, moderator, admin)
enum class Status { active, suspended, deleted };
BOOST_DESCRIBE_ENUM(Status, active, suspended, deleted)

// Throws Error{invalid_argument, field "role"} for anything else than the three words.
Role parse_role(std::string_view word);

// Limits of api/openapi.yaml. Lengths are counted in code points, as the databases count them.
inline constexpr std::size_t username_length_min = 3;
inline constexpr std::size_t username_length_max = 30;
inline constexpr std::size_t email_length_max = 255;
inline constexpr std::size_t display_name_length_max = 100;
inline constexpr std::size_t bio_length_max = 500;
inline constexpr std::size_t skills_max = 20;
inline constexpr std::size_t skill_length_max = 30;
// NIST SP 800-63B asks for at least 8 and to take 64; hashing makes length cheap, so the upper bound only
// stops abuse.
inline constexpr std::size_t password_length_min = 10;
inline constexpr std::size_t password_length_max = 200;

// How others are shown next to what they do.
struct UserSummary {
    UserId id;
    std::string username;
    std::string display_name;
    std::optional<std::string> profile_picture_url;  // as answered: below the media base
    bool operator==(const UserSummary&) const = default;
};
BOOST_DESCRIBE_STRUCT(UserSummary, (), (id, username, display_name, profile_picture_url))

// One's own account, as `Account` of the API.
struct Account {
    UserId id;
    std::string username;
    std::string email;
    std::string display_name;
    std::string bio;
    std::optional<std::string> profile_picture_url;
    std::optional<std::string> country;
    std::optional<std::string> language;
    std::vector<std::string> skills;
    std::int64_t points = 0;
    Role role = Role::user;
    bool is_streamer = false;
    std::optional<Timestamp> email_verified_at;
    Timestamp created_at{};
    Timestamp updated_at{};
};
BOOST_DESCRIBE_STRUCT(Account, (),
                      (id, username, email, display_name, bio, profile_picture_url, country, language, skills,
                       points, role, is_streamer, email_verified_at, created_at, updated_at))

UserSummary summary_of(const Account& account);

struct NewAccount {
    std::string username;
    std::string email;
    std::string password;
    std::optional<std::string> display_name;
};

// What a PATCH changes; absent members stay. An empty country or language clears it.
struct AccountChanges {
    std::optional<std::string> display_name;
    std::optional<std::string> bio;
    std::optional<std::string> country;
    std::optional<std::string> language;
    std::optional<std::vector<std::string>> skills;
    std::optional<std::string> email;
};

// ---- rules: each returns the value as it is stored, or throws Error{invalid_argument} with field and, where
// clients branch on it, reason. ASCII letters, digits and '_', not a reserved name. Unique without regard to
// case, shown as typed.
std::string checked_username(std::string_view username);
bool is_reserved_username(std::string_view username);
// In lower case, sorted.
std::span<const std::string_view> reserved_username_list();
// local@domain as browsers check it (HTML's definition of a valid e-mail address), with a dot in the domain,
// ASCII only.
std::string checked_email(std::string_view email);
std::string checked_display_name(std::string_view name);
std::string checked_bio(std::string_view bio);
std::string checked_country(std::string_view country);
std::string checked_language(std::string_view language);
std::vector<std::string> checked_skills(std::vector<std::string> skills);
struct PasswordOwner {
    std::string_view username;
    std::string_view email;
};
// Length and strength. `field` names the JSON member.
void check_password(std::string_view password, const PasswordOwner& owner, std::string_view field);
// All fields, in the order of the schema; the result has them as they are stored.
NewAccount checked(NewAccount account);
AccountChanges checked(AccountChanges changes);

// ASCII only: names and addresses are.
std::string lower(std::string_view text);

}  // namespace spaktok::accounts
