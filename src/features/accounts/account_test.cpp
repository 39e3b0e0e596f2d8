#include "features/accounts/account.h"

#include "features/testing/world.h"

namespace spaktok::accounts {

using features_testing::failure_of;

namespace {

std::string repeated(std::string_view text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i)
        result += text;
    return result;
}

struct Row {
    std::string given;
    std::string failure;  // empty: it is taken
};

TEST(AccountRules, OfUsernames) {
    const std::vector<Row> rows = {
        {"ada", ""},
        {"Ada_99", ""},
        {"___", ""},
        {std::string(30, 'a'), ""},
        {"ab", "invalid_argument invalid_field username"},
        {std::string(31, 'a'), "invalid_argument invalid_field username"},
        {"", "invalid_argument invalid_field username"},
        {"ada l", "invalid_argument invalid_field username"},
        {"ada-l", "invalid_argument invalid_field username"},
        {"adä", "invalid_argument invalid_field username"},
        {"a@b.org", "invalid_argument invalid_field username"},
        {"admin", "invalid_argument username_reserved username"},
        {"AdMiN", "invalid_argument username_reserved username"},
        {"wallet", "invalid_argument username_reserved username"},
        {"about", "invalid_argument username_reserved username"},
        {"admins", ""},
    };
    for (const auto& [given, failure] : rows) {
        EXPECT_EQ(failure_of([&] { EXPECT_EQ(checked_username(given), given); }), failure) << given;
    }
}

TEST(AccountRules, OfEmails) {
    const std::string host = "@" + repeated("d123456789.", 17) + "org";  // 191 characters
    const std::vector<Row> rows = {
        {"ada@example.org", ""},
        {"Ada.L+live@mail.Example.co.uk", ""},
        {"a!#$%&'*+/=?^_`{|}~-b@x-y.org", ""},
        {std::string(64, 'a') + host, ""},
        {std::string(65, 'a') + "@example.org", "invalid_argument invalid_field email"},
        {"a@" + std::string(63, 'd') + ".org", ""},
        {"a@" + std::string(64, 'd') + ".org", "invalid_argument invalid_field email"},
        {std::string(64, 'a') + "@" + repeated("d123456789.", 17) + "org", ""},
        {std::string(64, 'a') + "@e" + host.substr(1), "invalid_argument invalid_field email"},
        {"", "invalid_argument invalid_field email"},
        {"@example.org", "invalid_argument invalid_field email"},
        {"ada@", "invalid_argument invalid_field email"},
        {"ada", "invalid_argument invalid_field email"},
        {"ada@localhost", "invalid_argument invalid_field email"},
        {"ada@exa mple.org", "invalid_argument invalid_field email"},
        {"ada@@example.org", "invalid_argument invalid_field email"},
        {"ada@-example.org", "invalid_argument invalid_field email"},
        {"ada@example-.org", "invalid_argument invalid_field email"},
        {"ada@example..org", "invalid_argument invalid_field email"},
        {"ada@example.org.", "invalid_argument invalid_field email"},
        {"ädä@example.org", "invalid_argument invalid_field email"},
        {"a\nb@example.org", "invalid_argument invalid_field email"},
    };
    for (const auto& [given, failure] : rows) {
        if (failure.empty()) ASSERT_LE(given.size(), email_length_max);
        EXPECT_EQ(failure_of([&] { EXPECT_EQ(checked_email(given), given); }), failure)
            << given << " " << given.size();
    }
    EXPECT_EQ(checked_email("  ada@example.org\n"), "ada@example.org");
}

TEST(AccountRules, OfPasswords) {
    const std::vector<Row> rows = {
        {"correct horse", ""},
        {"ten chars!", ""},
        {"nine char", "invalid_argument invalid_field password"},
        {repeated("ä", 10), "invalid_argument weak_password password"},
        {"ääääääöööö", ""},
        {"äääää", "invalid_argument invalid_field password"},  // ten bytes, five characters
        {repeated("ab", 100), ""},
        {repeated("ab", 100) + "c", "invalid_argument invalid_field password"},
        {repeated("🐎🐄", 100), ""},
        {std::string(12, 'x'), "invalid_argument weak_password password"},
        {"1234567890", "invalid_argument weak_password password"},
        {"Password123", "invalid_argument weak_password password"},
        {"ada_lovelace", "invalid_argument weak_password password"},
        {"ADA_LOVELACE", "invalid_argument weak_password password"},
        {"Ada@Example.org", "invalid_argument weak_password password"},
    };
    for (const auto& [given, failure] : rows) {
        const auto check = [&] {
            check_password(given, {.username = "Ada_Lovelace", .email = "ada@example.org"}, "password");
        };
        EXPECT_EQ(failure_of(check), failure) << given;
    }
}

TEST(AccountRules, OfDisplayNames) {
    EXPECT_EQ(checked_display_name("  Ada L. \t"), "Ada L.");
    EXPECT_EQ(checked_display_name(repeated("ä", 100)), repeated("ä", 100));
    EXPECT_EQ(checked_display_name("👩‍💻"), "👩‍💻");
    for (const auto& bad :
         {std::string(), std::string("   "), repeated("ä", 101), std::string("a\nb"), std::string("a\x7F"),
          std::string("a\u0085"), std::string("a\u202Eb"), std::string("\u2066a"), std::string("a\u2069")}) {
        EXPECT_EQ(failure_of([&] { checked_display_name(bad); }),
                  "invalid_argument invalid_field display_name")
            << bad;
    }
}

TEST(AccountRules, OfBiosKeepLineBreaks) {
    EXPECT_EQ(checked_bio(" I stream\r\nwhat I build.\n"), "I stream\nwhat I build.");
    EXPECT_EQ(checked_bio(""), "");
    EXPECT_EQ(checked_bio(repeated("ä", 500)).size(), 1000u);
    EXPECT_EQ(failure_of([] { checked_bio(repeated("ä", 501)); }), "invalid_argument invalid_field bio");
    EXPECT_EQ(failure_of([] { checked_bio("a\x1B[31m"); }), "invalid_argument invalid_field bio");
}

TEST(AccountRules, OfCountriesAndLanguages) {
    for (const auto* good : {"", "NL", "BR"})
        EXPECT_EQ(checked_country(good), good);
    for (const auto* bad : {"nl", "NLD", "N", "N1"}) {
        EXPECT_EQ(failure_of([&] { checked_country(bad); }), "invalid_argument invalid_field country") << bad;
    }
    for (const auto* good : {"", "en", "fil", "pt-BR", "zh-Hant"})
        EXPECT_EQ(checked_language(good), good);
    for (const auto* bad : {"e", "english", "EN", "pt-br", "pt-", "zh-hant", "zh-Hant-TW", "en_US"}) {
        EXPECT_EQ(failure_of([&] { checked_language(bad); }), "invalid_argument invalid_field language")
            << bad;
    }
}

TEST(AccountRules, OfSkillsKeepEachOnce) {
    EXPECT_EQ(checked_skills({" C++ ", "Rust", "c++", "RUST"}), (std::vector<std::string>{"C++", "Rust"}));
    std::vector<std::string> many;
    for (int i = 0; i < 20; ++i)
        many.push_back("skill " + std::to_string(i));
    EXPECT_EQ(checked_skills(many), many);
    many.push_back("one more");
    for (const auto& bad : {many, {""}, {" "}, {std::string(31, 'a')}, {"a\nb"}}) {
        EXPECT_EQ(failure_of([&] { checked_skills(bad); }), "invalid_argument invalid_field skills");
    }
    EXPECT_EQ(checked_skills({repeated("ä", 30)}).front(), repeated("ä", 30));
}

TEST(AccountRules, OfANewAccountAreAppliedInTheOrderOfTheSchema) {
    NewAccount account{.username = "a", .email = "b", .password = "c", .display_name = ""};
    EXPECT_EQ(failure_of([&] { checked(account); }), "invalid_argument invalid_field username");
    account.username = "ada";
    EXPECT_EQ(failure_of([&] { checked(account); }), "invalid_argument invalid_field email");
    account.email = " ada@example.org";
    EXPECT_EQ(failure_of([&] { checked(account); }), "invalid_argument invalid_field password");
    account.password = "ada@example.org";
    EXPECT_EQ(failure_of([&] { checked(account); }), "invalid_argument weak_password password");
    account.password = "correct horse";
    EXPECT_EQ(failure_of([&] { checked(account); }), "invalid_argument invalid_field display_name");
    account.display_name.reset();
    EXPECT_EQ(checked(account).display_name, "ada");
    EXPECT_EQ(checked(account).email, "ada@example.org");
}

TEST(AccountRules, KnowThreeRoles) {
    EXPECT_EQ(parse_role("admin"), Role::admin);
    EXPECT_EQ(failure_of([] { parse_role("root"); }), "invalid_argument invalid_field role");
}

}  // namespace
}  // namespace spaktok::accounts
