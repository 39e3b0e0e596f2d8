// The bytes to and from a Redis server: TCP, or TLS on it.
#pragma once

#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include "engines/realtime/redis/address.h"

namespace spaktok::realtime::redis {

class Transport {
  public:
    explicit Transport(boost::asio::io_context& context) : socket_(context) {}

    // Throws boost::system::system_error. TLS verifies the server's certificate and its name.
    boost::asio::awaitable<void> connect(const Endpoint& server, const Login& login);
    void close();

    template <class Handler>
    void read_some(boost::asio::mutable_buffer into, Handler handler) {
        if (tls_) {
            tls_->async_read_some(into, std::move(handler));
        } else {
            socket_.async_read_some(into, std::move(handler));
        }
    }
    template <class Handler>
    void write(boost::asio::const_buffer from, Handler handler) {
        if (tls_) {
            boost::asio::async_write(*tls_, from, std::move(handler));
        } else {
            boost::asio::async_write(socket_, from, std::move(handler));
        }
    }

  private:
    boost::asio::awaitable<void> shake_hands(const Endpoint& server, const Login& login);

    boost::asio::ip::tcp::socket socket_;
    std::optional<boost::asio::ssl::context> tls_context_;
    std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
};

}  // namespace spaktok::realtime::redis
