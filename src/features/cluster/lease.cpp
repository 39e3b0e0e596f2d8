#include "features/cluster/lease.h"

#include <atomic>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/task_group.h"

namespace spaktok::cluster {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {
std::string key_of(const std::string& name) {
    return "lease:" + name;
}
}  // namespace

asio::awaitable<bool> is_leased(realtime::KeyValues& values, std::string name) {
    const auto holder = co_await values.get(key_of(name));
    co_return holder.has_value();
}

struct Lease::State : std::enable_shared_from_this<State> {
    explicit State(Options given)
        : options(std::move(given)), key(key_of(options.name)), tasks(options.executor, key) {}

    asio::awaitable<void> begin();
    asio::awaitable<void> run();
    asio::awaitable<void> ask();
    asio::awaitable<bool> obtain();
    asio::awaitable<void> give_back();
    bool held() const {
        return options.clock.steady_now().time_since_epoch().count() <
               held_until.load(std::memory_order_relaxed);
    }

    const Options options;
    const std::string key;
    TaskGroup tasks;
    std::atomic<steady_clock::rep> held_until{steady_clock::time_point::min().time_since_epoch().count()};
};

// The engine counts the life from when it hears of it, which is not before `ask` began.
asio::awaitable<void> Lease::State::ask() {
    const auto begun = options.clock.steady_now();
    const bool was_held = held();
    std::string problem;
    try {
        if (co_await obtain()) held_until = (begun + options.life).time_since_epoch().count();
    } catch (const Error& error) {
        problem = error.message() + " " + error.detail();
    }
    if (!problem.empty())
        log::warning("lease not renewed", {{"lease", options.name}, {"problem", problem}});
    else if (held() != was_held)
        log::info(was_held ? "lease lost" : "lease taken", {{"lease", options.name}});
}

asio::awaitable<bool> Lease::State::obtain() {
    const realtime::KeyValues::PutOptions put{
        .expires_after = options.life, .durable = false, .only_if_absent = true};
    if (co_await options.values.put(key, options.node_id, put)) co_return true;
    // A renewal that comes late could lengthen the life of what is another's by now.
    if (co_await options.values.get(key) != options.node_id) co_return false;
    co_return co_await options.values.touch(key, options.life);
}

asio::awaitable<void> Lease::State::begin() {
    co_await ask();
    tasks.spawn(run());
}

asio::awaitable<void> Lease::State::run() {
    asio::steady_timer timer(options.executor);
    for (;;) {
        timer.expires_after(options.life / 3);
        co_await timer.async_wait(asio::use_awaitable);
        co_await ask();
    }
}

asio::awaitable<void> Lease::State::give_back() {
    co_await tasks.stop();
    const bool was_held = held();
    held_until = steady_clock::time_point::min().time_since_epoch().count();
    if (!was_held) co_return;
    try {
        if (co_await options.values.get(key) == options.node_id) co_await options.values.remove(key);
    } catch (const Error& error) {  // it ends by itself
        log::warning("lease not given back", {{"lease", options.name}, {"problem", error.message()}});
    }
}

Lease::Lease(Options options) : state_(std::make_shared<State>(std::move(options))) {}
Lease::~Lease() = default;

asio::awaitable<void> Lease::start() {
    auto state = state_;
    co_await asio::co_spawn(state->options.executor, state->begin(), asio::use_awaitable);
}

bool Lease::held() const {
    return state_->held();
}

asio::awaitable<void> Lease::stop() {
    auto state = state_;
    co_await asio::co_spawn(state->options.executor, state->give_back(), asio::use_awaitable);
}

}  // namespace spaktok::cluster
