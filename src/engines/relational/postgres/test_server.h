// PostgreSQL servers of the tests' own: a new cluster in a temporary folder, on a Unix socket, and a
// streaming replica of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace spaktok::relational::postgres {

class TestServer;
struct ReplicaOf {
    const TestServer& primary;  // which runs
};

class TestServer {
  public:
    // Makes the cluster and starts the server; throws std::runtime_error where that fails.
    TestServer();
    // A copy that follows the primary from now on, and answers reads.
    explicit TestServer(ReplicaOf of);
    ~TestServer();
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    // The one that all contract tests of this process share; each has a schema of its own there.
    static TestServer& shared();

    std::string url() const;
    // Its first line's first column.
    std::string query(const std::string& sql) const;

    void start();
    void kill();    // as a power cut does: no goodbye to anyone
    void pause();   // SIGSTOP
    void resume();  // SIGCONT

  private:
    void make_folder();
    // With the program `name` of PostgreSQL's, which makes `data` and is to succeed.
    void make_cluster(const std::string& name, const std::vector<std::string>& arguments);
    void signal_all(int signal) const;

    std::filesystem::path folder_;
    pid_t process_ = -1;
};

// An empty schema on the shared server, dropped when destroyed.
class TestSchema {
  public:
    TestSchema();
    ~TestSchema();
    TestSchema(const TestSchema&) = delete;
    TestSchema& operator=(const TestSchema&) = delete;
    std::string url() const;

  private:
    std::string name_;
};

}  // namespace spaktok::relational::postgres
