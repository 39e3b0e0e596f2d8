// A Redis server of the tests' own: in a temporary folder, on a free port. Its log of changes is written
// before it answers, though not synced: nothing here must outlive a power cut, only the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "engines/testing/testing.h"

namespace spaktok::realtime::redis {

class TestServer {
  public:
    struct Options {
        std::vector<std::string> settings{};  // as redis-server's command line takes them
        // Whether the server's wall clock stands still and follows a LeadingClock. Needs frozen_clock.c
        // beside the test program.
        bool has_frozen_clock = false;
        bool tls = false;
        // Where set, it is a Sentinel that watches the server on that port under the name "main".
        std::uint16_t watched_port = 0;
        std::size_t quorum = 1;  // so many Sentinels must find it dead
    };
    // Starts the server; throws std::runtime_error where that fails.
    explicit TestServer(Options options);
    TestServer() : TestServer(Options{}) {}
    ~TestServer();
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    // The one that all contract tests of this process share, with a frozen clock.
    static TestServer& shared();

    std::string url() const;
    std::uint16_t port() const { return port_; }
    std::string certificate() const { return (folder_ / "certificate.pem").string(); }
    // What redis-cli prints for it. A text is split at its spaces.
    std::string ask(const std::string& command) const;
    std::string ask(const std::vector<std::string>& words) const;

    void empty(std::size_t database) const;

    void start();
    void kill();    // as a power cut does: no goodbye to anyone
    void pause();   // SIGSTOP
    void resume();  // SIGCONT

    // The frozen clock shows what the given one does, and moves with it.
    void follow(engines::testing::LeadingClock& clock);
    void show(Timestamp now) const;

  private:
    void make_certificate() const;
    std::vector<std::string> server_words() const;
    std::vector<std::string> sentinel_words() const;
    bool try_start();

    const Options options_;
    std::filesystem::path folder_;
    std::uint16_t port_ = 0;
    pid_t process_ = -1;
};

// A database of the shared server's sixteen, emptied.
class RedisPlace final : public engines::testing::Place {
  public:
    RedisPlace();
    ~RedisPlace() override;
    RedisPlace(const RedisPlace&) = delete;
    RedisPlace& operator=(const RedisPlace&) = delete;
    // One where SPAKTOK_TEST_REALTIME=redis, else nullptr: for the tests of what stands on the port.
    static std::unique_ptr<RedisPlace> if_wanted();

    std::string url() const override;
    void follow(engines::testing::LeadingClock& clock) override;
    void crash() override;

  private:
    std::size_t database_;
};

}  // namespace spaktok::realtime::redis
