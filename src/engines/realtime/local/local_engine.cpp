#include "engines/realtime/local/local_engine.h"

#include <chrono>

#include <pthread.h>

#include "base/log.h"
#include "engines/realtime/local/saved_topics.h"

namespace spaktok::realtime::local {

namespace asio = boost::asio;
using spaktok::sqlite::Connection;

namespace {

// How often the sweeper looks at the clock, by the system's time: the clock itself may stand still.
constexpr std::chrono::milliseconds look_interval{200};
constexpr std::chrono::seconds sweep_interval{5};
// The contract says a minute: two of three flushes may fail.
constexpr std::chrono::seconds flush_interval{20};

Connection open_connection(const std::string& path) {
    // Deleted values may be what nobody must read any more (sessions, one-time links, messages that
    // disappear).
    Connection connection({.path = path.empty() ? ":memory:" : path, .secure_delete = true});
    connection.execute("BEGIN IMMEDIATE");
    connection.execute(LocalKeyValues::schema());
    create_topic_tables(connection);
    connection.execute("COMMIT");
    return connection;
}

}  // namespace

LocalEngine::LocalEngine(Options options)
    : clock_(options.clock != nullptr ? *options.clock : system_clock_),
      writer_(open_connection(options.path), {.name = "realtime"}),
      // Six bytes are eight characters: with the topic's number an epoch still fits into std::string itself.
      topics_(clock_, (options.random != nullptr ? *options.random : system_random_).token(6)),
      key_values_(clock_, writer_),
      counters_(clock_),
      rankings_(clock_),
      presence_(clock_) {
    std::vector<SavedTopic> saved;
    writer_.run_blocking([&saved](Connection& connection) { saved = take_topics(connection); });
    topics_.restore(std::move(saved));
    sweeper_ = std::thread([this, started_at = clock_.steady_now()] {
        pthread_setname_np(pthread_self(), "realtime_sweep");
        keep_up(started_at);
    });
}

LocalEngine::~LocalEngine() {
    {
        const std::scoped_lock lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    sweeper_.join();
    flush_touched();
    writer_.stop();  // what is queued shows in key_values_, which goes before the writer does
}

void LocalEngine::keep_up(std::chrono::steady_clock::time_point started_at) {
    auto swept_at = started_at;
    auto flushed_at = started_at;
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, look_interval, [this] { return ending_; })) {
        lock.unlock();
        const auto now = clock_.steady_now();
        if (now >= flushed_at + flush_interval) {
            flush_touched();
            flushed_at = now;
        }
        if (now >= swept_at + sweep_interval) {
            sweep();
            swept_at = now;
        }
        lock.lock();
    }
}

void LocalEngine::flush_touched() {
    try {
        key_values_.flush_touched();
    } catch (const Error& error) {
        log::warning("new expiries could not be written; they are tried again", {{"error", error.detail()}});
    }
}

void LocalEngine::sweep() {
    topics_.sweep();
    counters_.sweep();
    rankings_.sweep();
    presence_.sweep();
    try {
        key_values_.sweep();
    } catch (const Error& error) {
        log::warning("expired key-values could not be deleted; it is tried again",
                     {{"error", error.detail()}});
    }
}

LocalEngine::Sizes LocalEngine::sizes() const {
    return {.key_values = key_values_.size(), .counters = counters_.size(), .topics = topics_.size()};
}

asio::awaitable<void> LocalEngine::check() {
    co_await writer_.run(
        [](Connection& connection) { connection.run("SELECT count(*) FROM sqlite_master"); });
}

asio::awaitable<void> LocalEngine::stop() {
    {
        const std::scoped_lock lock(mutex_);
        if (std::exchange(stopped_, true)) co_return;
    }
    // Closed first: a history that is saved must not grow any more.
    auto saved = std::make_shared<const std::vector<SavedTopic>>(topics_.close());
    const auto touched = key_values_.take_touched();
    co_await writer_.run([saved, touched](Connection& connection) {
        save_topics(connection, *saved);
        LocalKeyValues::write_touched(connection, *touched);
    });
}

}  // namespace spaktok::realtime::local
