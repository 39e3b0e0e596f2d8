// Subscribers and publishers of one WebSocket topic, whatever the server's dialect, in a closed loop: W
// publishes are always on their way, and the next goes out when one has reached its last subscriber.
// Publishes need no numbers for that: each subscriber's k-th delivery stands for the k-th publish, so the
// k-th is complete when the slowest has k deliveries.
//
//   --port P --subscribers N --processes PID,…           the server and what of its processes is counted
//   --path /… --subscribe TEXT --subscribed TEXT         what a subscriber sends, and what its answer holds;
//   both may be empty
//   --match TEXT                                         stands once in each delivery
//   --publish-port P --publish-path /… --publish-join TEXT --publish TEXT --publish-error TEXT
//   --authorization TEXT --publishers M
//                                                        $UUID in --publish becomes a new one each time
//   --in-flight W --seconds S                            0 seconds: connect, subscribe, measure memory, and
//   end
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

namespace bench {
namespace {

constexpr int connecting_max = 200;
constexpr std::uint64_t stalled_after_ns = 10'000'000'000;
constexpr std::size_t publishes_max = 1'000'000;

// A client's text frame. Masked with zeros, which RFC 6455 allows and servers unmask all the same.
std::string frame_of(std::string_view text, unsigned char opcode = 1) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    if (text.size() < 126) {
        frame += static_cast<char>(0x80 | text.size());
    } else {
        if (text.size() > 0xFFFF) throw Failure("too long a message");
        frame += static_cast<char>(0x80 | 126);
        frame += static_cast<char>(text.size() >> 8);
        frame += static_cast<char>(text.size() & 0xFF);
    }
    frame.append(4, '\0');
    return frame.append(text);
}

int count_of(std::string_view text, std::string_view match) {
    int count = 0;
    for (auto at = text.find(match); at != text.npos; at = text.find(match, at + match.size()))
        ++count;
    return count;
}

enum class Stage { shaking_hands, joining, open };

struct Client {
    int socket = -1;
    bool publishes = false;
    Stage stage = Stage::shaking_hands;
    std::uint32_t received = 0;
    std::string rest;  // of a frame that has not arrived entirely
};

class Fanout {
  public:
    explicit Fanout(const Arguments& arguments)
        : arguments_(arguments),
          processes_(process_list(arguments.text("processes"))),
          match_(arguments.text("match")),
          error_(arguments.text("publish-error")),
          publish_(arguments.text("publish")),
          subscribers_(arguments.number("subscribers", 1000)),
          in_flight_(arguments.number("in-flight", 1)),
          epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        arrived_.resize(publishes_max);
    }

    void run() {
        const auto before = resident_bytes(processes_);
        open_clients(subscribers_, false);
        // What the server frees or defers after a burst of handshakes has a moment to settle.
        const int seconds = arguments_.number("seconds", 3);
        poll_until(now_ns() + (seconds == 0 ? 1'000'000'000 : 200'000'000));
        const auto connection_bytes = (resident_bytes(processes_) - before) / subscribers_;
        if (seconds == 0) {
            print_figures({{"bytes_a_connection", connection_bytes}});
        } else {
            open_clients(arguments_.number("publishers", 1), true);
            measure(seconds, connection_bytes);
        }
        for (const auto& client : clients_)
            close_at_once(client->socket);
    }

  private:
    void open_clients(int count, bool publishers) {
        const auto target = static_cast<int>(clients_.size()) + count;
        auto progress = now_ns();
        int last_open = open_;
        while (open_ < target) {
            while (static_cast<int>(clients_.size()) < target &&
                   static_cast<int>(clients_.size()) - open_ < connecting_max) {
                open_client(publishers);
            }
            poll(100);
            if (open_ > last_open) {
                last_open = open_;
                progress = now_ns();
            }
            if (now_ns() - progress > stalled_after_ns) {
                throw Failure("only " + std::to_string(open_) + " of " + std::to_string(target) +
                              " connected");
            }
        }
    }

    void open_client(bool publishes) {
        auto client = std::make_unique<Client>();
        client->publishes = publishes;
        const int port = arguments_.number("port", 0);
        client->socket = connect_from(static_cast<int>(clients_.size()),
                                      publishes ? arguments_.number("publish-port", port) : port);
        epoll_event event{.events = EPOLLOUT, .data = {.ptr = client.get()}};
        epoll_ctl(epoll_, EPOLL_CTL_ADD, client->socket, &event);
        if (publishes) publishers_.push_back(client.get());
        clients_.push_back(std::move(client));
    }

    void shake_hands(Client& client) {
        const auto authorization = arguments_.text("authorization");
        std::string request =
            "GET " + arguments_.text(client.publishes ? "publish-path" : "path", arguments_.text("path")) +
            " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
        if (client.publishes && !authorization.empty()) request += "Authorization: " + authorization + "\r\n";
        send_all(client, request + "\r\n");
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &client}};
        epoll_ctl(epoll_, EPOLL_CTL_MOD, client.socket, &event);
    }

    static void send_all(Client& client, std::string_view bytes) {
        const auto sent = send(client.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent != static_cast<ssize_t>(bytes.size())) {
            throw Failure(std::string("send: ") + std::strerror(errno));
        }
    }

    void poll(int milliseconds) {
        epoll_event events[512];
        const int count = epoll_wait(epoll_, events, 512, milliseconds);
        for (int i = 0; i < count; ++i) {
            auto& client = *static_cast<Client*>(events[i].data.ptr);
            if ((events[i].events & EPOLLIN) != 0) {
                read(client);
            } else if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) {
                throw Failure("a connection was refused or broke");
            } else {
                shake_hands(client);
            }
        }
    }

    void poll_until(std::uint64_t time) {
        while (now_ns() < time)
            poll(50);
    }

    void read(Client& client) {
        const auto kept = client.rest.size();
        std::memcpy(buffer_, client.rest.data(), kept);
        const auto count = recv(client.socket, buffer_ + kept, sizeof buffer_ - kept, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) throw Failure("the server closed a connection");
        std::string_view bytes(buffer_, kept + static_cast<std::size_t>(count));
        if (client.stage == Stage::shaking_hands) {
            const auto end = bytes.find("\r\n\r\n");
            if (end != bytes.npos) {
                if (!bytes.starts_with("HTTP/1.1 101")) throw Failure("no handshake: " + std::string(bytes));
                bytes.remove_prefix(end + 4);
                shaken(client);
            }
        }
        if (client.stage != Stage::shaking_hands) bytes = read_frames(client, bytes);
        client.rest.assign(bytes);
    }

    void shaken(Client& client) {
        const auto greeting = arguments_.text(client.publishes ? "publish-join" : "subscribe");
        for (std::size_t begin = 0; begin < greeting.size();) {  // a line each
            const auto end = std::min(greeting.find('\n', begin), greeting.size());
            send_all(client, frame_of(std::string_view(greeting).substr(begin, end - begin)));
            begin = end + 1;
        }
        client.stage = Stage::joining;
        if (client.publishes || arguments_.text("subscribed").empty()) opened(client);
    }

    void opened(Client& client) {
        client.stage = Stage::open;
        ++open_;
    }

    // Returns what is left.
    std::string_view read_frames(Client& client, std::string_view bytes) {
        while (bytes.size() >= 2) {
            std::size_t length = static_cast<unsigned char>(bytes[1]) & 0x7F;
            std::size_t header = 2;
            if (length == 126) {
                if (bytes.size() < 4) break;
                length = (static_cast<std::size_t>(static_cast<unsigned char>(bytes[2])) << 8) |
                         static_cast<unsigned char>(bytes[3]);
                header = 4;
            } else if (length == 127) {
                throw Failure("a frame of more than 64 KiB");
            }
            if (bytes.size() < header + length) break;
            on_frame(client, static_cast<unsigned char>(bytes[0]) & 0x0F, bytes.substr(header, length));
            bytes.remove_prefix(header + length);
        }
        return bytes;
    }

    void on_frame(Client& client, unsigned opcode, std::string_view payload) {
        if (opcode == 9) return send_all(client, frame_of(payload, 10));
        if (opcode == 8)
            throw Failure("closed by the server: " +
                          std::string(payload.substr(std::min<std::size_t>(2, payload.size()))));
        if (payload == "{}") return send_all(client, frame_of("{}"));  // Centrifuge's ping
        if (client.publishes) {
            if (!error_.empty() && payload.find(error_) != payload.npos) {
                throw Failure("a publish was refused: " + std::string(payload));
            }
            return;
        }
        if (client.stage == Stage::joining && payload.find(arguments_.text("subscribed")) != payload.npos) {
            opened(client);
        }
        const int deliveries = count_of(payload, match_);
        if (deliveries > 0) delivery_bytes_ = static_cast<double>(payload.size()) / deliveries;
        for (int i = 0; i < deliveries; ++i)
            delivered(client);
    }

    void delivered(Client& client) {
        if (client.received >= sent_at_.size()) throw Failure("more deliveries than publishes");
        if (++arrived_[client.received++] < static_cast<std::uint32_t>(subscribers_)) return;
        const auto taken = now_ns() - sent_at_[completed_++];
        times_.push_back(static_cast<std::uint32_t>(taken / 1000));
    }

    void publish() {
        if (sent_at_.size() >= publishes_max) throw Failure("too many publishes");
        auto text = publish_;
        if (const auto at = text.find("$UUID"); at != text.npos) {
            char uuid[40];
            std::snprintf(uuid, sizeof uuid, "%08x-0000-4000-8000-%012zx", static_cast<unsigned>(getpid()),
                          sent_at_.size());
            text.replace(at, 5, uuid);
        }
        auto& publisher = *publishers_[sent_at_.size() % publishers_.size()];
        sent_at_.push_back(now_ns());
        send_all(publisher, frame_of(text));
    }

    void keep_going(std::uint64_t until) {
        auto progress = now_ns();
        auto last = completed_;
        while (now_ns() < until) {
            while (sent_at_.size() - completed_ < static_cast<std::size_t>(in_flight_))
                publish();
            poll(100);
            if (completed_ != last) {
                last = completed_;
                progress = now_ns();
            }
            if (now_ns() - progress > stalled_after_ns) throw Failure("deliveries stand still");
        }
    }

    void measure(int seconds, double connection_bytes) {
        keep_going(now_ns() + 500'000'000);  // warm
        times_.clear();
        const auto cpu_before = cpu_microseconds(processes_);
        const auto own_before = cpu_microseconds({static_cast<int>(getpid())});
        const auto begin = now_ns();
        const auto first = completed_;
        keep_going(begin + static_cast<std::uint64_t>(seconds) * 1'000'000'000);
        const auto elapsed = static_cast<double>(now_ns() - begin) / 1e9;
        const auto deliveries = static_cast<double>(completed_ - first) * subscribers_;
        const auto cpu = cpu_microseconds(processes_) - cpu_before;
        const auto own = cpu_microseconds({static_cast<int>(getpid())}) - own_before;
        print_figures({{"deliveries_a_second", deliveries / elapsed},
                       {"mean_ms", mean(times_) / 1000},
                       {"p50_ms", percentile(times_, 0.5) / 1000},
                       {"p99_ms", percentile(times_, 0.99) / 1000},
                       {"cpu_us", deliveries > 0 ? cpu / deliveries : 0},
                       {"server_share", cpu / 1e6 / elapsed},
                       {"load_share", own / 1e6 / elapsed},
                       {"delivery_bytes", delivery_bytes_},
                       {"bytes_a_connection", connection_bytes}});
    }

    const Arguments& arguments_;
    std::vector<int> processes_;
    std::string match_;
    std::string error_;
    std::string publish_;
    int subscribers_;
    int in_flight_;
    int epoll_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<Client*> publishers_;
    int open_ = 0;
    std::vector<std::uint64_t> sent_at_;
    std::vector<std::uint32_t> arrived_;  // how many subscribers have the k-th delivery
    std::size_t completed_ = 0;
    std::vector<std::uint32_t> times_;  // microseconds
    double delivery_bytes_ = 0;
    char buffer_[512 * 1024];
};

}  // namespace
}  // namespace bench

int main(int count, char** values) {
    try {
        const bench::Arguments arguments(count, values);
        std::make_unique<bench::Fanout>(arguments)->run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "fanout_load: %s\n", error.what());
        return 1;
    }
}
