// An S3 server of the tests' own, in a temporary folder on a free port: the Versity gateway that
// tools/s3_server builds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <sys/types.h>

namespace spaktok::blob::s3 {

class TestServer {
  public:
    // Throws std::runtime_error where it does not start.
    TestServer();
    ~TestServer();
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    // The one that all contract tests of this process share; each has a bucket of its own there.
    static TestServer& shared();

    // "127.0.0.1:PORT"
    std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
    void make_bucket(const std::string& name) const;

    void start();   // on the same port as before
    void kill();    // SIGKILL
    void pause();   // SIGSTOP
    void resume();  // SIGCONT

  private:
    void run_program();
    bool answers() const;

    std::filesystem::path folder_;
    std::uint16_t port_ = 0;
    pid_t process_ = -1;
};

// An empty bucket on a server.
class TestBucket {
  public:
    explicit TestBucket(TestServer& server = TestServer::shared());
    const std::string& name() const { return name_; }
    // s3://…, with a path such as "/prefix", and parameters such as "&style=virtual".
    std::string url(const std::string& path = "", const std::string& parameters = "") const;

  private:
    TestServer& server_;
    std::string name_;
};

struct Fetched {
    int status = 0;  // 0 where nobody answers
    std::string body;
};
// GET without any credentials.
Fetched fetch(const std::string& url);

}  // namespace spaktok::blob::s3
