#include "features/accounts/account_routes.h"

#include <boost/json/parse.hpp>

#include "features/testing/world.h"

namespace spaktok::accounts {

using features_testing::run;
using features_testing::World;
using http::Method;

namespace {

json::Value sign_up_body(std::string transport = "cookie") {
    return {{"username", "ada"},
            {"email", "ada@example.org"},
            {"password", World::password},
            {"transport", std::move(transport)}};
}
json::Value parsed(std::string_view text) {
    return boost::json::parse(text);
}

TEST(AccountRoutes, SignABrowserInByCookieAndAProgramByToken) {
    World world;
    world.add_user("root_user", Role::admin);
    const auto browser = world.call(Method::post, "/api/v1/users",
                                    {.json = sign_up_body(), .headers = {{"User-Agent", "Browser/1"}}});
    EXPECT_EQ(browser.status, 201u);
    EXPECT_THAT(browser.header("Set-Cookie"), testing::StartsWith("spaktok_session="));
    EXPECT_EQ(browser.header("Cache-Control"), "no-store");
    EXPECT_FALSE(browser.body.as_object().contains("token"));
    EXPECT_EQ(browser.body.at("user").at("username"), "ada");
    EXPECT_EQ(browser.body.at("session").at("device"), "Browser/1");
    EXPECT_EQ(browser.body.at("session").at("is_current"), true);

    const auto program = world.call(
        Method::post, "/api/v1/sessions",
        {.json = parsed(R"({"login":"ada","password":"correct horse battery","transport":"bearer"})")});
    EXPECT_EQ(program.status, 201u);
    EXPECT_EQ(program.header("Set-Cookie"), "");
    const auto token = std::string(program.body.at("token").as_string());
    const auto session = run(world.sessions.find(token));
    ASSERT_TRUE(session);
    EXPECT_EQ(session->user_id.to_string(), program.body.at("user").at("id").as_string());
}

TEST(AccountRoutes, NeverAnswerAPasswordOrItsHash) {
    World world;
    const auto user = world.add_user("ada");
    const auto me = world.call(Method::get, "/api/v1/users/me", {.session = world.sign_in(user.id)});
    EXPECT_EQ(me.status, 200u);
    EXPECT_EQ(me.bytes.find("argon2"), std::string::npos);
    EXPECT_FALSE(me.body.as_object().contains("password_hash"));
    EXPECT_EQ(me.body.at("email"), "ada@example.org");
}

struct BadBody {
    std::string body;
    std::string problem;
};

TEST(AccountRoutes, RefuseASignUpWithTheFieldInQuestion) {
    World world;
    world.add_user("root_user", Role::admin);
    const std::vector<BadBody> rows = {
        {"{", "400 /problems/invalid_json"},
        {"[]", "400 /problems/invalid_field"},
        {"{}", "400 /problems/missing_field username"},
        {R"({"username":1,"email":"a@b.org","password":"correct horse"})",
         "400 /problems/invalid_field username"},
        {R"({"username":"ada","email":"a@b.org"})", "400 /problems/missing_field password"},
        {R"({"username":"ada","email":"a@b.org","password":"correct horse","transport":"pigeon"})",
         "400 /problems/invalid_field transport"},
        {R"({"username":"ada","email":"ab.org","password":"correct horse"})",
         "400 /problems/invalid_field email"},
        {R"({"username":"ada","email":"a@b.org","password":"1234567890"})",
         "400 /problems/weak_password password"},
        {R"({"username":"root_user","email":"a@b.org","password":"correct horse"})",
         "409 /problems/username_taken username"},
    };
    for (const auto& [body, problem] : rows) {
        const auto answer = world.call(Method::post, "/api/v1/users",
                                       {.body = body, .headers = {{"Content-Type", "application/json"}}});
        EXPECT_EQ(answer.problem(), problem) << body;
    }
    EXPECT_EQ(
        world.call(Method::post, "/api/v1/users", {.body = "{}", .headers = {{"Content-Type", "text/plain"}}})
            .problem(),
        "415 /problems/unsupported_media");
}

TEST(AccountRoutes, LimitTheLengthOfWhatIsSignedInWith) {
    World world;
    world.add_user("ada");
    const auto sign_in = [&](std::size_t login, std::size_t password) {
        return world
            .call(Method::post, "/api/v1/sessions",
                  {.json = json::Value{{"login", std::string(login, 'a')},
                                       {"password", std::string(password, 'p')}}})
            .problem();
    };
    EXPECT_EQ(sign_in(256, 1), "400 /problems/invalid_field login");
    EXPECT_EQ(sign_in(255, 801), "400 /problems/invalid_field password");
    EXPECT_EQ(sign_in(255, 800), "401 /problems/wrong_credentials");
}

TEST(AccountRoutes, SayWhenToComeBackAfterTooManyFailures) {
    World world;
    world.add_user("ada");
    features_testing::Answer last;
    for (int i = 0; i < 11; ++i) {
        last = world.call(Method::post, "/api/v1/sessions",
                          {.json = parsed(R"({"login":"ada","password":"guess"})")});
    }
    EXPECT_EQ(last.problem(), "429 /problems/too_many_attempts");
    EXPECT_EQ(last.header("Retry-After"), "900");
}

TEST(AccountRoutes, SetUpTheServerOnceWithItsLink) {
    World world;
    auto instance = world.call(Method::get, "/api/v1/instance");
    EXPECT_EQ(instance.body.at("setup_required"), true);
    auto body = sign_up_body();
    EXPECT_EQ(world.call(Method::post, "/api/v1/users", {.json = body}).problem(),
              "403 /problems/setup_required");
    body.as_object()["token"] = std::string(101, 'x');
    EXPECT_EQ(world.call(Method::post, "/api/v1/setup", {.json = body}).problem(),
              "400 /problems/invalid_field token");
    body.as_object()["token"] = *run(world.accounts.create_setup_token());
    const auto answer = world.call(Method::post, "/api/v1/setup", {.json = body});
    EXPECT_EQ(answer.status, 201u);
    EXPECT_EQ(answer.body.at("user").at("role"), "admin");
    EXPECT_EQ(world.call(Method::post, "/api/v1/setup", {.json = body}).problem(),
              "409 /problems/setup_done");
    instance = world.call(Method::get, "/api/v1/instance");
    EXPECT_EQ(instance.body.at("setup_required"), false);
    EXPECT_EQ(instance.body.at("registration"), "open");
    EXPECT_EQ(instance.body.at("limits").at("username_length_max"), 30);
}

TEST(InstanceRoute, NamesEachReservedUsername) {
    World world;
    const auto instance = world.call(Method::get, "/api/v1/instance");
    const json::Array& names = instance.body.at("reserved_usernames").as_array();
    EXPECT_EQ(names.size(), reserved_username_list().size());
    for (const json::Value& name : names)
        EXPECT_TRUE(is_reserved_username(name.as_string()));
}

// ---- sessions
TEST(SessionRoutes, ListTheOneUsedLastFirstAndMarkTheCurrentOne) {
    World world;
    const auto user = world.add_user("ada");
    const auto first = world.sign_in(user.id, "first");
    world.clock.advance(std::chrono::seconds{1});
    const auto second = world.sign_in(user.id, "second");
    const auto answer = world.call(Method::get, "/api/v1/sessions", {.session = first});
    const auto& items = answer.body.at("items").as_array();
    ASSERT_EQ(items.size(), 2u);
    EXPECT_EQ(items[0].at("id").as_string(), second.id);
    EXPECT_EQ(items[0].at("is_current"), false);
    EXPECT_EQ(items[1].at("is_current"), true);
    EXPECT_TRUE(answer.body.at("next_cursor").is_null());
}

TEST(SessionRoutes, EndOneOthersOrTheCurrentOne) {
    World world;
    const auto user = world.add_user("ada");
    const auto stranger = world.sign_in(world.add_user("bob").id);
    const auto here = world.sign_in(user.id);
    const auto there = world.sign_in(user.id);
    const auto count = [&] { return run(world.sessions.list(user.id)).size(); };
    EXPECT_EQ(world.call(Method::delete_, "/api/v1/sessions/" + here.id, {.session = stranger}).problem(),
              "404 /problems/not_found");
    EXPECT_EQ(world.call(Method::delete_, "/api/v1/sessions/unknown", {.session = here}).problem(),
              "404 /problems/not_found");
    EXPECT_EQ(world.call(Method::delete_, "/api/v1/sessions/" + there.id, {.session = here}).status, 204u);
    EXPECT_EQ(count(), 1u);
    world.sign_in(user.id);
    world.sign_in(user.id);
    EXPECT_EQ(world.call(Method::delete_, "/api/v1/sessions", {.session = here}).status, 204u);
    EXPECT_EQ(count(), 1u);
    const auto out = world.call(Method::delete_, "/api/v1/sessions/current", {.session = here});
    EXPECT_EQ(out.status, 204u);
    EXPECT_THAT(out.header("Set-Cookie"), testing::HasSubstr("Max-Age=0"));
    EXPECT_EQ(count(), 0u);
    EXPECT_EQ(world.call(Method::delete_, "/api/v1/sessions/current").status, 204u);
    EXPECT_EQ(run(world.sessions.list(stranger.user_id)).size(), 1u);
}

TEST(SessionRoutes, NeedASession) {
    World world;
    for (const auto& [method, path] : {std::pair{Method::get, "/api/v1/sessions"},
                                       {Method::delete_, "/api/v1/sessions"},
                                       {Method::delete_, "/api/v1/sessions/x"},
                                       {Method::get, "/api/v1/users/me"},
                                       {Method::patch, "/api/v1/users/me"},
                                       {Method::put, "/api/v1/users/me/password"},
                                       {Method::put, "/api/v1/users/me/picture"},
                                       {Method::delete_, "/api/v1/users/me/picture"},
                                       {Method::put, "/api/v1/users/ada/follow"},
                                       {Method::delete_, "/api/v1/users/ada/follow"}}) {
        EXPECT_EQ(world.call(method, path).problem(), "401 /problems/unauthenticated") << path;
    }
}

// ---- one's own account
TEST(AccountRoutes, ClearByNullAndKeepWhatIsAbsent) {
    World world;
    const auto session = world.sign_in(world.add_user("ada").id);
    const auto patch = [&](std::string_view body) {
        return world.call(Method::patch, "/api/v1/users/me", {.session = session, .json = parsed(body)});
    };
    patch(R"({"bio":"Engines.","country":"GB","language":"en","display_name":"Ada L."})");
    auto answer = patch(R"({"bio":null,"country":null,"display_name":null})");
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.body.at("bio"), "");
    EXPECT_TRUE(answer.body.at("country").is_null());
    EXPECT_EQ(answer.body.at("language"), "en");
    EXPECT_EQ(answer.body.at("display_name"), "Ada L.");
    EXPECT_EQ(patch(R"([])").problem(), "400 /problems/invalid_field");
    EXPECT_EQ(patch(R"({"skills":"C++"})").problem(), "400 /problems/invalid_field skills");
    EXPECT_EQ(patch(R"({"email":"x@example.org"})").problem(),
              "403 /problems/wrong_password current_password");
}

TEST(AccountRoutes, ChangeThePassword) {
    World world;
    const auto session = world.sign_in(world.add_user("ada").id);
    const auto put = [&](std::string_view body) {
        return world
            .call(Method::put, "/api/v1/users/me/password", {.session = session, .json = parsed(body)})
            .problem();
    };
    EXPECT_EQ(put(R"({"current_password":"wrong","new_password":"another good one"})"),
              "403 /problems/wrong_password current_password");
    EXPECT_EQ(put(R"({"current_password":"correct horse battery"})"),
              "400 /problems/missing_field new_password");
    EXPECT_EQ(put(R"({"current_password":"correct horse battery","new_password":"another good one"})"),
              "204");
}

// ---- pictures
// A GIF of one pixel (GIF89a).
const std::string one_pixel(
    "GIF89a\x01\0\x01\0\x80\0\0\xFF\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02"
    "D\x01\0;",
    35);

TEST(PictureRoutes, StoreServeReplaceAndRemoveAPicture) {
    World world;
    const auto session = world.sign_in(world.add_user("ada").id);
    const auto put = [&] {
        return world.call(
            Method::put, "/api/v1/users/me/picture",
            {.session = session, .body = one_pixel, .headers = {{"Content-Type", "image/gif"}}});
    };
    const auto first = put();
    ASSERT_EQ(first.status, 200u) << first.bytes;
    const auto path = std::string(first.body.at("profile_picture_url").as_string());
    EXPECT_THAT(path, testing::StartsWith("/media/pictures/" + session.user_id.to_string() + "/"));
    const auto served = world.call(Method::get, path);
    EXPECT_EQ(served.status, 200u);
    EXPECT_EQ(served.header("Content-Type"), "image/webp");
    EXPECT_EQ(served.header("Cache-Control"), "public, max-age=31536000, immutable");
    EXPECT_EQ(served.header("X-Content-Type-Options"), "nosniff");
    EXPECT_THAT(served.header("ETag"), testing::MatchesRegex("\"[^\"]+\""));
    EXPECT_EQ(sniff_picture(served.bytes), PictureType::webp);

    const auto part = world.call(Method::get, path, {.headers = {{"Range", "bytes=8-11"}}});
    EXPECT_EQ(part.status, 206u);
    EXPECT_EQ(part.bytes, "WEBP");
    EXPECT_EQ(world.call(Method::get, path, {.headers = {{"Range", "bytes=999999-"}}}).problem(),
              "416 /problems/range_not_satisfiable");

    const auto second = std::string(put().body.at("profile_picture_url").as_string());
    EXPECT_NE(second, path);
    EXPECT_EQ(world.call(Method::get, path).problem(), "404 /problems/not_found");  // the old one is gone
    EXPECT_EQ(world.call(Method::get, second).status, 200u);
    EXPECT_EQ(run(world.accounts.summary(session.user_id)).profile_picture_url, second);

    EXPECT_EQ(world.call(Method::delete_, "/api/v1/users/me/picture", {.session = session}).status, 204u);
    EXPECT_EQ(world.call(Method::delete_, "/api/v1/users/me/picture", {.session = session}).status, 204u);
    EXPECT_EQ(world.call(Method::get, second).status, 404u);
    EXPECT_EQ(run(world.accounts.summary(session.user_id)).profile_picture_url, std::nullopt);
}

TEST(PictureRoutes, RefuseWhatIsNoPicture) {
    World world;
    const auto session = world.sign_in(world.add_user("ada").id);
    const auto put = [&](std::string type, std::string body) {
        return world
            .call(
                Method::put, "/api/v1/users/me/picture",
                {.session = session, .body = std::move(body), .headers = {{"Content-Type", std::move(type)}}})
            .problem();
    };
    EXPECT_EQ(put("text/plain", one_pixel), "415 /problems/unsupported_media");
    EXPECT_EQ(put("image/svg+xml", "<svg/>"), "415 /problems/unsupported_media");
    EXPECT_EQ(put("image/png", "<svg/>"), "415 /problems/unsupported_media");
    EXPECT_EQ(put("image/png", one_pixel.substr(0, 8)), "400 /problems/invalid_picture");
    EXPECT_EQ(put("image/png", one_pixel + std::string(picture_bytes_max - one_pixel.size(), '\0')),
              "200");  // a GIF, whatever it is called
    EXPECT_EQ(put("image/png", one_pixel + std::string(picture_bytes_max - one_pixel.size() + 1, '\0')),
              "413 /problems/payload_too_large");
}

TEST(MediaRoutes, ServeOnlyWhatIsPublic) {
    World world;
    run(world.blobs->put("thumbnails/a/1.jpg", "jpeg", "image/jpeg"));
    run(world.blobs->put("recordings/a.mp4", "mp4", "video/mp4"));
    EXPECT_EQ(world.call(Method::get, "/media/thumbnails/a/1.jpg").bytes, "jpeg");
    for (const auto* path :
         {"/media/recordings/a.mp4", "/media/thumbnails/a/2.jpg", "/media/thumbnails/../recordings/a.mp4",
          "/media/pictures/UPPER", "/media/pictures/", "/media/thumbnails"}) {
        EXPECT_EQ(world.call(Method::get, path).problem(), "404 /problems/not_found") << path;
    }
}

}  // namespace
}  // namespace spaktok::accounts
