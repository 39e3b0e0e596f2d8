// Which server has a key: the one there is, the one that Sentinels name, or one of a cluster's masters.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/error.h"
#include "base/event.h"
#include "base/metrics.h"
#include "engines/realtime/redis/cluster.h"
#include "engines/realtime/redis/line.h"
#include "engines/realtime/redis/sentinels.h"

namespace spaktok::realtime::redis {

// A master, and the connections with it that all callers share, by key.
struct Server {
    Endpoint endpoint;
    std::vector<std::shared_ptr<Line>> lines;
    Line& line_of(std::string_view key) const;
};

// All of them at one moment.
struct Masters {
    std::uint64_t version = 0;  // another number whenever a slot has changed its server
    std::vector<std::shared_ptr<Server>> servers;
};

// Lives on its context's only thread, and until that has ended. The map of a cluster is read at the start,
// every ten seconds, and soon after anything that says it has changed, from any server that answers.
class Servers {
  public:
    struct Options {
        Address address;
        ConnectionLimits limits{};
        std::size_t connections = 2;  // with one server; one with each of a cluster's
        std::vector<std::string> scripts{};
    };
    Servers(boost::asio::io_context& context, Options options);
    void start();
    void close();

    bool is_cluster() const { return options_.address.form == Address::Form::cluster; }
    int database() const { return options_.address.login.database; }
    // 0 where there is no cluster.
    std::size_t slot_of(std::string_view key) const;
    // nullptr where nobody has it, or it is not known yet.
    const std::shared_ptr<Server>& current(std::size_t slot) const { return owners_[slot]; }
    // Waits for the first map. Throws Error{unavailable}.
    boost::asio::awaitable<std::shared_ptr<Server>> owner(std::size_t slot);
    // Throws Error{unavailable}, also where a slot is nobody's. `anew`: the map is read for it.
    boost::asio::awaitable<Masters> masters(bool anew);
    const std::vector<std::shared_ptr<Server>>& known() const { return known_; }
    std::shared_ptr<Server> at(const Endpoint& endpoint);

    void follow(const Redirection& moved);
    // Reads the map soon.
    void ask_again();
    // Calls it after each reading of the map.
    void on_map(std::function<void()> read) { on_map_ = std::move(read); }

    // A line to the server for what listens to it.
    std::shared_ptr<Line> listening_line(const Endpoint& server, Line::Options callbacks);

  private:
    std::shared_ptr<Line> make_line(const Endpoint& server, Line::Options options);
    std::shared_ptr<Server> make_server(const Endpoint& endpoint);
    boost::asio::awaitable<void> keep_map();
    boost::asio::awaitable<void> refresh();
    boost::asio::awaitable<void> wait_until(std::chrono::steady_clock::time_point end);
    boost::asio::awaitable<ClusterMap> read_map();
    boost::asio::awaitable<ClusterMap> read_map_of(const Endpoint& endpoint);
    std::vector<Endpoint> whom_to_ask();
    void use(const ClusterMap& map);
    void leave_all_but(const Endpoint& master);
    void tell_waiting();

    boost::asio::io_context& context_;
    const Options options_;
    std::unique_ptr<Sentinels> sentinels_;
    std::vector<std::shared_ptr<Server>> owners_;  // by slot
    std::vector<std::shared_ptr<Server>> known_;
    std::vector<std::weak_ptr<Line>> lines_;  // all that were made
    std::vector<Endpoint> heard_of_;          // masters and replicas of the last map
    std::size_t first_asked_ = 0;
    std::uint64_t version_ = 0;
    std::optional<Error> failure_;
    std::shared_ptr<Event> read_;  // set when the map has been read, or could not be
    boost::asio::steady_timer timer_;
    std::function<void()> on_map_;
    bool is_known_ = false;
    bool is_wanted_ = false;
    bool is_closed_ = false;
    metrics::Gauge masters_;
};

}  // namespace spaktok::realtime::redis
