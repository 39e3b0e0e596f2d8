// For tests: a client that sends exactly the bytes it is told, over a blocking socket on which every wait has
// a deadline.
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <poll.h>
#include <sys/socket.h>

#include "http/headers.h"
#include "http/syntax.h"

namespace spaktok::http::testing {

struct Answer {
    unsigned status = 0;
    Headers headers;
    std::string body;
    std::string head;  // as it came

    std::string header(std::string_view name) const { return std::string(headers.get(name).value_or("")); }
};

class RawClient {
  public:
    static constexpr std::chrono::seconds deadline{10};

    explicit RawClient(std::uint16_t port) : socket_(context_) {
        socket_.connect({boost::asio::ip::make_address("127.0.0.1"), port});
    }

    // False where the server has closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            wait(POLLOUT);
            const auto sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // Whether the server has sent something, or closes, within that time.
    bool is_readable_within(std::chrono::milliseconds time) {
        pollfd entry{socket_.native_handle(), POLLIN, 0};
        return ::poll(&entry, 1, static_cast<int>(time.count())) > 0;
    }
    void end() { socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send); }
    void close() { socket_.close(); }

    // The next response. `to_head`: of a HEAD request. Throws where the connection ends before it or the
    // deadline passes.
    Answer receive(bool to_head = false) {
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
            if (!fill()) throw std::runtime_error("the connection ended within a head: " + buffer_);
        }
        auto answer = parse_head(buffer_.substr(0, end + 4));
        buffer_.erase(0, end + 4);
        const auto length = to_head ? 0 : parse_decimal(answer.header("Content-Length")).value_or(0);
        while (buffer_.size() < length) {
            if (!fill()) throw std::runtime_error("the connection ended within a body");
        }
        answer.body = buffer_.substr(0, length);
        buffer_.erase(0, length);
        return answer;
    }
    Answer ask(std::string_view request) {
        send(request);
        return receive(request.starts_with("HEAD "));
    }
    Answer get(const std::string& target, const std::string& fields = "") {
        return ask("GET " + target + " HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n");
    }
    // Whether the server closes the connection without sending anything more (before the deadline, or the
    // test fails).
    bool is_closed_by_server() {
        while (fill()) {
        }
        return buffer_.empty();
    }
    std::string rest() {
        while (fill()) {
        }
        return buffer_;
    }

    boost::asio::ip::tcp::socket& socket() { return socket_; }

  private:
    void wait(short events) {
        pollfd entry{socket_.native_handle(), events, 0};
        if (::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(deadline).count())) <= 0) {
            throw std::runtime_error("nothing from the server before the deadline; so far: " + buffer_);
        }
    }
    bool fill() {
        wait(POLLIN);
        char bytes[16 * 1024];
        const auto count = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0);
        if (count <= 0) return false;
        buffer_.append(bytes, static_cast<std::size_t>(count));
        return true;
    }
    static Answer parse_head(std::string head) {
        Answer answer;
        answer.status = static_cast<unsigned>(parse_decimal(std::string_view(head).substr(9, 3)).value_or(0));
        std::size_t begin = head.find("\r\n") + 2;
        while (begin < head.size()) {
            const auto end = head.find("\r\n", begin);
            const auto line = std::string_view(head).substr(begin, end - begin);
            if (const auto colon = line.find(':'); colon != std::string_view::npos) {
                answer.headers.add(line.substr(0, colon), trim(line.substr(colon + 1)));
            }
            begin = end + 2;
        }
        answer.head = std::move(head);
        return answer;
    }

    boost::asio::io_context context_;
    boost::asio::ip::tcp::socket socket_;
    std::string buffer_;
};

}  // namespace spaktok::http::testing
