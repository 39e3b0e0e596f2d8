#include "engines/realtime/redis/transport.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace spaktok::realtime::redis {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;

asio::awaitable<void> Transport::connect(const Endpoint& server, const Login& login) {
    tcp::resolver resolver(socket_.get_executor());
    const auto endpoints = co_await resolver.async_resolve(server.host, server.port, asio::use_awaitable);
    co_await asio::async_connect(socket_, endpoints, asio::use_awaitable);
    socket_.set_option(tcp::no_delay(true));
    if (login.tls) co_await shake_hands(server, login);
}

asio::awaitable<void> Transport::shake_hands(const Endpoint& server, const Login& login) {
    tls_context_.emplace(ssl::context::tls_client);
    if (login.ca_file.empty()) {
        tls_context_->set_default_verify_paths();
    } else {
        tls_context_->load_verify_file(login.ca_file);
    }
    tls_.emplace(socket_, *tls_context_);
    tls_->set_verify_mode(ssl::verify_peer);
    tls_->set_verify_callback(ssl::host_name_verification(server.host));
    SSL_set_tlsext_host_name(tls_->native_handle(), server.host.c_str());
    co_await tls_->async_handshake(ssl::stream_base::client, asio::use_awaitable);
}

void Transport::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace spaktok::realtime::redis
