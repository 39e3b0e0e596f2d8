#include "http/sessions.h"

#include <set>

#include <gtest/gtest.h>

#include "http/memory_key_values.h"

namespace spaktok::http {
namespace {

using namespace std::chrono_literals;
using testing::run;

class SessionsTest : public ::testing::Test {
  protected:
    ManualClock clock{Timestamp{1'700'000'000'000ms}};
    SeededRandom random{1};
    testing::MemoryKeyValues store{clock};
    Sessions sessions{
        store,
        clock,
        random,
        {.lifetime = std::chrono::hours(24), .public_url = "https://live.example.org", .per_user_max = 3}};
    const UserId ada = UserId::make(clock.now(), random);
    const UserId ben = UserId::make(clock.now(), random);

    static Request request(std::initializer_list<std::pair<const char*, const char*>> fields) {
        Request result;
        for (const auto& [name, value] : fields)
            result.headers.add(name, value);
        return result;
    }
};

TEST_F(SessionsTest, a_token_finds_its_session) {
    const auto created = run(sessions.create(ada, "Firefox"));
    EXPECT_EQ(created.token.size(), 43u);
    const auto found = run(sessions.find(created.token));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->id, created.session.id);
    EXPECT_EQ(found->user_id, ada);
    EXPECT_EQ(found->device, "Firefox");
    EXPECT_EQ(found->created_at, clock.now());
}

TEST_F(SessionsTest, unknown_tokens_find_nothing) {
    run(sessions.create(ada, ""));
    EXPECT_FALSE(run(sessions.find("")));
    EXPECT_FALSE(run(sessions.find("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")));
    EXPECT_FALSE(run(sessions.find(std::string(100'000, 'a'))));
}

TEST_F(SessionsTest, the_store_never_sees_the_token) {
    const auto created = run(sessions.create(ada, "Firefox"));
    for (const auto& key : store.keys()) {
        EXPECT_EQ(key.find(created.token), std::string::npos);
        const auto value = run(store.get(key));
        EXPECT_EQ(value->find(created.token), std::string::npos);
    }
    EXPECT_EQ(run(store.set_members("user_sessions:" + ada.to_string())).at(0).find(created.token),
              std::string::npos);
}

TEST_F(SessionsTest, the_expiry_slides_with_use_and_is_pushed_at_most_once_a_minute) {
    const auto created = run(sessions.create(ada, ""));
    for (int hour = 0; hour < 48; ++hour) {
        clock.advance(1h);
        ASSERT_TRUE(run(sessions.find(created.token))) << hour;
    }
    store.touches = 0;
    for (int second = 0; second < 60; ++second) {
        run(sessions.find(created.token));
        clock.advance(1s);
    }
    EXPECT_EQ(store.touches, 0);
    run(sessions.find(created.token));
    EXPECT_EQ(store.touches, 1);
    clock.advance(24h);
    EXPECT_FALSE(run(sessions.find(created.token)));
}

TEST_F(SessionsTest, the_list_has_the_last_used_first_and_forgets_expired_ones) {
    const auto first = run(sessions.create(ada, "first"));
    clock.advance(1h);
    const auto second = run(sessions.create(ada, "second"));
    run(sessions.create(ben, "other"));
    clock.advance(1h);
    run(sessions.find(first.token));
    auto list = run(sessions.list(ada));
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].device, "first");
    EXPECT_EQ(list[0].last_seen_at, clock.now());
    EXPECT_EQ(list[1].device, "second");

    clock.advance(23h);
    list = run(sessions.list(ada));
    ASSERT_EQ(list.size(), 1u);
    EXPECT_EQ(list[0].id, first.session.id);
    EXPECT_EQ(run(store.set_members("user_sessions:" + ada.to_string())).size(), 1u);
}

TEST_F(SessionsTest, an_ended_session_is_gone_and_announced_and_no_one_elses_can_be_ended) {
    std::vector<std::pair<UserId, std::string>> ended;
    sessions.on_ended([&](UserId user, const std::string& id) { ended.emplace_back(user, id); });
    const auto created = run(sessions.create(ada, ""));
    EXPECT_FALSE(run(sessions.end(ben, created.session.id)));
    EXPECT_TRUE(run(sessions.find(created.token)));
    EXPECT_TRUE(run(sessions.end(ada, created.session.id)));
    EXPECT_FALSE(run(sessions.find(created.token)));
    EXPECT_FALSE(run(sessions.end(ada, created.session.id)));
    ASSERT_EQ(ended.size(), 1u);
    EXPECT_EQ(ended[0], std::pair(ada, created.session.id));
}

TEST_F(SessionsTest, all_but_one_end_together) {
    const auto kept = run(sessions.create(ada, ""));
    const auto other = run(sessions.create(ada, ""));
    const auto bens = run(sessions.create(ben, ""));
    run([](Sessions& all, UserId user, std::string except) -> boost::asio::awaitable<bool> {
        co_await all.end_all(user, except);
        co_return true;
    }(sessions, ada, kept.session.id));
    EXPECT_TRUE(run(sessions.find(kept.token)));
    EXPECT_FALSE(run(sessions.find(other.token)));
    EXPECT_TRUE(run(sessions.find(bens.token)));
}

TEST_F(SessionsTest, one_more_than_the_limit_ends_the_oldest) {
    std::vector<Sessions::Created> created;
    for (int i = 0; i < 3; ++i) {
        created.push_back(run(sessions.create(ada, "")));
        clock.advance(1s);
    }
    for (const auto& each : created)
        EXPECT_TRUE(run(sessions.find(each.token)));
    created.push_back(run(sessions.create(ada, "")));
    EXPECT_FALSE(run(sessions.find(created[0].token)));
    for (std::size_t i = 1; i < 4; ++i)
        EXPECT_TRUE(run(sessions.find(created[i].token)));
}

TEST_F(SessionsTest, the_device_is_cut_at_200_bytes_without_breaking_a_character) {
    EXPECT_EQ(run(sessions.create(ada, std::string(200, 'x'))).session.device.size(), 200u);
    EXPECT_EQ(run(sessions.create(ada, std::string(201, 'x'))).session.device.size(), 200u);
    EXPECT_EQ(run(sessions.create(ada, std::string(199, 'x') + "é")).session.device, std::string(199, 'x'));
    EXPECT_EQ(run(sessions.create(ada, "\xff\xfe")).session.device, "");
}

TEST_F(SessionsTest, credentials_come_from_the_bearer_first_then_from_the_cookie) {
    bool from_cookie = false;
    EXPECT_EQ(sessions.token_of(request({}), from_cookie), std::nullopt);
    EXPECT_EQ(sessions.token_of(request({{"Authorization", "Bearer abc"}}), from_cookie), "abc");
    EXPECT_FALSE(from_cookie);
    EXPECT_EQ(sessions.token_of(request({{"Cookie", "a=b; __Host-spaktok_session=xyz; c=d"}}), from_cookie),
              "xyz");
    EXPECT_TRUE(from_cookie);
    EXPECT_EQ(sessions.token_of(
                  request({{"Authorization", "bearer abc"}, {"Cookie", "__Host-spaktok_session=xyz"}}),
                  from_cookie),
              "abc");
    EXPECT_FALSE(from_cookie);
    EXPECT_EQ(
        sessions.token_of(request({{"Authorization", "Basic abc"}, {"Cookie", "__Host-spaktok_session=xyz"}}),
                          from_cookie),
        std::nullopt);
    // A cookie that a neighbouring site could have planted.
    EXPECT_EQ(sessions.token_of(request({{"Cookie", "spaktok_session=xyz"}}), from_cookie), std::nullopt);
    EXPECT_EQ(sessions.token_of(request({{"Cookie", "__Host-spaktok_session="}}), from_cookie), std::nullopt);
    EXPECT_EQ(sessions.token_of(request({{"Cookie", "x__Host-spaktok_session=1"}}), from_cookie),
              std::nullopt);
}

TEST_F(SessionsTest, the_cookie_follows_the_scheme_of_the_public_url) {
    EXPECT_EQ(sessions.cookie("t"),
              "__Host-spaktok_session=t; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure");
    EXPECT_EQ(sessions.expired_cookie(),
              "__Host-spaktok_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
    Sessions plain(store, clock, random,
                   {.lifetime = std::chrono::hours(1), .public_url = "http://localhost:8080"});
    EXPECT_EQ(plain.cookie("t"), "spaktok_session=t; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
}

TEST_F(SessionsTest, only_our_own_page_is_the_same_origin) {
    struct Row {
        const char* what;
        Request request;
        bool expected;
    };
    const Row rows[]{
        {"the public origin", request({{"Origin", "https://live.example.org"}}), true},
        {"its default port", request({{"Origin", "https://live.example.org:443"}}), true},
        {"another site", request({{"Origin", "https://evil.example.org"}}), false},
        {"another port", request({{"Origin", "https://live.example.org:8443"}}), false},
        {"a longer name", request({{"Origin", "https://live.example.org.evil.net"}}), false},
        {"a sandboxed frame", request({{"Origin", "null"}}), false},
        {"the host that was asked", request({{"Origin", "https://other.name"}, {"Host", "other.name"}}),
         true},
        {"that host over plain HTTP", request({{"Origin", "http://other.name"}, {"Host", "other.name"}}),
         false},
        {"no Origin, same origin", request({{"Sec-Fetch-Site", "same-origin"}}), true},
        {"no Origin, same site", request({{"Sec-Fetch-Site", "same-site"}}), false},
        {"an Origin that Sec-Fetch-Site contradicts",
         request({{"Origin", "https://evil.net"}, {"Sec-Fetch-Site", "same-origin"}}), false},
        {"neither", request({}), false},
    };
    for (const auto& row : rows)
        EXPECT_EQ(sessions.is_same_origin(row.request), row.expected) << row.what;

    Sessions plain(store, clock, random, {.public_url = "http://localhost:8080"});
    EXPECT_TRUE(
        plain.is_same_origin(request({{"Origin", "http://127.0.0.1:8080"}, {"Host", "127.0.0.1:8080"}})));
    EXPECT_FALSE(
        plain.is_same_origin(request({{"Origin", "http://127.0.0.1:9090"}, {"Host", "127.0.0.1:8080"}})));
}

}  // namespace
}  // namespace spaktok::http
