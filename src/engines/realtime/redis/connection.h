// One connection with a Redis server.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/event.h"
#include "engines/realtime/redis/address.h"
#include "engines/realtime/redis/reply.h"
#include "engines/realtime/redis/transport.h"

namespace spaktok::realtime::redis {

struct ConnectionLimits {
    std::chrono::milliseconds connect_timeout{1'000};  // with the server's first answers
    // A server whose next answer takes longer is taken for gone. With `look_interval` below two seconds.
    std::chrono::milliseconds answer_max{1'700};
    std::size_t under_way_max = 100'000;              // commands that wait for their answers
    std::size_t unsent_bytes_max = 64 * 1024 * 1024;  // beyond either: Error{unavailable "busy"}
};

struct ConnectionOptions {
    Endpoint server;
    Login login{};
    ConnectionLimits limits{};
    bool must_be_master = false;
    std::vector<std::string> scripts{};  // loaded before the first command
    // Where set, the connection listens to topics, and everything that comes goes here, errors too.
    std::function<void(const Reply&)> on_push{};
};

// Lives on its context's only thread. What is sent in one turn of the loop goes out in one write. Once broken
// it is of no use, and everything that was under way has failed with Error{unavailable}.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    // Throws Error{unavailable}.
    static boost::asio::awaitable<std::shared_ptr<Connection>> connect(boost::asio::io_context& context,
                                                                       ConnectionOptions options);
    Connection(boost::asio::io_context& context, ConnectionOptions options);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // The answer, which may be an error. Throws Error{unavailable}. `asking`: of a server that is about to
    // take the key over from another (https://redis.io/docs/reference/cluster-spec/#ask-redirection).
    boost::asio::awaitable<Reply> run(std::string encoded, bool asking = false);
    // Without an answer of its own: for one that listens.
    void send(std::string encoded);

    const Endpoint& server() const { return options_.server; }
    // Of the server's process; another one after each restart.
    const std::string& run_id() const { return run_id_; }
    bool is_broken() const { return is_broken_; }
    // It was the server that kept silent, not the connection that ended.
    bool is_silent() const { return is_silent_; }
    const std::string& end_reason() const { return end_reason_; }
    boost::asio::awaitable<void> closed();
    void close() { fail("the connection was closed"); }

  private:
    struct Operation {
        explicit Operation(boost::asio::io_context& context) : done(context) {}
        Event done;
        Reply reply;
        bool is_answered = false;
        std::chrono::steady_clock::time_point sent_at;
    };
    struct FreeReader {
        void operator()(redisReader* reader) const { redisReaderFree(reader); }
    };

    boost::asio::awaitable<void> open();
    boost::asio::awaitable<void> introduce();
    boost::asio::awaitable<Reply> demand(std::vector<std::string> words);
    std::shared_ptr<Operation> expect();
    void schedule_flush();
    void flush();
    void read();
    void take_replies(std::size_t bytes);
    void take(Reply reply);
    void watch();
    bool is_overdue() const;
    void fail(std::string reason);

    boost::asio::io_context& context_;
    const ConnectionOptions options_;
    Transport transport_;
    std::unique_ptr<redisReader, FreeReader> reader_;
    std::deque<std::shared_ptr<Operation>> expected_;
    std::string unsent_;
    std::string sending_;
    boost::asio::steady_timer look_;
    Event closed_;
    std::string run_id_;
    std::string end_reason_;
    std::chrono::steady_clock::time_point heard_at_;
    std::chrono::steady_clock::time_point pinged_at_;
    bool listens_ = false;
    bool is_broken_ = false;
    bool is_silent_ = false;
    bool is_flush_scheduled_ = false;
    bool is_watching_ = false;
    std::array<char, 32 * 1024> input_;
};

}  // namespace spaktok::realtime::redis
