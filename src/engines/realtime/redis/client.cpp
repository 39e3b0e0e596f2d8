#include "engines/realtime/redis/client.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <pthread.h>

#include "base/deadline.h"
#include "engines/realtime/redis/failure.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// Only where this much has passed is a read tried again: with the second attempt it stays within two seconds.
constexpr milliseconds second_attempt_within{200};
// For a connection that is being made.
constexpr milliseconds connection_wait_max{1'800};
constexpr milliseconds idle_step{5};
// A command of a cluster goes after its key so often, and as long as this has not passed.
constexpr std::size_t hops_max = 5;
constexpr milliseconds follow_within{500};
constexpr milliseconds try_again_pause{50};

std::vector<std::string> words_of(const char* verb, const std::string& script,
                                  const std::vector<std::string>& keys, std::vector<std::string> arguments) {
    std::vector<std::string> words{verb, script, std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    std::ranges::move(arguments, std::back_inserter(words));
    return words;
}

std::vector<std::string> texts_of(std::span<const Script* const> all) {
    std::vector<std::string> texts;
    for (const Script* script : all)
        texts.push_back(script->text());
    return texts;
}

}  // namespace

// Counts a command when it ends, and its time.
class Client::Measure {
  public:
    Measure(Series& series, metrics::Gauge waiting) : series_(series), waiting_(waiting) { waiting_.add(1); }
    ~Measure() {
        waiting_.add(-1);
        series_.commands.add();
        if (!succeeded_) series_.errors.add();
        series_.seconds.observe(std::chrono::duration<double>(steady_clock::now() - begun_).count());
    }
    Measure(const Measure&) = delete;
    Measure& operator=(const Measure&) = delete;
    void succeed() { succeeded_ = true; }
    milliseconds elapsed() const {
        return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun_);
    }

  private:
    Series& series_;
    metrics::Gauge waiting_;
    steady_clock::time_point begun_ = steady_clock::now();
    bool succeeded_ = false;
};

Client::Client(const Address& address, Options options)
    : options_(options),
      guard_(context_->get_executor()),
      servers_(*context_, {.address = address,
                           .limits = options_.limits,
                           .connections = options_.connections,
                           .scripts = texts_of(scripts::all())}),
      waiting_(metrics::gauge("spaktok_redis_waiting",
                              "Commands that wait for a connection with Redis, or for its answer.")),
      redirections_(metrics::counter("spaktok_redis_redirections_total",
                                     "Commands that a server of the cluster sent on to another.")) {
    servers_.start();
    thread_ = std::thread([context = context_] {
        ::pthread_setname_np(::pthread_self(), "redis");
        context->run();
    });
}

Client::~Client() {
    asio::co_spawn(*context_, close_when_idle(), asio::detached);
    guard_.reset();
    thread_.join();
}

asio::awaitable<void> Client::close_when_idle() {
    asio::steady_timer timer(*context_);
    while (under_way_ > 0) {
        timer.expires_after(idle_step);
        co_await timer.async_wait(asio::use_awaitable);
    }
    for (const auto& close : closers_)
        close();
    servers_.close();
}

// `server`: whoever has the key where it is null.
asio::awaitable<std::shared_ptr<Connection>> Client::connection_of(std::string_view key,
                                                                   std::shared_ptr<Server> server,
                                                                   milliseconds wait_max) {
    if (const auto& now = server ? server : servers_.current(servers_.slot_of(key))) {
        if (auto open = now->line_of(key).current()) co_return open;
    }
    try {
        co_return co_await with_deadline(wait_for_connection(key, std::move(server)), wait_max);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::deadline_exceeded) throw;
    }
    throw unavailable("the connection takes too long");
}

asio::awaitable<std::shared_ptr<Connection>> Client::wait_for_connection(std::string_view key,
                                                                         std::shared_ptr<Server> server) {
    if (!server) server = co_await servers_.owner(servers_.slot_of(key));
    co_return co_await server->line_of(key).connection();
}

Client::Series& Client::series_of(const std::string& name) {
    const auto found = series_.find(name);
    if (found != series_.end()) return found->second;
    const metrics::Labels labels{{"command", name}};
    return series_
        .emplace(name,
                 Series{.commands = metrics::counter("spaktok_redis_commands_total", "Commands run on Redis.",
                                                     labels),
                        .errors = metrics::counter("spaktok_redis_command_errors_total",
                                                   "Commands that failed.", labels),
                        .seconds = metrics::histogram("spaktok_redis_command_seconds",
                                                      "Time of a command on Redis, with its wait.", labels)})
        .first->second;
}

asio::awaitable<Masters> Client::masters(bool anew) {
    return on_engine(servers_.masters(anew));
}

asio::awaitable<Reply> Client::run(Command command) {
    return on_engine(execute(std::move(command)));
}

asio::awaitable<Reply> Client::run_script(const Script& script, std::vector<std::string> keys,
                                          std::vector<std::string> arguments) {
    return on_engine(execute(script, std::move(keys),
                             [given = std::move(arguments)](const std::string&) { return given; }));
}

asio::awaitable<Reply> Client::execute(Command command) {
    Measure measure(series_of(command.name), waiting_);
    const std::string encoded = encode(command.words);
    Reply reply = co_await follow(command, measure, [&](Connection& connection, bool asking) {
        return connection.run(encoded, asking);
    });
    measure.succeed();
    co_return reply;
}

asio::awaitable<Reply> Client::execute(const Script& script, std::vector<std::string> keys,
                                       Arguments arguments) {
    Measure measure(series_of(script.name()), waiting_);
    const auto attempt = [&](Connection& connection, bool asking) -> asio::awaitable<Reply> {
        const auto given = arguments(connection.run_id());
        Reply reply =
            co_await connection.run(encode(words_of("EVALSHA", script.sha1(), keys, given)), asking);
        // Someone emptied the server's memory of scripts; EVAL puts it back.
        if (reply.is_error() && is_unknown_script(reply.text()))
            reply = co_await connection.run(encode(words_of("EVAL", script.text(), keys, given)), asking);
        co_return reply;
    };
    Reply reply =
        co_await follow({.name = script.name(), .key = keys.front(), .words = {}}, measure, attempt);
    measure.succeed();
    co_return reply;
}

// The answer, from whichever server gives it, or what it refused.
asio::awaitable<Reply> Client::follow(const Command& command, const Measure& measure,
                                      const Attempt& attempt) {
    std::shared_ptr<Server> asked;  // the one that takes the key over, for this once
    bool is_again = false;
    for (std::size_t hop = 0;; ++hop) {
        const bool asking = asked != nullptr;
        const auto connection =
            co_await connection_of(command.key, asking ? std::exchange(asked, nullptr) : command.server,
                                   std::max(connection_wait_max - measure.elapsed(), milliseconds(0)));
        Reply reply;
        try {
            reply = co_await attempt(*connection, asking);
        } catch (const Error&) {
            const bool may_repeat = command.reads && !is_again && measure.elapsed() < second_attempt_within;
            if (!may_repeat || !connection->is_broken()) throw;
            is_again = true;
            continue;
        }
        if (!reply.is_error()) co_return reply;
        const auto error = reply.text();
        const bool may_follow = servers_.is_cluster() && hop < hops_max && measure.elapsed() < follow_within;
        if (may_follow && is_try_again(error)) {
            asio::steady_timer pause(*context_, try_again_pause);
            co_await pause.async_wait(asio::use_awaitable);
            continue;
        }
        if (may_follow && is_to_be_sent_again(error, *connection, asked)) continue;
        if (is_cluster_down(error)) servers_.ask_again();
        if (is_wrong_server(error)) connection->close();
        throw failure_of(error);
    }
}

// After a redirection; `asked` is then the server for the next attempt alone, if that differs.
bool Client::is_to_be_sent_again(std::string_view error, const Connection& connection,
                                 std::shared_ptr<Server>& asked) {
    const auto redirection = parse_redirection(error, connection.server());
    if (!redirection) return false;
    redirections_.add();
    if (redirection->is_moved) {
        servers_.follow(*redirection);
    } else {
        asked = servers_.at(redirection->server);
    }
    return true;
}

}  // namespace spaktok::realtime::redis
