// The engine's thread, its few connections, and commands on them.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/metrics.h"
#include "engines/realtime/redis/script.h"
#include "engines/realtime/redis/servers.h"

namespace spaktok::realtime::redis {

// Commands of one key go over one connection, so in order.
struct Command {
    std::string name;                // for metrics
    std::string key;                 // chooses the server and the connection
    std::vector<std::string> words;  // as redis-cli takes them
    // It only reads, so that it is sent again where its connection ended without an answer.
    bool reads = false;
    // Where set, it runs there, whoever has the key.
    std::shared_ptr<Server> server{};
};

// Callers on any thread; all else on the client's own.
class Client {
  public:
    struct Options {
        std::size_t connections = 2;  // with one server; a cluster's have one each
        ConnectionLimits limits{};
    };
    Client(const Address& address, Options options);
    // Runs what is under way to its end first.
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Throw what failure_of says, or Error{unavailable}, within two seconds. From any thread; the caller
    // resumes on its own. Cancelling it does not reach over to the client's thread.
    boost::asio::awaitable<Reply> run(Command command);
    boost::asio::awaitable<Reply> run_script(const Script& script, std::vector<std::string> keys,
                                             std::vector<std::string> arguments);
    // See Servers::masters.
    boost::asio::awaitable<Masters> masters(bool anew);
    template <class T>
    boost::asio::awaitable<T> on_engine(boost::asio::awaitable<T> work) {
        return boost::asio::co_spawn(
            *context_,
            [](Client& self, boost::asio::awaitable<T> inner) -> boost::asio::awaitable<T> {
                const UnderWay counted(self.under_way_);
                co_return co_await std::move(inner);
            }(*this, std::move(work)),
            boost::asio::bind_cancellation_slot(boost::asio::cancellation_slot(),
                                                boost::asio::use_awaitable));
    }

    // What follows: on the client's thread only.
    boost::asio::awaitable<Reply> execute(Command command);
    // The script's arguments may depend on the server's run. Called again where another server is to run it.
    using Arguments = std::function<std::vector<std::string>(const std::string& run_id)>;
    boost::asio::awaitable<Reply> execute(const Script& script, std::vector<std::string> keys,
                                          Arguments arguments);
    // Outlives the client where someone keeps it; nobody runs it then.
    const std::shared_ptr<boost::asio::io_context>& context() const { return context_; }
    Servers& servers() { return servers_; }
    // Calls it, on the client's thread, once nothing is under way at the end.
    void on_end(std::function<void()> close) { closers_.push_back(std::move(close)); }

  private:
    struct UnderWay {
        std::size_t& count;
        explicit UnderWay(std::size_t& counted) : count(counted) { ++count; }
        ~UnderWay() { --count; }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;
    };
    struct Series {
        metrics::Counter commands;
        metrics::Counter errors;
        metrics::Histogram seconds;
    };
    class Measure;

    // Sends it once and waits for the answer.
    using Attempt = std::function<boost::asio::awaitable<Reply>(Connection& connection, bool asking)>;

    Series& series_of(const std::string& name);
    boost::asio::awaitable<Reply> follow(const Command& command, const Measure& measure,
                                         const Attempt& attempt);
    bool is_to_be_sent_again(std::string_view error, const Connection& connection,
                             std::shared_ptr<Server>& asked);
    boost::asio::awaitable<std::shared_ptr<Connection>> connection_of(std::string_view key,
                                                                      std::shared_ptr<Server> server,
                                                                      std::chrono::milliseconds wait_max);
    boost::asio::awaitable<std::shared_ptr<Connection>> wait_for_connection(std::string_view key,
                                                                            std::shared_ptr<Server> server);
    boost::asio::awaitable<void> close_when_idle();

    const Options options_;
    std::shared_ptr<boost::asio::io_context> context_ = std::make_shared<boost::asio::io_context>(1);
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    Servers servers_;
    std::unordered_map<std::string, Series> series_;
    std::vector<std::function<void()>> closers_;
    std::size_t under_way_ = 0;
    metrics::Gauge waiting_;
    metrics::Counter redirections_;
    std::thread thread_;
};

}  // namespace spaktok::realtime::redis
