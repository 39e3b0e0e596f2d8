// GET requests of this program to another node of it: HTTP/1.1 over plain TCP, with connections kept open.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "http/request.h"

namespace spaktok::http {

// Lives on its context's only thread.
class Client {
  public:
    struct Limits {
        std::chrono::milliseconds connect_timeout{2'000};
        std::size_t header_bytes_max = 16 * 1024;
        std::size_t body_bytes_max = 64u * 1024 * 1024;
        std::size_t idle_connections_max = 8;  // an origin
    };
    struct Answer {
        unsigned status = 0;
        Headers headers;
        SharedBytes body;
    };
    Client(boost::asio::io_context& context, Limits limits) : context_(context), limits_(limits) {}

    // `origin`: "http://host:port"; `target`: path and query, as they go on the line. Throws
    // Error{unavailable} where no whole answer came within `patience`.
    boost::asio::awaitable<Answer> get(std::string origin, std::string target, Headers headers,
                                       std::chrono::milliseconds patience);

  private:
    using Socket = boost::asio::ip::tcp::socket;
    boost::asio::awaitable<Answer> get_once(std::string origin, std::string request);
    boost::asio::awaitable<Socket> connect(std::string origin);
    boost::asio::awaitable<void> connect_to(std::string host, std::string port, Socket& socket);
    boost::asio::awaitable<Answer> exchange(std::string origin, Socket socket, std::string request);

    boost::asio::io_context& context_;
    const Limits limits_;
    std::unordered_map<std::string, std::vector<Socket>> idle_;  // by origin
};

}  // namespace spaktok::http
