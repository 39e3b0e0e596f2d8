#include "engines/realtime/redis/client.h"

#include <algorithm>
#include <iterator>
#include <optional>

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

std::vector<std::string> words_of(const char* verb, const std::string& script,
                                  const std::vector<std::string>& keys, std::vector<std::string> arguments) {
    std::vector<std::string> words{verb, script, std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    std::ranges::move(arguments, std::back_inserter(words));
    return words;
}

// The answer, or what it refused.
Reply accepted(Reply reply, Connection& connection) {
    if (!reply.is_error()) return reply;
    if (is_wrong_server(reply.text())) connection.close();
    throw failure_of(reply.text());
}

}  // namespace

// Counts a command when it ends, and its time.
class Client::Measure {
  public:
    explicit Measure(Series& series) : series_(series) {}
    ~Measure() {
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
    steady_clock::time_point begun_ = steady_clock::now();
    bool succeeded_ = false;
};

Client::Client(const Address& address, Options options)
    : address_(address), options_(options), guard_(context_->get_executor()) {
    std::vector<std::string> texts;
    for (const Script* script : scripts::all())
        texts.push_back(script->text());
    for (std::size_t i = 0; i < options_.connections; ++i) {
        lines_.push_back(std::make_unique<Line>(
            *context_,
            Line::Options{.connection = {.address = address_, .limits = options_.limits, .scripts = texts}}));
        lines_.back()->start();
    }
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
    for (const auto& line : lines_)
        line->close();
}

Line& Client::line_of(std::string_view key) {
    return *lines_[std::hash<std::string_view>()(key) % lines_.size()];
}

asio::awaitable<std::shared_ptr<Connection>> Client::connection_of(std::string_view key) {
    Line& line = line_of(key);
    if (auto open = line.current()) co_return open;
    try {
        co_return co_await with_deadline(line.connection(), connection_wait_max);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::deadline_exceeded) throw;
    }
    throw unavailable("the connection takes too long");
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

asio::awaitable<Reply> Client::run(Command command) {
    return on_engine(execute(std::move(command)));
}

asio::awaitable<Reply> Client::run_script(const Script& script, std::vector<std::string> keys,
                                          std::vector<std::string> arguments) {
    return on_engine(execute(script, std::move(keys),
                             [given = std::move(arguments)](const std::string&) { return given; }));
}

asio::awaitable<Reply> Client::execute(Command command) {
    Measure measure(series_of(command.name));
    const std::string encoded = encode(command.words);
    for (bool is_again = false;; is_again = true) {
        const auto connection = co_await connection_of(command.key);
        try {
            Reply reply = accepted(co_await connection->run(encoded), *connection);
            measure.succeed();
            co_return reply;
        } catch (const Error&) {
            const bool may_repeat = command.reads && !is_again && measure.elapsed() < second_attempt_within;
            if (!may_repeat || !connection->is_broken()) throw;
        }
    }
}

asio::awaitable<Reply> Client::execute(const Script& script, std::vector<std::string> keys,
                                       Arguments arguments) {
    Measure measure(series_of(script.name()));
    const auto connection = co_await connection_of(keys.front());
    const auto given = arguments(connection->run_id());
    Reply reply = co_await connection->run(encode(words_of("EVALSHA", script.sha1(), keys, given)));
    // Someone emptied the server's memory of scripts; EVAL puts it back.
    if (reply.is_error() && is_unknown_script(reply.text()))
        reply = co_await connection->run(encode(words_of("EVAL", script.text(), keys, given)));
    reply = accepted(std::move(reply), *connection);
    measure.succeed();
    co_return reply;
}

}  // namespace spaktok::realtime::redis
