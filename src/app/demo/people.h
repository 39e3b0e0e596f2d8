// Who lives in the demo. Their addresses end in a domain that can never be anyone's (RFC 2606), which is how
// the demo tells its own people from others.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spaktok::demo {

inline constexpr std::string_view email_domain = "@demo.invalid";

struct Person {
    std::string_view username;
    std::string_view display_name;
    std::string_view country;
    std::string_view bio;
    std::vector<std::string> skills;
};
// Twenty; the first is whom a newcomer signs in as.
std::span<const Person> people();
std::string email_of(const Person& person);

// Known to everyone who reads this: the account is an ordinary user's.
inline constexpr std::string_view visitor_password = "look-around-the-place";

}  // namespace spaktok::demo
