#include "http/router.h"

#include <gtest/gtest.h>

namespace spaktok::http {
namespace {

Handler nothing() {
    return [](Request&) -> boost::asio::awaitable<Response> { co_return Response{}; };
}

class RouterTest : public ::testing::Test {
  protected:
    RouterTest() {
        for (const auto& [method, pattern] : std::initializer_list<std::pair<Method, const char*>>{
                 {Method::get, "/"},
                 {Method::get, "/api/v1/users/me"},
                 {Method::patch, "/api/v1/users/me"},
                 {Method::get, "/api/v1/users/{username}"},
                 {Method::delete_, "/api/v1/users/{username}"},
                 {Method::put, "/api/v1/users/{username}/follow"},
                 {Method::delete_, "/api/v1/users/{name}/follow"},
                 {Method::put, "/api/v1/users/me/picture"},
                 {Method::get, "/api/v1/rooms/{room_id}/messages/{message_id}"},
                 {Method::get, "/media/{key...}"},
                 {Method::get, "/media/special"},
             }) {
            router.add(method, pattern, {.operation_id = "operation"}, nothing());
        }
    }
    // "GET /pattern name=value", "405 GET HEAD", "404".
    std::string find(Method method, std::string_view path) const {
        const auto match = router.find(method, path);
        if (match.route != nullptr) {
            auto text = std::string(to_string(match.route->method)) + " " + match.route->pattern;
            for (const auto& [name, value] : match.params)
                text += " " + name + "=" + value;
            return text;
        }
        if (match.allowed.empty()) return "404";
        std::string text = "405";
        for (const auto allowed : match.allowed)
            text += " " + std::string(to_string(allowed));
        return text;
    }
    Router router;
};

TEST_F(RouterTest, finds_the_route_of_a_method_and_a_path) {
    struct Row {
        Method method;
        std::string path;
        std::string expected;
    };
    const std::vector<Row> rows{
        {Method::get, "/", "GET /"},
        {Method::get, "/api/v1/users/me", "GET /api/v1/users/me"},
        {Method::get, "/api/v1/users/ada", "GET /api/v1/users/{username} username=ada"},
        {Method::head, "/api/v1/users/ada", "GET /api/v1/users/{username} username=ada"},
        {Method::post, "/api/v1/users/ada", "405 GET HEAD DELETE"},
        // A literal owns its path: this is not the deletion of a user called "me".
        {Method::delete_, "/api/v1/users/me", "405 GET HEAD PATCH"},
        // … but a path that goes on differently still matches the parameter.
        {Method::put, "/api/v1/users/me/follow", "PUT /api/v1/users/{username}/follow username=me"},
        {Method::delete_, "/api/v1/users/ada/follow", "DELETE /api/v1/users/{name}/follow name=ada"},
        {Method::get, "/api/v1/rooms/r/messages/m",
         "GET /api/v1/rooms/{room_id}/messages/{message_id} room_id=r message_id=m"},
        {Method::get, "/api/v1/users/%41da", "GET /api/v1/users/{username} username=Ada"},
        {Method::get, "/api/v1/users/%6de", "GET /api/v1/users/me"},
        {Method::get, "/api/v1/users/a%2Fb", "GET /api/v1/users/{username} username=a/b"},
        {Method::get, "/api/v1/users/%C3%A9", "GET /api/v1/users/{username} username=é"},
        {Method::get, "/api/v1/users/%FF", "404"},
        {Method::get, "/api/v1/users/%00", "404"},
        {Method::get, "/api/v1/users/%4", "404"},
        {Method::get, "/api/v1/users/", "404"},
        {Method::get, "/api/v1/users", "404"},
        {Method::get, "/api/v1//users/ada", "404"},
        {Method::get, "/api/v1/users/ada/", "404"},
        {Method::get, "", "404"},
        {Method::get, "*", "404"},
        {Method::get, "/media/a", "GET /media/{key...} key=a"},
        {Method::get, "/media/a/b%20c/d.mp4", "GET /media/{key...} key=a/b c/d.mp4"},
        {Method::get, "/media/special", "GET /media/special"},
        {Method::get, "/media/special/x", "GET /media/{key...} key=special/x"},
        {Method::put, "/media/a/b", "405 GET HEAD"},
        {Method::get, "/media/", "404"},
        {Method::get, "/media/a/", "404"},
        {Method::get, "/media/a//b", "404"},
        {Method::get, "/media/../secret", "404"},
        {Method::get, "/media/a/%2e%2e/secret", "404"},
        {Method::get, "/media/..%2Fsecret", "404"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(find(row.method, row.path), row.expected) << row.path;
}

TEST_F(RouterTest, lists_routes_in_the_order_in_which_they_were_added) {
    const auto routes = router.routes();
    ASSERT_EQ(routes.size(), 11u);
    EXPECT_EQ(routes.front()->pattern, "/");
    EXPECT_EQ(routes.back()->pattern, "/media/special");
}

TEST_F(RouterTest, a_second_route_of_the_same_shape_is_a_bug) {
    EXPECT_DEATH(router.add(Method::get, "/api/v1/users/{other}", {}, nothing()), "slot == nullptr");
}

TEST_F(RouterTest, a_rest_parameter_can_only_be_last) {
    EXPECT_DEATH(router.add(Method::get, "/files/{key...}/x", {}, nothing()), "rest.empty");
}

}  // namespace
}  // namespace spaktok::http
