#include "http/server.h"

#include <algorithm>
#include <future>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <signal.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/connection_count.h"
#include "http/dispatcher.h"
#include "http/server_thread.h"
#include "http/syntax.h"

namespace spaktok::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr auto accept_pause = 100ms;  // after an error that time may cure (no descriptors left)
constexpr auto cancel_timeout = 5s;   // for handlers to unwind once they were cancelled
constexpr std::string_view too_many_connections =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";

tcp::endpoint resolve(const std::string& listen) {
    const auto colon = listen.rfind(':');
    auto host = listen.substr(0, colon);
    const auto port = colon == std::string::npos ? std::nullopt : parse_decimal(listen.substr(colon + 1));
    if (!port || *port > 65535) {
        throw Error(ErrorCode::invalid_argument, "\"" + listen + "\" is not host:port.", {.field = "http"});
    }
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host.empty()) host = "0.0.0.0";
    if (host == "localhost") host = "127.0.0.1";
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error) {
        throw Error(ErrorCode::invalid_argument, "\"" + host + "\" is not an address to listen on.",
                    {.field = "http"});
    }
    return {address, static_cast<std::uint16_t>(*port)};
}

std::string text_of(const asio::ip::address& address) {
    // A client that came over IPv4 to a socket of both kinds is an IPv4 client.
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    }
    return address.to_string();
}

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
    State(ServerOptions server_options, const Router& router, Sessions* sessions, RateLimiter* limiter,
          IoThreads& io_threads)
        : options(std::make_shared<const ServerOptions>(std::move(server_options))),
          dispatcher(std::make_shared<Dispatcher>(*options, router, sessions, limiter)),
          count(std::make_shared<ConnectionCount>()),
          threads(io_threads),
          acceptor(threads.context(0)) {}

    void bind();
    static asio::awaitable<void> accept(std::shared_ptr<State> self);
    void take(tcp::socket socket, const tcp::endpoint& peer, std::size_t index);
    bool on_each_thread(std::function<void(ServerThread&)> action);
    bool cancel_all();

    std::shared_ptr<const ServerOptions> options;
    std::shared_ptr<Dispatcher> dispatcher;
    std::shared_ptr<ConnectionCount> count;
    IoThreads& threads;
    tcp::acceptor acceptor;
    std::uint16_t port = 0;
    std::vector<std::shared_ptr<ServerThread>> server_threads;
    std::promise<void> accepting_ended;
    bool started = false;
    bool stopped = false;
};

void Server::State::bind() {
    const auto endpoint = resolve(options->listen);
    try {
        acceptor.open(endpoint.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        if (endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(false));
        acceptor.bind(endpoint);
        acceptor.listen();
        port = acceptor.local_endpoint().port();
    } catch (const boost::system::system_error& error) {
        throw Error(ErrorCode::unavailable,
                    "Cannot listen on " + options->listen + ": " + error.code().message() + ".",
                    {.detail = error.what()});
    }
}

asio::awaitable<void> Server::State::accept(std::shared_ptr<State> self) {
    auto& state = *self;
    asio::steady_timer pause(state.acceptor.get_executor());
    while (state.acceptor.is_open()) {
        const auto index = state.threads.next();
        tcp::socket socket(state.threads.context(index));
        tcp::endpoint peer;
        const auto [error] =
            co_await state.acceptor.async_accept(socket, peer, asio::as_tuple(asio::deferred));
        if (!error) {
            state.take(std::move(socket), peer, index);
        } else if (error != asio::error::operation_aborted && error != asio::error::connection_aborted &&
                   error != asio::error::bad_descriptor) {
            log::warning("cannot accept a connection", {{"error", error.message()}});
            pause.expires_after(accept_pause);
            co_await pause.async_wait(asio::as_tuple(asio::deferred));
        }
    }
    state.accepting_ended.set_value();
}

void Server::State::take(tcp::socket socket, const tcp::endpoint& peer, std::size_t index) {
    if (!count->enter(options->connections_max)) {
        ::send(socket.native_handle(), too_many_connections.data(), too_many_connections.size(),
               MSG_DONTWAIT | MSG_NOSIGNAL);
        boost::system::error_code ignored;
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        return;
    }
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.native_non_blocking(true, ignored);
    asio::post(threads.context(index), [thread = server_threads[index], address = text_of(peer.address()),
                                        accepted = std::move(socket)]() mutable {
        auto connection = std::make_shared<Connection>(std::move(accepted), std::move(address), thread);
        thread->tasks.spawn(Connection::serve(std::move(connection)));
    });
}

// Returns when every I/O thread has run it: what was only posted would keep the server's parts, and those of
// whoever took over its connections, until after the threads' end. False where a thread did not come to it in
// time.
bool Server::State::on_each_thread(std::function<void(ServerThread&)> action) {
    std::vector<std::future<void>> done;
    for (const auto& thread : server_threads) {
        done.push_back(asio::post(threads.context(thread->index),
                                  asio::use_future([thread, action] { action(*thread); })));
    }
    const auto deadline = std::chrono::steady_clock::now() + cancel_timeout;
    return std::ranges::all_of(
        done, [&](auto& each) { return each.wait_until(deadline) == std::future_status::ready; });
}

bool Server::State::cancel_all() {
    for (const auto& thread : server_threads)
        thread->tasks.request_stop();
    return count->wait_until_none(cancel_timeout);
}

Server::Server(ServerOptions options, const Router& router, Sessions* sessions, RateLimiter* limiter,
               IoThreads& threads)
    : state_(std::make_shared<State>(std::move(options), router, sessions, limiter, threads)) {}

Server::~Server() {
    if (state_->started && !state_->stopped) stop(0ms);
}

void Server::add_upgrade(std::string path, RateLimit rate, UpgradeHandler handler) {
    SPAKTOK_ASSERT(!state_->started);
    state_->dispatcher->add_upgrade(std::move(path), rate, std::move(handler));
}

std::vector<std::string> Server::upgrade_paths() const {
    return state_->dispatcher->upgrade_paths();
}

void Server::listen() {
    if (state_->port == 0) state_->bind();
}

void Server::start() {
    SPAKTOK_ASSERT(!state_->started);
    // sendfile has no MSG_NOSIGNAL: a client that is gone must be an error, not the end of the process.
    ::signal(SIGPIPE, SIG_IGN);
    listen();
    state_->dispatcher->prepare();
    for (std::size_t i = 0; i < state_->threads.size(); ++i) {
        state_->server_threads.push_back(std::make_shared<ServerThread>(i, state_->threads, state_->options,
                                                                        state_->dispatcher, state_->count));
    }
    state_->started = true;
    asio::post(state_->threads.context(0),
               [state = state_] { state->server_threads[0]->tasks.spawn(State::accept(state)); });
}

std::uint16_t Server::port() const {
    return state_->port;
}

void Server::stop(std::chrono::milliseconds grace) {
    if (!state_->started || state_->stopped) return;
    state_->stopped = true;
    asio::post(state_->threads.context(0), [state = state_] {
        boost::system::error_code ignored;
        state->acceptor.close(ignored);
    });
    const bool are_told = state_->on_each_thread([](ServerThread& thread) { thread.stop_idle(); });
    if (!are_told) log::error("an I/O thread is stopped or busy");
    if (state_->accepting_ended.get_future().wait_for(cancel_timeout) != std::future_status::ready) {
        log::error("the HTTP listener did not end: its I/O thread is stopped or busy");
    }
    if (state_->count->wait_until_none(grace)) return;
    if (!state_->cancel_all()) log::error("HTTP handlers did not end when they were cancelled");
}

}  // namespace spaktok::http
