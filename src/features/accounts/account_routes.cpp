#include "features/accounts/account_routes.h"

#include <algorithm>
#include <utility>

namespace spaktok::accounts {

namespace asio = boost::asio;
using http::Access;
using http::Method;
using http::Request;
using http::Response;

namespace {

enum class Transport { cookie, bearer };
BOOST_DESCRIBE_ENUM(Transport, cookie, bearer)

struct SignUpBody {
    std::string username;
    std::string email;
    std::string password;
    std::optional<std::string> display_name;
    std::optional<Transport> transport;
};
BOOST_DESCRIBE_STRUCT(SignUpBody, (), (username, email, password, display_name, transport))

struct SetUpBody {
    std::string token;
    std::string username;
    std::string email;
    std::string password;
    std::optional<std::string> display_name;
    std::optional<Transport> transport;
};
BOOST_DESCRIBE_STRUCT(SetUpBody, (), (token, username, email, password, display_name, transport))

struct SignInBody {
    std::string login;
    std::string password;
    std::optional<Transport> transport;
};
BOOST_DESCRIBE_STRUCT(SignInBody, (), (login, password, transport))

struct UpdateBody {
    std::optional<std::string> display_name;
    std::optional<std::string> bio;
    std::optional<std::string> country;
    std::optional<std::string> language;
    std::optional<std::vector<std::string>> skills;
    std::optional<std::string> email;
    std::optional<std::string> current_password;
};
BOOST_DESCRIBE_STRUCT(UpdateBody, (), (display_name, bio, country, language, skills, email, current_password))

struct ChangePasswordBody {
    std::string current_password;
    std::string new_password;
};
BOOST_DESCRIBE_STRUCT(ChangePasswordBody, (), (current_password, new_password))

struct SessionItem {
    std::string id;
    Timestamp created_at{};
    Timestamp last_seen_at{};
    std::string device;
    bool is_current = false;
};
BOOST_DESCRIBE_STRUCT(SessionItem, (), (id, created_at, last_seen_at, device, is_current))

SessionItem item_of(const http::Session& session, const std::string& current_id) {
    return {.id = session.id,
            .created_at = session.created_at,
            .last_seen_at = session.last_seen_at,
            .device = session.device,
            .is_current = session.id == current_id};
}

// Longer ones are wrong for sure, and would only cost time to hash.
void refuse_oversize(const std::string& text, std::size_t bytes_max, const char* field) {
    if (text.size() <= bytes_max) return;
    throw Error(ErrorCode::invalid_argument, "This is too long.",
                {.field = field, .reason = "invalid_field"});
}
constexpr std::size_t password_bytes_max =
    4 * password_length_max;  // UTF-8 has at most four bytes a code point

asio::awaitable<Response> signed_in(Request& request, http::Sessions& sessions, Account account,
                                    std::optional<Transport> transport) {
    const auto device = request.headers.get("User-Agent").value_or("");
    const auto created = co_await sessions.create(account.id, std::string(device));
    json::Object body{{"user", json::to_value(account)},
                      {"session", json::to_value(item_of(created.session, created.session.id))}};
    if (transport == Transport::bearer) body["token"] = created.token;
    auto response = Response::of(body, 201);
    if (transport != Transport::bearer) response.headers.add("Set-Cookie", sessions.cookie(created.token));
    response.headers.set("Cache-Control", "no-store");
    co_return response;
}

// In a PATCH null clears, and is told from an absent member here.
UpdateBody update_body(const Request& request) {
    auto value = request.json_value();
    if (value.is_object()) {
        for (const auto* name : {"bio", "country", "language"}) {
            auto* member = value.get_object().if_contains(name);
            if (member != nullptr && member->is_null()) *member = "";
        }
    }
    return json::from_value<UpdateBody>(value);
}

void add_sign_in_routes(http::Router& router, Service& service, http::Sessions& sessions) {
    router.add(Method::post, "/api/v1/setup", {.operation_id = "set_up", .rate = set_up_limit},
               [&service, &sessions](Request& request) -> asio::awaitable<Response> {
                   auto body = request.json<SetUpBody>();
                   refuse_oversize(body.token, 100, "token");
                   auto account = co_await service.set_up(std::move(body.token),
                                                          {.username = std::move(body.username),
                                                           .email = std::move(body.email),
                                                           .password = std::move(body.password),
                                                           .display_name = std::move(body.display_name)});
                   co_return co_await signed_in(request, sessions, std::move(account), body.transport);
               });
    router.add(Method::post, "/api/v1/users", {.operation_id = "sign_up", .rate = sign_up_limit},
               [&service, &sessions](Request& request) -> asio::awaitable<Response> {
                   auto body = request.json<SignUpBody>();
                   auto account = co_await service.sign_up({.username = std::move(body.username),
                                                            .email = std::move(body.email),
                                                            .password = std::move(body.password),
                                                            .display_name = std::move(body.display_name)});
                   co_return co_await signed_in(request, sessions, std::move(account), body.transport);
               });
    router.add(Method::post, "/api/v1/sessions", {.operation_id = "sign_in", .rate = sign_in_limit},
               [&service, &sessions](Request& request) -> asio::awaitable<Response> {
                   auto body = request.json<SignInBody>();
                   refuse_oversize(body.login, email_length_max, "login");
                   refuse_oversize(body.password, password_bytes_max, "password");
                   auto account = co_await service.authenticate({.login = std::move(body.login),
                                                                 .password = std::move(body.password),
                                                                 .remote_address = request.remote_address});
                   co_return co_await signed_in(request, sessions, std::move(account), body.transport);
               });
}

void add_session_routes(http::Router& router, http::Sessions& sessions) {
    router.add(
        Method::get, "/api/v1/sessions", {.operation_id = "list_sessions", .access = Access::signed_in},
        [&sessions](Request& request) -> asio::awaitable<Response> {
            auto found = co_await sessions.list(request.user());
            std::ranges::sort(found, std::greater{},
                              [](const auto& s) { return std::pair(s.last_seen_at, s.id); });
            json::Array items;
            for (const auto& session : found)
                items.push_back(json::to_value(item_of(session, request.session->id)));
            co_return Response::of(json::Object{{"items", std::move(items)}, {"next_cursor", nullptr}});
        });
    router.add(Method::delete_, "/api/v1/sessions",
               {.operation_id = "end_other_sessions", .access = Access::signed_in, .rate = http::write_limit},
               [&sessions](Request& request) -> asio::awaitable<Response> {
                   co_await sessions.end_all(request.user(), request.session->id);
                   co_return Response::no_content();
               });
    router.add(Method::delete_, "/api/v1/sessions/current",
               {.operation_id = "sign_out", .rate = http::write_limit},
               [&sessions](Request& request) -> asio::awaitable<Response> {
                   if (request.session) co_await sessions.end(request.session->user_id, request.session->id);
                   auto response = Response::no_content();
                   response.headers.add("Set-Cookie", sessions.expired_cookie());
                   co_return response;
               });
    router.add(Method::delete_, "/api/v1/sessions/{session_id}",
               {.operation_id = "end_session", .access = Access::signed_in, .rate = http::write_limit},
               [&sessions](Request& request) -> asio::awaitable<Response> {
                   if (!co_await sessions.end(request.user(), request.path_param("session_id"))) {
                       throw Error(ErrorCode::not_found, "There is no such session.");
                   }
                   co_return Response::no_content();
               });
}

void add_account_routes(http::Router& router, Service& service) {
    router.add(Method::get, "/api/v1/users/me", {.operation_id = "get_me", .access = Access::signed_in},
               [&service](Request& request) -> asio::awaitable<Response> {
                   co_return Response::of(co_await service.account(request.user()));
               });
    router.add(Method::patch, "/api/v1/users/me",
               {.operation_id = "update_me", .access = Access::signed_in, .rate = http::write_limit},
               [&service](Request& request) -> asio::awaitable<Response> {
                   auto body = update_body(request);
                   auto password = body.current_password.value_or("");
                   refuse_oversize(password, password_bytes_max, "current_password");
                   co_return Response::of(co_await service.update(
                       request.user(),
                       {.display_name = std::move(body.display_name),
                        .bio = std::move(body.bio),
                        .country = std::move(body.country),
                        .language = std::move(body.language),
                        .skills = std::move(body.skills),
                        .email = std::move(body.email)},
                       {.current_password = std::move(password), .remote_address = request.remote_address}));
               });
    router.add(Method::put, "/api/v1/users/me/password",
               {.operation_id = "change_password", .access = Access::signed_in, .rate = password_limit},
               [&service](Request& request) -> asio::awaitable<Response> {
                   auto body = request.json<ChangePasswordBody>();
                   refuse_oversize(body.current_password, password_bytes_max, "current_password");
                   co_await service.change_password(request.user(), request.session->id,
                                                    {.current_password = std::move(body.current_password),
                                                     .remote_address = request.remote_address},
                                                    std::move(body.new_password));
                   co_return Response::no_content();
               });
}

void add_picture_routes(http::Router& router, Service& service) {
    router.add(
        Method::put, "/api/v1/users/me/picture",
        {.operation_id = "set_picture",
         .access = Access::signed_in,
         .rate = picture_limit,
         .body_bytes_max = picture_bytes_max},
        [&service](Request& request) -> asio::awaitable<Response> {
            // A page of another origin can send text/plain without asking, but no image type.
            const auto type = lower(request.headers.get("Content-Type").value_or(""));
            const auto taken = {"image/png", "image/jpeg", "image/webp", "image/gif"};
            if (std::ranges::find(taken, type) == taken.end()) {
                throw Error(ErrorCode::unsupported_media, "A picture is a PNG, JPEG, WebP or GIF.");
            }
            co_return Response::of(co_await service.set_picture(request.user(), std::move(request.body)));
        });
    router.add(Method::delete_, "/api/v1/users/me/picture",
               {.operation_id = "remove_picture", .access = Access::signed_in, .rate = http::write_limit},
               [&service](Request& request) -> asio::awaitable<Response> {
                   co_await service.remove_picture(request.user());
                   co_return Response::no_content();
               });
}

}  // namespace

void add_routes(http::Router& router, Service& service, http::Sessions& sessions) {
    add_sign_in_routes(router, service, sessions);
    add_session_routes(router, sessions);
    add_account_routes(router, service);
    add_picture_routes(router, service);
}

void add_instance_route(http::Router& router, Service& service, InstanceFacts facts) {
    json::Object limits{
        {"username_length_min", username_length_min}, {"username_length_max", username_length_max},
        {"password_length_min", password_length_min}, {"password_length_max", password_length_max},
        {"email_length_max", email_length_max},       {"display_name_length_max", display_name_length_max},
        {"bio_length_max", bio_length_max},           {"skills_max", skills_max},
        {"skill_length_max", skill_length_max},       {"picture_bytes_max", picture_bytes_max}};
    for (const auto& [name, value] : facts.limits)
        limits[name] = value;
    json::Array reserved;
    for (const std::string_view name : reserved_username_list())
        reserved.emplace_back(name);
    json::Object known{{"name", facts.name},
                       {"version", facts.version},
                       {"rtmp_url", facts.rtmp_url},
                       {"public_url", facts.public_url},
                       {"limits", std::move(limits)},
                       {"registration", service.is_registration_open() ? "open" : "closed"},
                       {"reserved_usernames", std::move(reserved)}};
    const auto text_of = [&known](bool is_setup_required) {
        known["setup_required"] = is_setup_required;
        return json::serialize(known);
    };
    // Written once: nothing but the first sign-up changes it.
    router.add(Method::get, "/api/v1/instance", {.operation_id = "get_instance"},
               [&service, before_setup = text_of(true),
                after_setup = text_of(false)](Request&) -> asio::awaitable<Response> {
                   const bool is_setup_required = co_await service.is_setup_required();
                   co_return Response::json_text(is_setup_required ? before_setup : after_setup);
               });
}

void add_user_topic(gateway::Gateway& gateway) {
    gateway.add_topic(
        {.prefix = "user",
         .authorize = [](gateway::Caller caller, std::string rest) -> asio::awaitable<json::Value> {
             if (caller.user().to_string() != rest) {
                 throw Error(ErrorCode::forbidden, "This topic is another user's.");
             }
             co_return json::Object{};
         }});
}

}  // namespace spaktok::accounts
