#include "http/client.h"

#include <array>
#include <optional>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/url/parse.hpp>
#include <fmt/format.h>

#include "base/deadline.h"
#include "base/error.h"

namespace spaktok::http {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using asio::ip::tcp;

namespace {

Error unavailable(std::string detail) {
    return Error(
        ErrorCode::unavailable, "Another server of this community cannot be reached.",
        {.reason = "node_unreachable", .detail = std::move(detail), .retry_after = std::chrono::seconds(1)});
}

std::string host_of(const std::string& origin) {
    return origin.substr(origin.find("://") + 3);
}

// What the peer may have closed while nobody looked.
bool is_usable(tcp::socket& socket) {
    boost::system::error_code error;
    return socket.available(error) == 0 && !error;
}

}  // namespace

asio::awaitable<Client::Answer> Client::get(std::string origin, std::string target, Headers headers,
                                            std::chrono::milliseconds patience) {
    std::string request = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n", target, host_of(origin));
    headers.for_each([&](std::string_view name, std::string_view value) {
        request += fmt::format("{}: {}\r\n", name, value);
    });
    request += "\r\n";
    std::string problem;
    try {
        co_return co_await with_deadline(get_once(origin, std::move(request)), patience);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) throw;
        problem = error.what();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::deadline_exceeded) throw;
        problem = "no answer in time";
    }
    throw unavailable(fmt::format("{}{}: {}", origin, target, problem));
}

// A kept connection may have been closed by the other side at this very moment: then another one is tried.
asio::awaitable<Client::Answer> Client::get_once(std::string origin, std::string request) {
    for (auto& idle = idle_[origin]; !idle.empty();) {
        auto socket = std::move(idle.back());
        idle.pop_back();
        if (!is_usable(socket)) continue;
        try {
            co_return co_await exchange(origin, std::move(socket), request);
        } catch (const boost::system::system_error& error) {
            if (error.code() == asio::error::operation_aborted) throw;
        }
    }
    co_return co_await exchange(origin, co_await connect(origin), std::move(request));
}

asio::awaitable<tcp::socket> Client::connect(std::string origin) {
    const auto url = boost::urls::parse_uri(origin);
    if (!url.has_value() || url->scheme() != "http" || url->host().empty())
        throw unavailable("not an address of a node: " + origin);
    tcp::socket socket(context_);
    const std::string port = url->has_port() ? std::string(url->port()) : "80";
    co_await with_deadline(connect_to(std::string(url->host_address()), port, socket),
                           limits_.connect_timeout);
    co_return std::move(socket);
}

asio::awaitable<void> Client::connect_to(std::string host, std::string port, Socket& socket) {
    tcp::resolver resolver(context_);
    const auto endpoints = co_await resolver.async_resolve(host, port, asio::use_awaitable);
    co_await asio::async_connect(socket, endpoints, asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
}

asio::awaitable<Client::Answer> Client::exchange(std::string origin, Socket socket, std::string request) {
    co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
    beast_http::response_parser<beast_http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
    parser.body_limit(limits_.body_bytes_max);
    parser.eager(true);
    std::string unread;
    std::array<char, 32 * 1024> buffer{};
    while (!parser.is_done()) {
        const auto count = co_await socket.async_read_some(asio::buffer(buffer), asio::use_awaitable);
        unread.append(buffer.data(), count);
        boost::system::error_code error;
        const auto used = parser.put(asio::buffer(unread), error);
        unread.erase(0, used);
        if (error && error != beast_http::error::need_more) throw boost::system::system_error(error);
    }
    auto message = parser.release();
    Answer answer{.status = message.result_int(), .headers = {}, .body = {}};
    for (const auto& field : message)
        answer.headers.add(std::string_view(field.name_string()), std::string_view(field.value()));
    answer.body = std::make_shared<const std::string>(std::move(message.body()));
    auto& idle = idle_[origin];
    const bool is_kept = message.keep_alive() && unread.empty() && idle.size() < limits_.idle_connections_max;
    if (is_kept) idle.push_back(std::move(socket));
    co_return answer;
}

}  // namespace spaktok::http
