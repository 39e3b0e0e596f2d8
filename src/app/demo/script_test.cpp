#include "app/demo/script.h"

#include <gtest/gtest.h>

#include "app/demo/people.h"
#include "app/demo/settings.h"
#include "features/accounts/account.h"
#include "features/chat/message.h"
#include "features/streams/stream.h"

namespace spaktok::demo {
namespace {

std::set<std::string_view> usernames() {
    std::set<std::string_view> all;
    for (const auto& person : people())
        all.insert(person.username);
    return all;
}

void expect_speakable(const Conversation& conversation, const std::set<std::string_view>& speakers) {
    ASSERT_FALSE(conversation.empty());
    for (std::size_t i = 0; i < conversation.size(); ++i) {
        const auto& line = conversation[i];
        EXPECT_TRUE(speakers.contains(line.speaker)) << line.speaker << ": " << line.text;
        EXPECT_EQ(chat::checked_content(line.text), line.text);
        EXPECT_LT(line.reply_to.value_or(0), std::max<std::size_t>(i, 1)) << line.text;
        // Nobody answers themselves.
        if (line.reply_to) EXPECT_NE(conversation[*line.reply_to].speaker, line.speaker) << line.text;
    }
}

TEST(DemoPeople, AreTwentyThatTheAccountsAccept) {
    EXPECT_EQ(people().size(), 20u);
    EXPECT_EQ(usernames().size(), 20u);
    for (const auto& person : people()) {
        EXPECT_NO_THROW(accounts::checked({.username = std::string(person.username),
                                           .email = email_of(person),
                                           .password = std::string(visitor_password),
                                           .display_name = std::string(person.display_name)}))
            << person.username;
        EXPECT_NO_THROW(accounts::checked_bio(person.bio));
        EXPECT_NO_THROW(accounts::checked_country(person.country));
        EXPECT_EQ(accounts::checked_skills(person.skills), person.skills);
        EXPECT_FALSE(person.bio.empty());
    }
}

TEST(DemoScript, ShowsAreCastWithPeopleAndNobodyIsInTwo) {
    std::set<std::string_view> cast;
    for (const auto& show : shows()) {
        EXPECT_TRUE(cast.insert(show.host).second);
        for (const auto username : show.audience)
            EXPECT_TRUE(cast.insert(username).second) << username;
        EXPECT_EQ(streams::checked_title(show.title), show.title);
        EXPECT_EQ(streams::checked_description(show.description), show.description);
        ASSERT_FALSE(show.greetings.empty());
        for (const auto greeting : show.greetings)
            EXPECT_NE(greeting.find("{}"), std::string_view::npos) << greeting;
    }
    const auto everyone = usernames();
    EXPECT_TRUE(std::ranges::includes(everyone, cast));
    EXPECT_FALSE(cast.contains(people().front().username)) << "the visitor is nobody's puppet";
}

TEST(DemoScript, ConversationsAreSpokenByThoseWhoWatch) {
    std::size_t conversations = 0;
    for (const auto& show : shows()) {
        std::set<std::string_view> speakers(show.audience.begin(), show.audience.end());
        speakers.insert(show.host);
        for (const auto& conversation : show.conversations)
            expect_speakable(conversation, speakers);
        conversations += show.conversations.size();
    }
    EXPECT_GE(conversations, 24u);
}

TEST(DemoScript, AnnouncementsAreOfPeople) {
    const auto everyone = usernames();
    for (const auto& announcement : announcements()) {
        EXPECT_TRUE(everyone.contains(announcement.host));
        EXPECT_EQ(streams::checked_title(announcement.title), announcement.title);
        EXPECT_GT(announcement.in, std::chrono::hours{0});
        EXPECT_LT(announcement.in, streams::schedule_ahead_max);
        expect_speakable(announcement.conversation, everyone);
    }
}

app::Settings settings_with(std::map<std::string, std::string> flags) {
    return demo_settings(app::load_settings(
        {.flags = std::move(flags), .file = std::nullopt, .environment = [](const std::string&) {
             return std::nullopt;
         }}));
}

TEST(DemoSettings, HaveADataDirectoryOfTheirOwn) {
    const auto settings = settings_with({});
    EXPECT_EQ(settings.data, "data/demo");
    EXPECT_EQ(settings.relational, "sqlite:data/demo/spaktok.db");
    EXPECT_EQ(settings.document, "sqlite:data/demo/documents.db");
    EXPECT_EQ(settings.realtime, "local:data/demo/realtime.db");
    EXPECT_EQ(settings.blob, "file:data/demo/media");
    EXPECT_EQ(settings.rate_limit_scale, 10);
}

TEST(DemoSettings, LeaveWhatTheOperatorChose) {
    const auto settings =
        settings_with({{"data", "/srv/place"}, {"rate_limit_scale", "2"}, {"thumbnail_interval", "30s"}});
    EXPECT_EQ(settings.data, "/srv/place");
    EXPECT_EQ(settings.relational, "sqlite:/srv/place/spaktok.db");
    EXPECT_EQ(settings.rate_limit_scale, 2);
    EXPECT_EQ(settings.thumbnail_interval, std::chrono::seconds(30));
    EXPECT_EQ(settings_with({{"blob", "file:/srv/media"}}).blob, "file:/srv/media");
}

}  // namespace
}  // namespace spaktok::demo
