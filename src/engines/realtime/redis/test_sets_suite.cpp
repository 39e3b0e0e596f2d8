#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "engines/realtime/redis/test_sets.h"

namespace spaktok::realtime::redis {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

constexpr seconds refusal{3};

void wait_until(const std::string& what, const std::function<bool()>& condition) {
    const auto end = steady_clock::now() + seconds(30);
    while (!condition()) {
        if (steady_clock::now() > end) throw std::runtime_error("in vain: " + what);
        std::this_thread::sleep_for(milliseconds(10));
    }
}

// Of an INFO-like answer.
bool says(const TestServer& server, const std::string& question, const std::string& line) {
    return server.ask(question).find(line) != std::string::npos;
}

}  // namespace

// ---- TestSentinels
TestSentinels::TestSentinels()
    : second_({.settings = {"--replicaof", "127.0.0.1", std::to_string(first_.port())}}) {
    wait_until("the replica follows",
               [&] { return says(second_, "INFO replication", "master_link_status:up"); });
    constexpr std::size_t count = 3;
    for (std::size_t i = 0; i < count; ++i) {
        sentinels_.push_back(
            std::make_unique<TestServer>(TestServer::Options{.watched_port = first_.port(), .quorum = 2}));
    }
    wait_until("the Sentinels know each other and the replica", [&] {
        return std::ranges::all_of(sentinels_, [](const auto& each) {
            return each->ask("SENTINEL SENTINELS main") == "2 elements" &&
                   each->ask("SENTINEL REPLICAS main") == "1 elements";
        });
    });
}

std::string TestSentinels::url() const {
    std::string list;
    for (const auto& each : sentinels_)
        list += (list.empty() ? "" : ",") + ("127.0.0.1:" + std::to_string(each->port()));
    return "redis+sentinel://" + list + "/main";
}

TestServer& TestSentinels::server(std::uint16_t port) {
    return port == first_.port() ? first_ : second_;
}

std::uint16_t TestSentinels::master() const {
    const std::string info = sentinels_.front()->ask("INFO sentinel");
    return info.find("address=127.0.0.1:" + std::to_string(first_.port()) + ",") != std::string::npos
               ? first_.port()
               : second_.port();
}

// ---- TestCluster
TestCluster::TestCluster(Options options) : options_(options), now_(SystemClock().now()) {
    for (std::size_t i = 0; i < options_.masters + (options_.has_replica ? 1 : 0); ++i)
        servers_.push_back(make_server());
    give_slots();
    introduce();
    let_time_pass();
    wait_until("the cluster is whole", [&] {
        return std::ranges::all_of(servers_, [&](const auto& each) {
            const std::string info = each->ask("CLUSTER INFO");
            return info.find("cluster_state:ok") != std::string::npos &&
                   info.find("cluster_slots_assigned:16384") != std::string::npos;
        });
    });
    if (!options_.has_replica) return;
    replica().ask("CLUSTER REPLICATE " + id_of(0));
    wait_until("the replica follows",
               [&] { return says(replica(), "INFO replication", "master_link_status:up"); });
}

// A frozen clock moves in leaps, which are no silence of the others.
std::unique_ptr<TestServer> TestCluster::make_server() const {
    const std::string patience = options_.has_frozen_clock ? "2147483647" : "1500";
    TestServer::Options options{
        .settings = {"--cluster-enabled", "yes", "--cluster-node-timeout", patience,
                     "--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0",
                     "--cluster-allow-replica-migration", "no"},
        .has_frozen_clock = options_.has_frozen_clock,
        .tls = options_.tls};
    if (options_.tls) {
        options.settings.insert(options.settings.end(),
                                {"--tls-cluster", "yes", "--cluster-announce-hostname", "localhost",
                                 "--cluster-preferred-endpoint-type", "hostname"});
    }
    return std::make_unique<TestServer>(std::move(options));
}

TestCluster& TestCluster::shared() {
    static TestCluster cluster({.has_frozen_clock = true});
    return cluster;
}

void TestCluster::give_slots() {
    for (std::size_t i = 0; i < options_.masters; ++i) {
        servers_[i]->ask("CLUSTER SET-CONFIG-EPOCH " + std::to_string(i + 1));
        const auto first_of = [&](std::size_t index) {
            return (index * slots_ + options_.masters - 1) / options_.masters;
        };
        servers_[i]->ask("CLUSTER ADDSLOTSRANGE " + std::to_string(first_of(i)) + ' ' +
                         std::to_string(first_of(i + 1) - 1));
    }
}

// Everyone to everyone, which is quicker than hearsay.
void TestCluster::introduce() {
    for (const auto& one : servers_) {
        for (const auto& other : servers_) {
            if (one != other) one->ask("CLUSTER MEET 127.0.0.1 " + std::to_string(other->port()));
        }
    }
}

std::string TestCluster::url() const {
    if (options_.tls) {
        return "rediss+cluster://localhost:" + std::to_string(servers_[0]->port()) +
               "?ca=" + servers_[0]->certificate();
    }
    // Not all: the others are found.
    return "redis+cluster://127.0.0.1:" + std::to_string(servers_[0]->port()) +
           ",127.0.0.1:" + std::to_string(servers_.back()->port());
}

void TestCluster::empty() {
    for (const auto& server : servers_)
        server->ask("FLUSHALL");
}

// A master that starts refuses to be written to for two seconds, by its clock: so that is late at first, and
// never ahead of what the test knows, or keys would end too soon.
void TestCluster::crash() {
    for (const auto& server : servers_)
        server->kill();
    const Timestamp now = now_;
    show(now - refusal);
    for (const auto& server : servers_)
        server->start();
    let_time_pass();
    wait_until("the cluster can be written to", [&] {
        return std::ranges::all_of(
            servers_, [](const auto& each) { return says(*each, "CLUSTER INFO", "cluster_state:ok"); });
    });
}

// A frozen clock does not; all servers have looked at it before.
void TestCluster::let_time_pass() {
    if (!options_.has_frozen_clock) return;
    std::this_thread::sleep_for(milliseconds(300));
    for (const auto& server : servers_)
        server->ask("PING");
    show(now_ + refusal);
}

void TestCluster::show(Timestamp now) {
    now_ = now;
    for (const auto& server : servers_)
        server->show(now);
}

void TestCluster::follow(engines::testing::LeadingClock& clock) {
    clock.lead([this](Timestamp now) { show(now); });
}

void TestCluster::begin_move(std::size_t slot, std::size_t from, std::size_t to) {
    const std::string verb = "CLUSTER SETSLOT " + std::to_string(slot);
    servers_[to]->ask(verb + " IMPORTING " + id_of(from));
    servers_[from]->ask(verb + " MIGRATING " + id_of(to));
}

void TestCluster::end_move(std::size_t slot, std::size_t from, std::size_t to,
                           std::vector<std::string> keys) {
    std::vector<std::string> words{"MIGRATE", "127.0.0.1", std::to_string(servers_[to]->port()), "", "0",
                                   "5000",    "KEYS"};
    words.insert(words.end(), std::make_move_iterator(keys.begin()), std::make_move_iterator(keys.end()));
    if (const auto moved = servers_[from]->ask(words); moved != "OK") throw std::runtime_error(moved);
    for (const std::size_t server : {to, from})
        servers_[server]->ask("CLUSTER SETSLOT " + std::to_string(slot) + " NODE " + id_of(to));
}

// ---- SentinelPlace
std::string SentinelPlace::url() const {
    static TestServer sentinel({.watched_port = TestServer::shared().port()});
    const std::string database = place_.url().substr(place_.url().rfind('/'));
    return "redis+sentinel://127.0.0.1:" + std::to_string(sentinel.port()) + "/main" + database;
}

}  // namespace spaktok::realtime::redis
