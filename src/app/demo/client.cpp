#include "app/demo/client.h"

#include <algorithm>
#include <chrono>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"

namespace spaktok::demo {

namespace asio = boost::asio;
namespace beast = boost::beast;

namespace {

using WebSocket = beast::websocket::stream<beast::tcp_stream, false>;  // without compression

constexpr std::chrono::seconds step_time{10};  // a connect, an answer
constexpr std::chrono::seconds wait_first{1};
constexpr std::chrono::seconds wait_max{30};
constexpr std::size_t message_bytes_max = 4u << 20;  // a missed stretch of chat comes in one message

asio::awaitable<beast::tcp_stream> connect(ServerAddress server) {
    const auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::resolver resolver(executor);
    const auto found =
        co_await resolver.async_resolve(server.host, std::to_string(server.port), asio::use_awaitable);
    beast::tcp_stream stream(executor);
    stream.expires_after(step_time);
    co_await stream.async_connect(found, asio::use_awaitable);
    co_return stream;
}

asio::awaitable<std::string> sign_in(ServerAddress server, std::string username, std::string password) {
    namespace http = beast::http;
    auto stream = co_await connect(server);
    http::request<http::string_body> request(http::verb::post, "/api/v1/sessions", 11);
    request.set(http::field::host, server.host + ":" + std::to_string(server.port));
    request.set(http::field::user_agent, "Spaktok demo");
    request.set(http::field::content_type, "application/json");
    request.body() = boost::json::serialize(
        json::Object{{"login", username}, {"password", password}, {"transport", "bearer"}});
    request.prepare_payload();
    stream.expires_after(step_time);
    co_await http::async_write(stream, request, asio::use_awaitable);
    beast::flat_buffer buffer;
    http::response<http::string_body> response;
    co_await http::async_read(stream, buffer, response, asio::use_awaitable);
    if (response.result() != http::status::created) {
        throw Error(ErrorCode::unavailable, "the demo's people cannot sign in",
                    {.detail = response.body().substr(0, 500)});
    }
    const auto answer = json::parse(response.body());
    co_return std::string(answer.at("token").as_string());
}

}  // namespace

ServerAddress reachable(const std::string& listen, std::uint16_t port) {
    std::string host = listen.substr(0, listen.rfind(':'));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host == "0.0.0.0") host = "127.0.0.1";
    if (host == "::") host = "::1";
    return {.host = host, .port = port};
}

struct Client::State {
    // A request that waits: the reader puts the answer in and wakes it.
    struct Pending {
        explicit Pending(const asio::any_io_executor& executor) : wake(executor) {}
        asio::steady_timer wake;
        std::optional<json::Object> answer;
    };

    State(asio::any_io_executor given, Options what) : executor(std::move(given)), options(std::move(what)) {}

    asio::awaitable<void> open();
    asio::awaitable<void> listen();
    void heard(json::Object message);
    void disconnected();
    asio::awaitable<std::optional<json::Object>> request(json::Object body);

    asio::any_io_executor executor;
    Options options;
    std::unique_ptr<WebSocket> socket;  // null while there is no connection
    bool writing = false;
    std::map<std::int64_t, std::shared_ptr<Pending>> pending;
    std::int64_t last_id = 0;
    std::string joined;
    SystemClock clock;
    SystemRandom random;
};

asio::awaitable<void> Client::State::open() {
    const auto token = co_await sign_in(options.server, options.username, options.password);
    auto opened = std::make_unique<WebSocket>(co_await connect(options.server));
    opened->next_layer().expires_never();
    opened->set_option(beast::websocket::stream_base::timeout::suggested(beast::role_type::client));
    opened->set_option(
        beast::websocket::stream_base::decorator([token](beast::websocket::request_type& request) {
            request.set(beast::http::field::authorization, "Bearer " + token);
        }));
    opened->read_message_max(message_bytes_max);
    co_await opened->async_handshake(options.server.host + ":" + std::to_string(options.server.port),
                                     "/api/v1/realtime", asio::use_awaitable);
    socket = std::move(opened);
}

asio::awaitable<void> Client::State::listen() {
    beast::flat_buffer buffer;
    for (;;) {
        co_await socket->async_read(buffer, asio::use_awaitable);
        auto message = json::parse({static_cast<const char*>(buffer.data().data()), buffer.data().size()});
        buffer.consume(buffer.size());
        if (message.is_object()) heard(std::move(message.as_object()));
    }
}

void Client::State::heard(json::Object message) {
    const auto* type = message.if_contains("type");
    if (type == nullptr || !type->is_string()) return;
    if (type->as_string() == "event" && options.on_event) options.on_event(message);
    const auto* id = message.if_contains("id");
    if (type->as_string() != "answer" || id == nullptr || !id->is_int64()) return;
    const auto found = pending.find(id->as_int64());
    if (found == pending.end()) return;
    found->second->answer = std::move(message);
    found->second->wake.cancel();
}

void Client::State::disconnected() {
    // A write that is under way ends with the socket closed; the object goes when nothing uses it.
    if (socket) beast::get_lowest_layer(*socket).close();
    joined.clear();
    for (auto& [id, waiting] : pending)
        waiting->wake.cancel();
}

// One at a time: whoever directs the people of a room waits for each answer.
asio::awaitable<std::optional<json::Object>> Client::State::request(json::Object body) {
    if (!socket || !socket->is_open() || writing) co_return std::nullopt;
    const std::int64_t id = ++last_id;
    body["id"] = id;
    auto waiting = std::make_shared<Pending>(executor);
    waiting->wake.expires_after(step_time);
    pending[id] = waiting;
    const auto text = std::make_shared<std::string>(boost::json::serialize(body));
    boost::system::error_code error;
    writing = true;
    co_await socket->async_write(asio::buffer(*text), asio::redirect_error(asio::use_awaitable, error));
    writing = false;
    if (!error && !waiting->answer)
        co_await waiting->wake.async_wait(asio::redirect_error(asio::use_awaitable, error));
    pending.erase(id);
    if (!waiting->answer) co_return std::nullopt;
    const auto* result = waiting->answer->if_contains("result");
    if (result == nullptr || !result->is_object()) {
        log::debug("demo request refused",
                   {{"user", options.username}, {"answer", boost::json::serialize(*waiting->answer)}});
        co_return std::nullopt;
    }
    co_return result->as_object();
}

Client::Client(asio::any_io_executor executor, Options options)
    : state_(std::make_unique<State>(std::move(executor), std::move(options))) {}
Client::~Client() = default;

asio::awaitable<void> Client::run() {
    asio::steady_timer timer(state_->executor);
    auto wait = wait_first;
    for (;;) {
        try {
            co_await state_->open();
            wait = wait_first;
            co_await state_->listen();
        } catch (const Error& error) {
            log::debug("demo client",
                       {{"user", username()}, {"error", error.message()}, {"detail", error.detail()}});
        } catch (const std::exception& error) {
            log::debug("demo client", {{"user", username()}, {"error", error.what()}});
        }
        state_->disconnected();
        timer.expires_after(wait);
        co_await timer.async_wait(asio::use_awaitable);
        while (state_->writing) {  // its request returns once the closed socket has told it
            timer.expires_after(wait_first);
            co_await timer.async_wait(asio::use_awaitable);
        }
        state_->socket.reset();
        wait = std::min(wait * 2, wait_max);
    }
}

asio::awaitable<bool> Client::join(std::string stream) {
    if (state_->joined == stream) co_return true;
    if (!state_->joined.empty()) {
        for (const auto* topic : {"room:", "stream:"})
            co_await state_->request({{"type", "unsubscribe"}, {"topic", topic + state_->joined}});
        state_->joined.clear();
    }
    for (const auto* topic : {"room:", "stream:"}) {
        if (!co_await state_->request({{"type", "subscribe"}, {"topic", topic + stream}})) co_return false;
    }
    state_->joined = stream;
    co_return true;
}

asio::awaitable<std::optional<std::string>> Client::say(std::string room, std::string content,
                                                        std::optional<std::string> reply_to) {
    json::Object body{{"type", "chat.send"},
                      {"room_id", room},
                      {"client_id", Uuid::v7(state_->clock.now(), state_->random).to_string()},
                      {"content", content}};
    if (reply_to) body["reply_to"] = *reply_to;
    const auto result = co_await state_->request(std::move(body));
    if (!result) co_return std::nullopt;
    const auto* message = result->if_contains("message");
    if (message == nullptr || !message->is_object()) co_return std::nullopt;
    co_return std::string(message->as_object().at("id").as_string());
}

asio::awaitable<void> Client::react(std::string stream, std::string kind) {
    co_await state_->request({{"type", "reaction.send"}, {"stream_id", stream}, {"kind", kind}});
}

const std::string& Client::username() const {
    return state_->options.username;
}

}  // namespace spaktok::demo
