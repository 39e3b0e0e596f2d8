#include "http/connection.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "http/response_writer.h"

namespace spaktok::http {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t flush_bytes =
    64 * 1024;                 // of answers to pipelined requests, gathered before they are written
constexpr int turns_max = 64;  // requests of one connection in a row
constexpr std::uint64_t drain_bytes_max =
    64 * 1024;  // of a refused request's body, read so that the connection can go on
constexpr std::size_t body_bytes_per_second_min = 16 * 1024;  // slower bodies meet body_timeout
constexpr auto linger_timeout = 2s;
constexpr std::size_t linger_bytes_max = 8 * 1024 * 1024;

constexpr Refusal timed_out{408, "request_timeout", "The request took too long to arrive."};

bool is_request_id(std::string_view text) {
    if (text.empty() || text.size() > 64) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    });
}

}  // namespace

// ---- Connection

struct Connection::Exchange {
    explicit Exchange(std::size_t header_bytes_max) : reader(request, header_bytes_max) {}

    Request request;
    RequestReader reader;
    Target target;
    std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

Connection::Connection(asio::ip::tcp::socket socket, std::string peer, std::shared_ptr<ServerThread> thread)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      thread_(std::move(thread)),
      place_(thread_->connections.insert(thread_->connections.end(), this)),
      deadline_(thread_->wheel,
                [this] {
                    if (!waiting_) return;  // a handler is at work: its time is its own
                    expired_ = true;
                    boost::system::error_code ignored;
                    socket_.cancel(ignored);
                }),
      input_(thread_->scratch) {}

Connection::~Connection() {
    thread_->connections.erase(place_);
    thread_->count->leave();
}

void Connection::stop_if_idle() {
    if (phase_ != Phase::idle) return;
    open_ = false;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void Connection::give_up() {
    open_ = false;
    broken_ = true;
}

asio::awaitable<void> Connection::serve(std::shared_ptr<Connection> self) {
    auto& it = *self;
    while (it.open_) {
        // Answers to pipelined requests leave together: they are written when no further request has been
        // read.
        if (it.input_.unused().empty() || it.output_.bytes() >= flush_bytes) {
            if (!it.write_now()) co_await it.finish_writing();
            if (it.broken_) break;
            if (it.input_.unused().empty() && it.receive() != Input::Received::data) {
                if (it.open_) co_await it.wait_for_request();
                continue;
            }
        }
        if (--it.turns_left_ < 0) {
            it.input_.keep();
            it.turns_left_ = turns_max;
            co_await asio::post(it.socket_.get_executor(), asio::deferred);
        }
        co_await it.exchange();
    }
    if (it.upgraded_) co_return;
    if (!it.broken_ && !it.write_now()) co_await it.finish_writing();
    if (!it.broken_ && it.lingers_) co_await it.linger();
    boost::system::error_code ignored;
    it.socket_.close(ignored);
}

asio::awaitable<void> Connection::wait_for_request() {
    // An idle connection holds no buffer.
    output_.release();
    input_.release();
    if (thread_->stopping) {
        open_ = false;
        co_return;
    }
    phase_ = Phase::idle;
    // Who connects and says nothing is given no longer than who says it slowly.
    deadline_.set(is_first_ ? thread_->options->header_timeout : thread_->options->idle_timeout);
    waiting_ = true;
    const auto [error] =
        co_await socket_.async_wait(asio::ip::tcp::socket::wait_read, asio::as_tuple(asio::deferred));
    waiting_ = false;
    phase_ = Phase::head;
    input_.expect_more();
    turns_left_ = turns_max;
    if (error) {
        give_up();
    } else {
        expired_ = false;
    }
}

// ---- Reading

Input::Received Connection::receive() {
    const auto received = input_.receive(socket_.native_handle());
    // The client has ended its side. What was answered before is still written; a request cut short is not
    // answered.
    if (received == Input::Received::closed) open_ = false;
    if (received == Input::Received::broken) give_up();
    return received;
}

// Reads without waiting. True: the reader has what was asked for, or refuses, or the client is gone.
bool Connection::advance(RequestReader& reader, bool to_the_end) {
    while (true) {
        if (!input_.unused().empty()) input_.use(reader.feed(input_.unused()));
        if (reader.refusal() || (to_the_end ? reader.is_complete() : reader.has_head())) return true;
        const auto received = receive();
        if (received == Input::Received::nothing) return false;
        if (received != Input::Received::data) {
            cut_short_ = true;
            return true;
        }
    }
}

asio::awaitable<void> Connection::read_more(RequestReader& reader, Phase phase) {
    const auto& options = *thread_->options;
    const auto started = std::chrono::steady_clock::now();
    const auto limit = phase == Phase::head ? options.header_timeout : options.body_timeout;
    do {
        input_.keep();
        if (!write_now()) co_await finish_writing();
        if (broken_) co_return;
        // The whole header has one deadline. A body's grows with what has come, so that a large one over a
        // slow line arrives and one that comes byte by byte does not hold the connection.
        const auto earned =
            std::chrono::milliseconds(reader.body_bytes_read() * 1000 / body_bytes_per_second_min);
        const auto elapsed =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
        const auto left = limit + earned - elapsed;
        // Judged here too: the wheel rounds up, so that one set anew at each byte would never be due.
        if (left <= 0ms) {
            expired_ = true;
            co_return;
        }
        phase_ = phase;
        deadline_.set(left);
        waiting_ = true;
        const auto [error] =
            co_await socket_.async_wait(asio::ip::tcp::socket::wait_read, asio::as_tuple(asio::deferred));
        waiting_ = false;
        input_.expect_more();
        if (!error) expired_ = false;  // bytes came at the last moment
        if (error) {
            if (!expired_) give_up();
            co_return;
        }
    } while (!advance(reader, phase == Phase::body));
}

// ---- Answering

asio::awaitable<void> Connection::exchange() {
    is_first_ = false;
    phase_ = Phase::head;
    Exchange exchange(thread_->options->header_bytes_max);
    auto& reader = exchange.reader;
    if (!advance(reader, false)) co_await read_more(reader, Phase::head);
    if (!reader.has_head() || reader.refusal()) {
        respond_unreadable(exchange);
        co_return;
    }
    identify(exchange.request);
    exchange.target = thread_->dispatcher->find(exchange.request, reader);
    std::exception_ptr failure;
    try {
        auto response = co_await answer(exchange);
        if (upgraded_ || broken_ || cut_short_) co_return;
        if (reader.is_complete() || !is_drainable(reader)) {
            respond(exchange, std::move(response), "");
            co_return;
        }
        exchange.target.refusal = std::move(response);
    } catch (...) {
        failure = std::current_exception();
    }
    // The server stops and has run out of patience: nobody waits for an answer that says so.
    if (failure &&
        (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
        std::rethrow_exception(failure);
    }
    Failure failed;
    if (failure) {
        failed = failure_of(failure, exchange.request.id);
    } else {
        failed.response = std::move(*exchange.target.refusal);
    }
    if (is_drainable(reader)) {
        reader.limit_body(drain_bytes_max);
        reader.discard_body();
        if (!advance(reader, true)) co_await read_more(reader, Phase::body);
        if (broken_ || cut_short_) co_return;
    }
    respond(exchange, std::move(failed.response), failed.detail);
}

// Throws what the request is refused for, or what its handler throws.
asio::awaitable<Response> Connection::answer(Exchange& exchange) {
    auto& [request, reader, target, started] = exchange;
    const auto& dispatcher = *thread_->dispatcher;
    input_.keep();
    if (dispatcher.has_credentials(request)) co_await dispatcher.authenticate(request);
    dispatcher.admit(request, target, reader);
    if (target.refusal) co_return std::move(*target.refusal);
    if (reader.has_body()) {
        reader.limit_body(target.body_bytes_max);
        invite_body(reader);
        if (!advance(reader, true)) co_await read_more(reader, Phase::body);
        if (broken_ || cut_short_) co_return Response{};
        if (expired_) co_return refuse(timed_out, request.id);
        if (reader.refusal()) co_return refuse(*reader.refusal(), request.id);
    }
    if (target.upgrade != nullptr) {
        if (!write_now()) co_await finish_writing();
        if (!broken_) hand_over(exchange);
        co_return Response{};
    }
    write_soon();
    phase_ = Phase::handling;
    co_return co_await (*target.handler)(request);
}

void Connection::identify(Request& request) {
    const auto& dispatcher = *thread_->dispatcher;
    request.io_thread = thread_->index;
    request.remote_address = dispatcher.client_address(peer_, request.headers);
    const auto given = request.headers.get("X-Request-Id");
    const bool believed = given && is_request_id(*given) && dispatcher.is_trusted_proxy(peer_);
    request.id = believed ? std::string(*given) : thread_->make_request_id();
}

// The handler owns the socket from here on. A second descriptor of it is kept for as long as the handler may
// still refuse.
void Connection::hand_over(Exchange& exchange) {
    deadline_.clear();
    const auto id = exchange.request.id;
    const auto protocol = socket_.local_endpoint().protocol();
    const int second = ::fcntl(socket_.native_handle(), F_DUPFD_CLOEXEC, 0);
    if (second < 0)
        throw Error(ErrorCode::unavailable, "Too many connections.", {.detail = "out of file descriptors"});
    const auto executor = socket_.get_executor();
    const auto took = std::chrono::steady_clock::now() - exchange.started;
    try {
        (*exchange.target.upgrade)(
            {std::move(socket_), std::move(exchange.request), std::string(input_.unused())});
    } catch (...) {
        socket_ = asio::ip::tcp::socket(executor, protocol, second);
        exchange.request.id = id;
        lingers_ = false;
        open_ = false;
        throw;
    }
    ::close(second);
    upgraded_ = true;
    open_ = false;
    exchange.target.metrics->record(101, took);
}

bool Connection::is_drainable(const RequestReader& reader) const {
    if (broken_ || expired_ || !open_ || reader.refusal() || reader.is_complete()) return false;
    const auto length = reader.body_length();
    return length && *length <= drain_bytes_max && !reader.expects_continue();
}

// RFC 9110, 10.1.1: not where the body is already on its way.
void Connection::invite_body(const RequestReader& reader) {
    if (!reader.expects_continue() || !input_.unused().empty()) return;
    output_.text() += "HTTP/1.1 100 Continue\r\n\r\n";
    output_.text_written();
}

void Connection::respond_unreadable(Exchange& exchange) {
    open_ = false;
    if (broken_) return;
    auto& [request, reader, target, started] = exchange;
    if (!reader.refusal() && !expired_) return;  // the client left within a header
    identify(request);
    target.metrics = &thread_->dispatcher->unreadable();
    const auto& refusal = reader.refusal() ? *reader.refusal() : timed_out;
    respond(exchange, refuse(refusal, request.id), "");
}

void Connection::respond(Exchange& exchange, Response response, std::string_view detail) {
    auto& [request, reader, target, started] = exchange;
    const bool complete = reader.is_complete();
    if (!complete) lingers_ = true;
    if (!complete || !reader.keeps_alive() || thread_->stopping) open_ = false;
    finish_response(request, response);
    const auto status = response.status;
    write_response(output_, std::move(response),
                   {.date = thread_->date(),
                    .request_id = request.id,
                    .keep_alive = open_,
                    .http_1_1 = !reader.has_head() || reader.is_http_1_1(),
                    .omit_body = request.method == Method::head});
    const auto took = std::chrono::steady_clock::now() - started;
    target.metrics->record(status, took);
    const auto milliseconds = std::chrono::duration<double, std::milli>(took).count();
    const bool is_our_fault =
        status >= 500 && status != 501 && status != 505;  // those two: the client's wish
    if (is_our_fault) {
        log::warning("request failed", {{"operation", target.metrics->operation},
                                        {"method", to_string(request.method)},
                                        {"path", request.path},
                                        {"status", status},
                                        {"request_id", request.id},
                                        {"detail", detail}});
    } else if (log::enabled(log::Level::debug)) {
        log::debug("request", {{"method", to_string(request.method)},
                               {"path", request.path},
                               {"status", status},
                               {"milliseconds", milliseconds},
                               {"remote", request.remote_address},
                               {"request_id", request.id}});
    }
}

// ---- Writing

// Sends what the socket takes without waiting. False: something is left.
bool Connection::write_now() {
    if (output_.empty() || broken_) return true;
    const auto sent = output_.send(socket_.native_handle());
    if (sent == Output::Sent::broken) give_up();
    return sent != Output::Sent::some;
}

// Earlier answers must not wait for a slow handler: they go out as soon as it suspends.
void Connection::write_soon() {
    if (output_.empty()) return;
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        if (self->phase_ == Phase::handling) self->write_now();
    });
}

asio::awaitable<void> Connection::finish_writing() {
    input_.keep();
    phase_ = Phase::writing;
    deadline_.set(thread_->options->write_timeout);
    while (!output_.empty() && !broken_) {
        waiting_ = true;
        const auto [error] =
            co_await socket_.async_wait(asio::ip::tcp::socket::wait_write, asio::as_tuple(asio::deferred));
        waiting_ = false;
        if (error) {
            give_up();
            co_return;
        }
        expired_ = false;
        const auto before = output_.bytes();
        write_now();
        if (output_.bytes() < before) deadline_.set(thread_->options->write_timeout);
    }
}

// Closing a socket with unread bytes makes the kernel send a reset, which may overtake the answer (RFC
// 9112, 9.6). So only our side is closed, and what the client still sends is thrown away for a short while.
asio::awaitable<void> Connection::linger() {
    phase_ = Phase::lingering;
    boost::system::error_code error;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    deadline_.set(linger_timeout);
    expired_ = false;
    std::size_t discarded = 0;
    while (!error && !expired_ && discarded < linger_bytes_max) {
        input_.expect_more();
        input_.release();
        const auto received = receive();
        discarded += input_.unused().size();
        if (received == Input::Received::data) continue;
        if (received != Input::Received::nothing) break;
        waiting_ = true;
        std::tie(error) =
            co_await socket_.async_wait(asio::ip::tcp::socket::wait_read, asio::as_tuple(asio::deferred));
        waiting_ = false;
    }
}

}  // namespace spaktok::http
