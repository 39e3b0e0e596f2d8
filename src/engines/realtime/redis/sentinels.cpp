#include "engines/realtime/redis/sentinels.h"

#include <chrono>
#include <sstream>
#include <utility>

#include "engines/realtime/redis/failure.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds patience{500};
constexpr const char* switches = "+switch-master";

Login login_of(const Address& address) {
    return {.tls = address.login.tls, .ca_file = address.login.ca_file};
}

}  // namespace

Sentinels::Sentinels(asio::io_context& context, Address address)
    : context_(context), address_(std::move(address)) {}

asio::awaitable<Endpoint> Sentinels::find_master() {
    Error failure = unavailable("no Sentinel knows a master \"" + address_.master + '"');
    const std::size_t begin = first_;
    for (std::size_t i = 0; i < address_.endpoints.size() && !is_closed_; ++i) {
        const std::size_t which = (begin + i) % address_.endpoints.size();
        try {
            Endpoint master = co_await ask(address_.endpoints[which]);
            first_ = which;
            co_return master;
        } catch (const Error& error) {
            failure = error;
        }
    }
    throw Error(failure);
}

asio::awaitable<Endpoint> Sentinels::ask(const Endpoint& sentinel) {
    const auto connection = co_await Connection::connect(
        context_, {.server = sentinel,
                   .login = login_of(address_),
                   .limits = {.connect_timeout = patience, .answer_max = patience}});
    const Reply place =
        co_await connection->run(encode({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", address_.master}));
    connection->close();
    if (!place.is_list()) {
        throw unavailable("the Sentinel at " + sentinel.text() + " knows no master \"" + address_.master +
                          '"');
    }
    co_return Endpoint{.host = std::string(place[0].text()), .port = std::string(place[1].text())};
}

void Sentinels::watch(std::function<void(const Endpoint&)> on_switch) {
    on_switch_ = std::move(on_switch);
    line_ = std::make_shared<Line>(
        context_, Line::Options{.connection = {.server = {},
                                               .login = login_of(address_),
                                               .on_push = [this](const Reply& push) { on_push(push); }},
                                .use = "sentinel",
                                .find = [this]() -> asio::awaitable<Endpoint> {
                                    co_return address_.endpoints[watched_++ % address_.endpoints.size()];
                                },
                                .on_open =
                                    [](const std::shared_ptr<Connection>& connection) {
                                        connection->send(encode({"SUBSCRIBE", switches}));
                                    }});
    line_->start();
}

// `<name> <old host> <old port> <new host> <new port>`
void Sentinels::on_push(const Reply& push) {
    if (push.is_error()) {
        if (const auto open = line_->current()) open->close();
        return;
    }
    if (!push.is_list() || push[0].text() != "message" || push[1].text() != switches) return;
    std::istringstream words{std::string(push[2].text())};
    std::string name;
    Endpoint before;
    Endpoint after;
    words >> name >> before.host >> before.port >> after.host >> after.port;
    if (words && name == address_.master) on_switch_(after);
}

void Sentinels::close() {
    is_closed_ = true;
    if (line_) line_->close();
}

}  // namespace spaktok::realtime::redis
