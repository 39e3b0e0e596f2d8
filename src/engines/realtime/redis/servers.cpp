#include "engines/realtime/redis/servers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/deadline.h"
#include "base/log.h"
#include "engines/realtime/redis/failure.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds map_interval{10'000};
constexpr milliseconds map_pause{100};  // between two readings
constexpr milliseconds patience{500};   // with one server that is asked for the map
}  // namespace

Line& Server::line_of(std::string_view key) const {
    return *lines[std::hash<std::string_view>()(key) % lines.size()];
}

Servers::Servers(asio::io_context& context, Options options)
    : context_(context),
      options_(std::move(options)),
      owners_(is_cluster() ? slots : 1),
      read_(std::make_shared<Event>(context)),
      timer_(context),
      masters_(metrics::gauge("spaktok_redis_servers", "Masters of Redis that are known.")) {
    if (options_.address.form == Address::Form::sentinels)
        sentinels_ = std::make_unique<Sentinels>(context_, options_.address);
}

void Servers::start() {
    if (is_cluster()) {
        asio::co_spawn(context_, keep_map(), asio::detached);
        return;
    }
    owners_[0] = at(sentinels_ ? Endpoint{} : options_.address.endpoints.front());
    is_known_ = true;
    masters_.set(1);
    if (sentinels_) sentinels_->watch([this](const Endpoint& master) { leave_all_but(master); });
}

void Servers::close() {
    is_closed_ = true;
    timer_.cancel();
    if (sentinels_) sentinels_->close();
    for (const auto& line : lines_) {
        if (const auto open = line.lock()) open->close();
    }
    tell_waiting();
}

// ---- Who has what

std::size_t Servers::slot_of(std::string_view key) const {
    return is_cluster() ? redis::slot_of(key) : 0;
}

asio::awaitable<std::shared_ptr<Server>> Servers::owner(std::size_t slot) {
    while (!is_known_) {
        if (is_closed_) throw unavailable("the engine is closed");
        if (failure_) throw Error(*failure_);
        const auto read = read_;
        co_await read->wait();
    }
    if (!owners_[slot]) throw unavailable("no server of the cluster has slot " + std::to_string(slot));
    co_return owners_[slot];
}

asio::awaitable<Masters> Servers::masters(bool anew) {
    if (anew && is_cluster()) co_await refresh();
    for (std::size_t slot = 0; slot < owners_.size(); ++slot) {
        if (!owners_[slot]) co_await owner(slot);
    }
    co_return Masters{.version = version_, .servers = known_};
}

std::shared_ptr<Server> Servers::at(const Endpoint& endpoint) {
    const auto found = std::ranges::find(known_, endpoint, &Server::endpoint);
    if (found != known_.end()) return *found;
    return known_.emplace_back(make_server(endpoint));
}

void Servers::follow(const Redirection& moved) {
    auto server = at(moved.server);
    if (owners_[moved.slot] != server) {
        owners_[moved.slot] = std::move(server);
        ++version_;
    }
    ask_again();
}

// ---- Connections

std::shared_ptr<Server> Servers::make_server(const Endpoint& endpoint) {
    auto server = std::make_shared<Server>(Server{.endpoint = endpoint, .lines = {}});
    const std::size_t count = is_cluster() ? 1 : options_.connections;
    for (std::size_t i = 0; i < count; ++i) {
        server->lines.push_back(
            make_line(endpoint, {.connection = {.scripts = options_.scripts}, .use = "commands"}));
        server->lines.back()->start();
    }
    return server;
}

std::shared_ptr<Line> Servers::listening_line(const Endpoint& server, Line::Options callbacks) {
    callbacks.use = "topics";
    return make_line(server, std::move(callbacks));
}

std::shared_ptr<Line> Servers::make_line(const Endpoint& server, Line::Options options) {
    options.connection.server = server;
    options.connection.login = options_.address.login;
    options.connection.limits = options_.limits;
    if (sentinels_) {
        options.connection.must_be_master = true;
        options.find = [this] { return sentinels_->find_master(); };
    }
    if (is_cluster()) options.on_trouble = [this] { ask_again(); };
    auto line = std::make_shared<Line>(context_, std::move(options));
    std::erase_if(lines_, [](const auto& each) { return each.expired(); });
    lines_.push_back(line);
    if (is_closed_) line->close();
    return line;
}

void Servers::leave_all_but(const Endpoint& master) {
    log::info("Redis has another master", {{"server", master.text()}});
    for (const auto& each : lines_) {
        const auto line = each.lock();
        const auto open = line ? line->current() : nullptr;
        if (open && open->server() != master) open->close();
    }
}

// ---- The map of a cluster

void Servers::ask_again() {
    is_wanted_ = true;
    timer_.cancel();
}

asio::awaitable<void> Servers::keep_map() {
    while (!is_closed_) {
        is_wanted_ = false;
        try {
            co_await refresh();
        } catch (const Error&) {  // told to callers
            is_wanted_ = true;
        }
        // Whoever wants it meanwhile cuts the long wait short, not the pause.
        const auto read_at = steady_clock::now();
        while (!is_closed_ && steady_clock::now() < read_at + map_pause)
            co_await wait_until(read_at + map_pause);
        if (!is_closed_ && !is_wanted_) co_await wait_until(read_at + map_interval);
    }
}

asio::awaitable<void> Servers::wait_until(steady_clock::time_point end) {
    timer_.expires_at(end);
    boost::system::error_code cancelled;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

asio::awaitable<void> Servers::refresh() {
    Error failure = unavailable("the cluster does not answer");
    try {
        const ClusterMap map = co_await read_map();
        if (is_closed_) throw unavailable("the engine is closed");
        use(map);
        co_return;
    } catch (const Error& error) {
        failure = error;
    }
    if (!failure_ && !is_closed_)
        log::warning("the Redis cluster does not tell its map", {{"detail", failure.detail()}});
    failure_ = failure;
    tell_waiting();
    throw Error(failure);
}

// The servers of the last map, then those of the settings, beginning with another one each time: one that is
// cut off from the others would tell of old times for ever.
std::vector<Endpoint> Servers::whom_to_ask() {
    std::vector<Endpoint> all = heard_of_;
    if (!all.empty())
        std::ranges::rotate(all, all.begin() + static_cast<std::ptrdiff_t>(first_asked_++ % all.size()));
    for (const auto& each : options_.address.endpoints) {
        if (std::ranges::find(all, each) == all.end()) all.push_back(each);
    }
    return all;
}

asio::awaitable<ClusterMap> Servers::read_map() {
    Error failure = unavailable("the cluster does not answer");
    for (const auto& endpoint : whom_to_ask()) {
        if (is_closed_) break;
        try {
            co_return co_await with_deadline(read_map_of(endpoint), patience);
        } catch (const Error& error) {
            failure = error.code() == ErrorCode::deadline_exceeded
                          ? unavailable("the server at " + endpoint.text() + " is silent")
                          : error;
        }
    }
    throw Error(failure);
}

asio::awaitable<ClusterMap> Servers::read_map_of(const Endpoint& endpoint) {
    const std::string question = encode({"CLUSTER", "SLOTS"});
    const auto found = std::ranges::find(known_, endpoint, &Server::endpoint);
    if (found != known_.end()) {
        if (const auto open = (*found)->lines.front()->current())
            co_return parse_map(co_await open->run(question), endpoint);
    }
    const auto connection = co_await Connection::connect(
        context_, {.server = endpoint,
                   .login = options_.address.login,
                   .limits = {.connect_timeout = patience, .answer_max = patience}});
    const Reply answer = co_await connection->run(question);
    connection->close();
    co_return parse_map(answer, endpoint);
}

void Servers::use(const ClusterMap& map) {
    std::vector<std::shared_ptr<Server>> owners(slots);
    std::vector<std::shared_ptr<Server>> masters;
    for (const auto& range : map.ranges) {
        const auto server = at(range.master);
        std::fill(owners.begin() + static_cast<std::ptrdiff_t>(range.first),
                  owners.begin() + static_cast<std::ptrdiff_t>(range.last) + 1, server);
        if (std::ranges::find(masters, server) == masters.end()) masters.push_back(server);
    }
    for (const auto& server : known_) {
        if (std::ranges::find(masters, server) != masters.end()) continue;
        for (const auto& line : server->lines)
            line->close();
    }
    if (owners != owners_) ++version_;
    if (failure_) log::info("the Redis cluster tells its map again");
    owners_ = std::move(owners);
    known_ = std::move(masters);
    heard_of_ = map.servers;
    failure_.reset();
    is_known_ = true;
    masters_.set(static_cast<double>(known_.size()));
    tell_waiting();
    if (on_map_) on_map_();
}

void Servers::tell_waiting() {
    const auto read = std::exchange(read_, std::make_shared<Event>(context_));
    read->set();
}

}  // namespace spaktok::realtime::redis
