// Keep-alive HTTP/1.1 connections in a closed loop, one request in flight each.
//
//   --port P --processes PID,… --connections N --seconds S
//   --requests FILE     one a line, tab-separated: method, path, Authorization or empty, JSON body or empty.
//   Each connection goes
//                       through all of them in turn, the n-th beginning at the n-th.
//   --once yes          each request once in all (creations); ends when none is left
//   --keys yes          each with an Idempotency-Key of its own
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

namespace bench {
namespace {

constexpr std::uint64_t stalled_after_ns = 10'000'000'000;
constexpr std::size_t header_bytes_max = 16 * 1024;

std::vector<std::string> requests_of(const std::string& path) {
    std::vector<std::string> requests;
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
        std::vector<std::string> fields;
        std::istringstream parts(line);
        for (std::string part; std::getline(parts, part, '\t');)
            fields.push_back(part);
        fields.resize(4);
        auto request = fields[0] + " " + fields[1] + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
        if (!fields[2].empty()) request += "Authorization: " + fields[2] + "\r\n";
        if (!fields[3].empty()) {
            request +=
                "Content-Type: application/json\r\nContent-Length: " + std::to_string(fields[3].size()) +
                "\r\n";
        }
        requests.push_back(request + "\r\n" + fields[3]);
    }
    if (requests.empty()) throw Failure("no requests in " + path);
    return requests;
}

struct Connection {
    int socket = -1;
    std::size_t next = 0;
    std::uint64_t sent_at = 0;
    std::string header;  // what has come of it
    bool in_body = false;
    bool chunked = false;
    std::size_t body_left = 0;
    std::string tail;  // of a chunked body
};

// The value of a header, whose name is given in lower case; empty where there is none.
std::string header_value(std::string_view header, std::string_view name) {
    std::string lower(header);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    const auto at = lower.find("\r\n" + std::string(name) + ":");
    if (at == lower.npos) return "";
    const auto begin = lower.find_first_not_of(' ', at + name.size() + 3);
    return lower.substr(begin, lower.find("\r\n", begin) - begin);
}

class Load {
  public:
    explicit Load(const Arguments& arguments)
        : processes_(process_list(arguments.text("processes"))),
          requests_(requests_of(arguments.text("requests"))),
          once_(arguments.text("once") == "yes"),
          keys_(arguments.text("keys") == "yes"),
          seconds_(arguments.number("seconds", 3)),
          epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        const int count = arguments.number("connections", 64);
        for (int i = 0; i < count; ++i) {
            auto connection = std::make_unique<Connection>();
            connection->socket = connect_from(i, arguments.number("port", 0));
            connection->next = static_cast<std::size_t>(i) % requests_.size();
            epoll_event event{.events = EPOLLOUT, .data = {.ptr = connection.get()}};
            epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->socket, &event);
            connections_.push_back(std::move(connection));
        }
    }

    void run() {
        if (!once_) poll_until(now_ns() + 500'000'000);  // warm
        times_.clear();
        bytes_ = 0;
        const auto cpu_before = cpu_microseconds(processes_);
        const auto own_before = cpu_microseconds({static_cast<int>(getpid())});
        const auto begin = now_ns();
        poll_until(begin + static_cast<std::uint64_t>(seconds_) * 1'000'000'000);
        const auto elapsed = static_cast<double>(now_ns() - begin) / 1e9;
        const auto cpu = cpu_microseconds(processes_) - cpu_before;
        const auto own = cpu_microseconds({static_cast<int>(getpid())}) - own_before;
        const auto count = static_cast<double>(times_.size());
        if (times_.empty()) throw Failure("no answers");
        print_figures({{"requests_a_second", count / elapsed},
                       {"megabytes_a_second", bytes_ / elapsed / 1e6},
                       {"mean_ms", mean(times_) / 1000},
                       {"p99_ms", percentile(times_, 0.99) / 1000},
                       {"cpu_us", cpu / count},
                       {"cpu_us_a_megabyte", bytes_ > 0 ? cpu / (bytes_ / 1e6) : 0},
                       {"server_share", cpu / 1e6 / elapsed},
                       {"load_share", own / 1e6 / elapsed},
                       {"bytes_an_answer", bytes_ / count}});
        for (const auto& connection : connections_)
            close_at_once(connection->socket);
    }

  private:
    void poll_until(std::uint64_t until) {
        auto progress = now_ns();
        auto last = times_.size();
        while (now_ns() < until && !(once_ && used_ >= requests_.size() && waiting_ == 0)) {
            epoll_event events[512];
            const int count = epoll_wait(epoll_, events, 512, 50);
            for (int i = 0; i < count; ++i)
                on_event(*static_cast<Connection*>(events[i].data.ptr), events[i].events);
            if (times_.size() != last) {
                last = times_.size();
                progress = now_ns();
            }
            if (now_ns() - progress > stalled_after_ns) throw Failure("answers stand still");
        }
    }

    void on_event(Connection& connection, std::uint32_t events) {
        if ((events & EPOLLIN) != 0) return read(connection);
        if ((events & (EPOLLERR | EPOLLHUP)) != 0) throw Failure("a connection was refused or broke");
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
        epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event);
        ask(connection);
    }

    void ask(Connection& connection) {
        if (once_) {
            if (used_ >= requests_.size()) return;
            connection.next = used_++;
        }
        const auto& named = requests_[connection.next];
        const auto request = keys_ ? with_key(named) : named;
        connection.next = (connection.next + 1) % requests_.size();
        connection.sent_at = now_ns();
        ++waiting_;
        if (send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request.size())) {
            throw Failure(std::string("send: ") + std::strerror(errno));
        }
    }

    void read(Connection& connection) {
        const auto count = recv(connection.socket, buffer_, sizeof buffer_, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) throw Failure("the server closed a connection");
        std::string_view bytes(buffer_, static_cast<std::size_t>(count));
        if (!connection.in_body) {
            connection.header.append(bytes);
            const auto end = connection.header.find("\r\n\r\n");
            if (end == std::string::npos) {
                if (connection.header.size() > header_bytes_max) throw Failure("an endless header");
                return;
            }
            bytes.remove_prefix(bytes.size() - (connection.header.size() - end - 4));
            begin_body(connection, std::string_view(connection.header).substr(0, end + 2));
        }
        read_body(connection, bytes);
    }

    static void begin_body(Connection& connection, std::string_view header) {
        if (header.substr(8, 2) != " 2") throw Failure("refused: " + connection.header.substr(0, 1000));
        connection.in_body = true;
        connection.chunked = header_value(header, "transfer-encoding") == "chunked";
        const auto length = header_value(header, "content-length");
        std::from_chars(length.data(), length.data() + length.size(), connection.body_left);
        connection.tail.clear();
    }

    void read_body(Connection& connection, std::string_view bytes) {
        bytes_ += static_cast<double>(bytes.size());
        if (connection.chunked) {
            // Nothing is pipelined, so the answer ends where the bytes end with the last chunk's.
            connection.tail.append(bytes);
            if (connection.tail.size() > 64) connection.tail.erase(0, connection.tail.size() - 64);
            if (!connection.tail.ends_with("0\r\n\r\n")) return;
        } else {
            if (bytes.size() > connection.body_left) throw Failure("more bytes than announced");
            connection.body_left -= bytes.size();
            if (connection.body_left > 0) return;
        }
        connection.in_body = false;
        connection.body_left = 0;
        connection.header.clear();
        times_.push_back(static_cast<std::uint32_t>((now_ns() - connection.sent_at) / 1000));
        --waiting_;
        ask(connection);
    }

    std::vector<int> processes_;
    // The request with a key that no other has.
    static std::string with_key(const std::string& request) {
        static const std::string run = std::to_string(now_ns());
        static std::uint64_t count = 0;
        const auto line = request.find("\r\n") + 2;
        return request.substr(0, line) + "Idempotency-Key: " + run + "." + std::to_string(++count) + "\r\n" +
               request.substr(line);
    }

    std::vector<std::string> requests_;
    bool keys_;
    bool once_;
    bool keys_;
    int seconds_;
    int epoll_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::size_t used_ = 0;
    int waiting_ = 0;
    std::vector<std::uint32_t> times_;  // microseconds
    double bytes_ = 0;
    char buffer_[256 * 1024];
};

}  // namespace
}  // namespace bench

int main(int count, char** values) {
    try {
        const bench::Arguments arguments(count, values);
        std::make_unique<bench::Load>(arguments)->run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "http_load: %s\n", error.what());
        return 1;
    }
}
