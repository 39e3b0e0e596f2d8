// A server of the tests' own that speaks MongoDB's protocol: `mongod` where one is on PATH, else SecantusDB
// as tools/install_mongo installs it; in a temporary folder, on a free port.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <sys/types.h>

namespace spaktok::document::mongo {

class TestServer {
  public:
    // Throws std::runtime_error where it does not start.
    TestServer();
    ~TestServer();
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    // The one that all contract tests of this process share; each has a database of its own there.
    static TestServer& shared();

    std::string url(const std::string& database) const;
    // Runs a command given as extended JSON; returns the answer as such. Throws std::runtime_error.
    std::string command(const std::string& database, const std::string& command) const;

    void start();
    void kill();    // as a power cut does: no goodbye to anyone
    void pause();   // SIGSTOP
    void resume();  // SIGCONT

  private:
    bool answers() const;

    std::filesystem::path folder_;
    std::uint16_t port_ = 0;
    pid_t process_ = -1;
};

// An empty database on the shared server, dropped when destroyed.
class TestDatabase {
  public:
    TestDatabase();
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;
    std::string url() const { return TestServer::shared().url(name_); }
    const std::string& name() const { return name_; }

  private:
    std::string name_;
};

}  // namespace spaktok::document::mongo
