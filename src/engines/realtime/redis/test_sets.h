// Servers of the tests' own that belong together: a master with its replica and Sentinels, and a cluster.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "engines/realtime/redis/test_server.h"

namespace spaktok::realtime::redis {

// Three Sentinels, of which two must agree, a master named "main" and a replica that may take over. Returns
// when all know each other.
class TestSentinels {
  public:
    TestSentinels();

    std::string url() const;
    // By its port.
    TestServer& server(std::uint16_t port);
    TestServer& sentinel(std::size_t index) { return *sentinels_[index]; }
    // The master's port, as the Sentinels have it.
    std::uint16_t master() const;
    TestServer& replica_of(std::uint16_t master) {
        return server(master == first_.port() ? second_.port() : first_.port());
    }

  private:
    TestServer first_;
    TestServer second_;
    std::vector<std::unique_ptr<TestServer>> sentinels_;
};

// Masters that share the slots evenly, and perhaps a replica of the first. Slots without a master do not stop
// the others.
class TestCluster {
  public:
    struct Options {
        std::size_t masters = 3;
        bool has_replica = false;
        bool has_frozen_clock = false;
        bool tls = false;
    };
    explicit TestCluster(Options options);
    // The one that all contract tests of this process share, with a frozen clock.
    static TestCluster& shared();

    std::string url() const;
    TestServer& server(std::size_t index) { return *servers_[index]; }
    TestServer& replica() { return *servers_[options_.masters]; }
    // Of the master that has the slot, as things were at the start.
    std::size_t owner_of(std::size_t slot) const { return slot * options_.masters / slots_; }
    void empty();
    // Kills all masters, as a power cut does, and starts them.
    void crash();
    void follow(engines::testing::LeadingClock& clock);
    // Gives the slot and all its keys to another master, as `redis-cli --cluster reshard` does, in two steps.
    void begin_move(std::size_t slot, std::size_t from, std::size_t to);
    void end_move(std::size_t slot, std::size_t from, std::size_t to, std::vector<std::string> keys);

  private:
    static constexpr std::size_t slots_ = 16'384;

    std::unique_ptr<TestServer> make_server() const;
    std::string id_of(std::size_t index) const { return servers_[index]->ask("CLUSTER MYID"); }
    void give_slots();
    void introduce();
    void show(Timestamp now);
    void let_time_pass();

    const Options options_;
    std::vector<std::unique_ptr<TestServer>> servers_;
    Timestamp now_{};
};

// A database of the shared server's, found through a Sentinel.
class SentinelPlace final : public engines::testing::Place {
  public:
    std::string url() const override;
    void follow(engines::testing::LeadingClock& clock) override { place_.follow(clock); }
    void crash() override { place_.crash(); }

  private:
    RedisPlace place_;
};

// The shared cluster, emptied. One at a time.
class ClusterPlace final : public engines::testing::Place {
  public:
    ClusterPlace() { TestCluster::shared().empty(); }
    std::string url() const override { return TestCluster::shared().url(); }
    void follow(engines::testing::LeadingClock& clock) override { TestCluster::shared().follow(clock); }
    void crash() override { TestCluster::shared().crash(); }
};

}  // namespace spaktok::realtime::redis
