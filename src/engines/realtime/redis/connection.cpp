#include "engines/realtime/redis/connection.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "base/deadline.h"
#include "engines/realtime/redis/failure.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds look_interval{100};
// A connection that only listens hears nothing for hours, so it asks.
constexpr milliseconds ping_interval{500};
// A burst's memory is given back.
constexpr std::size_t capacity_kept_max = 1024 * 1024;

std::string run_id_of(std::string_view info) {
    constexpr std::string_view field = "run_id:";
    const auto begin = info.find(field);
    if (begin == std::string_view::npos) throw unavailable("the server does not tell its run_id");
    const auto text = info.substr(begin + field.size());
    return std::string(text.substr(0, text.find_first_of("\r\n")));
}

}  // namespace

Connection::Connection(asio::io_context& context, ConnectionOptions options)
    : context_(context),
      options_(std::move(options)),
      transport_(context),
      reader_(redisReaderCreate()),
      look_(context),
      closed_(context) {
    if (reader_ == nullptr) throw std::bad_alloc();
}

Connection::~Connection() {
    fail("the connection was closed");
}

// ---- Connecting

asio::awaitable<std::shared_ptr<Connection>> Connection::connect(asio::io_context& context,
                                                                 ConnectionOptions options) {
    auto connection = std::make_shared<Connection>(context, std::move(options));
    Error failure = unavailable("the server does not answer");
    try {
        co_await with_deadline(connection->open(), connection->options_.limits.connect_timeout);
        co_return connection;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::unavailable) failure = error;
    } catch (const boost::system::system_error& error) {
        failure = unavailable(error.code().message());
    }
    connection->close();
    throw Error(failure);
}

asio::awaitable<void> Connection::open() {
    const auto self = shared_from_this();
    co_await transport_.connect(options_.server, options_.login);
    read();
    co_await introduce();
    listens_ = options_.on_push != nullptr;
    heard_at_ = pinged_at_ = steady_clock::now();
    if (listens_) watch();
}

asio::awaitable<void> Connection::introduce() {
    const Login& login = options_.login;
    if (!login.password.empty()) {
        std::vector<std::string> words{"AUTH"};
        if (!login.user.empty()) words.push_back(login.user);
        words.push_back(login.password);
        co_await demand(std::move(words));
    }
    co_await demand({"CLIENT", "SETNAME", "spaktok"});
    if (login.database != 0) co_await demand({"SELECT", std::to_string(login.database)});
    if (options_.must_be_master && (co_await demand({"ROLE"}))[0].text() != "master")
        throw unavailable("the server is not the master");
    run_id_ = run_id_of((co_await demand({"INFO", "server"})).text());
    for (const auto& script : options_.scripts)
        co_await demand({"SCRIPT", "LOAD", script});
}

asio::awaitable<Reply> Connection::demand(std::vector<std::string> words) {
    Reply reply = co_await run(encode(words));
    if (reply.is_error()) throw unavailable(std::string(reply.text()));
    co_return reply;
}

// ---- Sending

asio::awaitable<Reply> Connection::run(std::string encoded, bool asking) {
    const auto self = shared_from_this();
    if (is_broken_) throw unavailable(end_reason_);
    if (expected_.size() >= options_.limits.under_way_max ||
        unsent_.size() + encoded.size() > options_.limits.unsent_bytes_max) {
        throw busy("too much waits for Redis");
    }
    if (asking) {  // it counts for the very next command only
        expect();
        send(encode({"ASKING"}));
    }
    const auto operation = expect();
    send(std::move(encoded));
    if (!is_watching_) watch();
    co_await operation->done.wait();
    if (!operation->is_answered) throw unavailable(end_reason_);
    co_return std::move(operation->reply);
}

std::shared_ptr<Connection::Operation> Connection::expect() {
    const auto operation = std::make_shared<Operation>(context_);
    operation->sent_at = steady_clock::now();
    expected_.push_back(operation);
    return operation;
}

void Connection::send(std::string encoded) {
    if (is_broken_) return;
    if (unsent_.empty()) {
        unsent_ = std::move(encoded);
    } else {
        unsent_ += encoded;
    }
    schedule_flush();
}

void Connection::schedule_flush() {
    if (is_flush_scheduled_) return;
    is_flush_scheduled_ = true;
    // Behind everything that is ready now: what that sends goes out in the same write.
    asio::post(context_, [self = shared_from_this()] { self->flush(); });
}

// `is_flush_scheduled_` stands until the bytes have been written.
void Connection::flush() {
    if (is_broken_ || unsent_.empty()) {
        is_flush_scheduled_ = false;
        return;
    }
    if (sending_.capacity() > capacity_kept_max) sending_ = {};
    sending_.clear();
    sending_.swap(unsent_);
    transport_.write(asio::buffer(sending_),
                     [self = shared_from_this()](const error_code& error, std::size_t) {
                         if (error) return self->fail(error.message());
                         self->flush();
                     });
}

// ---- Answers

void Connection::read() {
    transport_.read_some(asio::buffer(input_),
                         [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                             if (error) return self->fail(error.message());
                             self->take_replies(bytes);
                             if (!self->is_broken_) self->read();
                         });
}

void Connection::take_replies(std::size_t bytes) {
    heard_at_ = steady_clock::now();
    if (redisReaderFeed(reader_.get(), input_.data(), bytes) != REDIS_OK)
        return fail("an answer that is none");
    while (!is_broken_) {
        void* reply = nullptr;
        if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) return fail("an answer that is none");
        if (reply == nullptr) return;
        take(Reply(static_cast<redisReply*>(reply)));
    }
}

void Connection::take(Reply reply) {
    if (listens_) return options_.on_push(reply);
    if (expected_.empty()) return fail("an answer to nothing");
    const auto operation = std::move(expected_.front());
    expected_.pop_front();
    operation->reply = std::move(reply);
    operation->is_answered = true;
    operation->done.set();
}

// ---- The end

// A server that was stopped, or a network that drops everything, closes no connection.
void Connection::watch() {
    is_watching_ = true;
    look_.expires_after(look_interval);
    look_.async_wait([weak = weak_from_this()](const error_code& cancelled) {
        const auto self = weak.lock();
        if (cancelled || !self || self->is_broken_) return;
        self->is_watching_ = false;
        if (self->is_overdue()) {
            self->is_silent_ = true;
            return self->fail("the server has been silent for too long");
        }
        if (self->listens_ && steady_clock::now() - self->pinged_at_ >= ping_interval) {
            self->pinged_at_ = steady_clock::now();
            self->send(encode({"PING"}));
        }
        if (self->listens_ || !self->expected_.empty()) self->watch();
    });
}

bool Connection::is_overdue() const {
    const auto now = steady_clock::now();
    const auto limit = options_.limits.answer_max;
    if (listens_) return now - heard_at_ > limit;
    return !expected_.empty() && now - expected_.front()->sent_at > limit;
}

asio::awaitable<void> Connection::closed() {
    const auto self = shared_from_this();
    co_await closed_.wait();
}

void Connection::fail(std::string reason) {
    if (is_broken_) return;
    is_broken_ = true;
    end_reason_ = std::move(reason);
    look_.cancel();
    transport_.close();
    for (const auto& operation : std::exchange(expected_, {}))
        operation->done.set();
    closed_.set();
}

}  // namespace spaktok::realtime::redis
