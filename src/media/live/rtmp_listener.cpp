#include "media/live/rtmp_listener.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/task_group.h"
#include "media/live/rtmp_connection.h"

namespace spaktok::media {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t read_buffer_bytes = 64 * 1024;  // one a thread: half a second of a usual stream
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::seconds refusal_log_interval{1};

tcp::endpoint parse_endpoint(const std::string& listen) {
    const auto bad = [&] {
        return Error(ErrorCode::invalid_argument,
                     fmt::format("\"{}\" is not an address and a port.", listen));
    };
    const auto colon = listen.rfind(':');
    if (colon == std::string::npos) throw bad();
    std::string host = listen.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (host == "localhost") host = "127.0.0.1";
    std::uint16_t port = 0;
    const char* end = listen.data() + listen.size();
    const auto [parsed, failure] = std::from_chars(listen.data() + colon + 1, end, port);
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error || failure != std::errc{} || parsed != end) throw bad();
    return {address, port};
}

// Whom the limit for one address counts: an IPv6 customer has a /64 network, not an address.
std::string limited_unit(const asio::ip::address& address) {
    if (address.is_v4()) return address.to_string();
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
    auto bytes = v6.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return asio::ip::make_address_v6(bytes).to_string();
}

}  // namespace

struct RtmpListener::State : std::enable_shared_from_this<RtmpListener::State> {
    struct Worker {
        Worker(asio::io_context& context)
            : tasks(context.get_executor(), "rtmp"), read_buffer(read_buffer_bytes) {}
        // On the worker's thread only.
        TaskGroup tasks;
        std::vector<std::uint8_t> read_buffer;
        std::set<std::shared_ptr<RtmpConnection>> connections;
    };

    State(RtmpListenerOptions listener_options, PublisherGate& publisher_gate, IoThreads& io_threads,
          Random& source)
        : options(std::move(listener_options)),
          gate(publisher_gate),
          threads(io_threads),
          random(source),
          acceptor(io_threads.context(0)),
          accept_timer(io_threads.context(0)) {}

    void listen();
    asio::awaitable<void> accept_all();
    void admit(tcp::socket socket, const tcp::endpoint& remote, std::size_t thread);
    bool count(const std::string& unit, const tcp::endpoint& remote);
    void refuse(std::string_view reason, const tcp::endpoint& remote);
    void uncount(const std::string& unit);
    asio::awaitable<void> run(std::shared_ptr<RtmpConnection> connection, std::size_t thread,
                              std::string unit);
    void stop(std::chrono::milliseconds grace);

    RtmpListenerOptions options;
    PublisherGate& gate;
    IoThreads& threads;
    Random& random;
    RtmpMetrics metrics;
    tcp::acceptor acceptor;  // on thread 0, as what follows up to the workers
    asio::steady_timer accept_timer;
    std::chrono::steady_clock::time_point refusal_logged_at{};
    std::size_t refused_since = 0;
    std::vector<std::unique_ptr<Worker>> workers;
    std::uint16_t port = 0;
    std::atomic<bool> stopping = false;
    bool running = false;

    std::mutex mutex;  // guards the two below
    std::map<std::string, std::size_t> connections_by_unit;
    std::size_t connections = 0;
    std::condition_variable all_gone;
};

void RtmpListener::State::listen() {
    const tcp::endpoint endpoint = parse_endpoint(options.listen);
    try {
        acceptor.open(endpoint.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.bind(endpoint);
        acceptor.listen();
        port = acceptor.local_endpoint().port();
    } catch (const boost::system::system_error& error) {
        throw Error(ErrorCode::unavailable, fmt::format("RTMP cannot listen on {}.", options.listen),
                    {.detail = error.code().message()});
    }
    for (std::size_t i = 0; i < threads.size(); ++i)
        workers.push_back(std::make_unique<Worker>(threads.context(i)));
    running = true;
    asio::post(threads.context(0),
               [self = shared_from_this()] { self->workers[0]->tasks.spawn(self->accept_all()); });
}

asio::awaitable<void> RtmpListener::State::accept_all() {
    while (!stopping) {
        const std::size_t thread = threads.next();
        tcp::socket socket(threads.context(thread));
        tcp::endpoint remote;
        boost::system::error_code error;
        co_await acceptor.async_accept(socket, remote, asio::redirect_error(asio::use_awaitable, error));
        if (stopping || error == asio::error::operation_aborted) co_return;
        if (!error) {
            admit(std::move(socket), remote, thread);
            continue;
        }
        if (error == asio::error::connection_aborted) continue;  // the peer was quicker
        // Out of descriptors or memory: what is open has to end first.
        log::warning("rtmp cannot accept", {{"error", error.message()}});
        accept_timer.expires_after(accept_pause);
        co_await accept_timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
}

void RtmpListener::State::admit(tcp::socket socket, const tcp::endpoint& remote, std::size_t thread) {
    std::string unit = limited_unit(remote.address());
    if (!count(unit, remote)) return;
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const std::string address = fmt::format("{}:{}", remote.address().to_string(), remote.port());
    Worker& worker = *workers[thread];
    asio::post(threads.context(thread), [self = shared_from_this(), &worker, socket = std::move(socket),
                                         address, thread, unit = std::move(unit)]() mutable {
        if (self->stopping) return self->uncount(unit);
        const RtmpConnection::Surroundings surroundings{.options = self->options,
                                                        .gate = self->gate,
                                                        .random = self->random,
                                                        .metrics = self->metrics,
                                                        .wheel = self->threads.wheel(thread),
                                                        .read_buffer = worker.read_buffer,
                                                        .io_thread = thread};
        auto connection = std::make_shared<RtmpConnection>(std::move(socket), address, surroundings);
        worker.connections.insert(connection);
        worker.tasks.spawn(self->run(std::move(connection), thread, std::move(unit)));
    });
}

bool RtmpListener::State::count(const std::string& unit, const tcp::endpoint& remote) {
    std::unique_lock lock(mutex);
    std::size_t& of_unit = connections_by_unit[unit];
    const bool all_taken = connections >= options.connections_max;
    if (!all_taken && of_unit < options.connections_per_address_max) {
        ++of_unit;
        ++connections;
        lock.unlock();
        metrics.connections.add(1);
        return true;
    }
    if (of_unit == 0) connections_by_unit.erase(unit);
    lock.unlock();
    refuse(all_taken ? "connections_max" : "address_max", remote);
    return false;
}

// The socket is closed at once. A flood of connections must not become a flood of log lines.
void RtmpListener::State::refuse(std::string_view reason, const tcp::endpoint& remote) {
    metrics.closed(reason);
    ++refused_since;
    const auto now = std::chrono::steady_clock::now();
    if (now - refusal_logged_at < refusal_log_interval) return;
    refusal_logged_at = now;
    log::warning("rtmp connections refused", {{"remote", remote.address().to_string()},
                                              {"reason", reason},
                                              {"connections", std::exchange(refused_since, 0)}});
}

void RtmpListener::State::uncount(const std::string& unit) {
    metrics.connections.add(-1);
    const std::lock_guard lock(mutex);
    const auto of_unit = connections_by_unit.find(unit);
    SPAKTOK_ASSERT(of_unit != connections_by_unit.end());
    if (--of_unit->second == 0) connections_by_unit.erase(of_unit);
    if (--connections == 0) all_gone.notify_all();
}

asio::awaitable<void> RtmpListener::State::run(std::shared_ptr<RtmpConnection> connection, std::size_t thread,
                                               std::string unit) {
    // Whatever ends the task, even a cancellation before its first step.
    struct Leave {
        State& state;
        const std::shared_ptr<RtmpConnection>& connection;
        std::size_t thread;
        const std::string& unit;
        ~Leave() {
            state.workers[thread]->connections.erase(connection);
            state.uncount(unit);
        }
    };
    const Leave leave{*this, connection, thread, unit};
    co_await RtmpConnection::run(connection);
}

void RtmpListener::State::stop(std::chrono::milliseconds grace) {
    if (!std::exchange(running, false)) return;
    stopping = true;
    asio::post(threads.context(0), [self = shared_from_this()] {
        boost::system::error_code ignored;
        self->acceptor.close(ignored);
        self->accept_timer.cancel();
    });
    for (std::size_t i = 0; i < workers.size(); ++i) {
        asio::post(threads.context(i), [self = shared_from_this(), i] {
            const auto connections = self->workers[i]->connections;  // ending ones leave the set
            for (const auto& connection : connections)
                connection->disconnect({"stopping", "The server is stopping."});
        });
    }
    {
        std::unique_lock lock(mutex);
        all_gone.wait_for(lock, grace, [this] { return connections == 0; });
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
        asio::co_spawn(threads.context(i), workers[i]->tasks.stop(), asio::use_future).get();
    }
}

RtmpListener::RtmpListener(RtmpListenerOptions options, PublisherGate& gate, IoThreads& threads,
                           Random& random)
    : state_(std::make_shared<State>(std::move(options), gate, threads, random)) {}

RtmpListener::~RtmpListener() {
    stop(std::chrono::milliseconds{0});
}

void RtmpListener::start() {
    state_->listen();
}

std::uint16_t RtmpListener::port() const {
    return state_->port;
}

std::size_t RtmpListener::connections() const {
    const std::lock_guard lock(state_->mutex);
    return state_->connections;
}

void RtmpListener::stop(std::chrono::milliseconds grace) {
    state_->stop(grace);
}

}  // namespace spaktok::media
