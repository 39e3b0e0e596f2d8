// An HTTP server that answers as a test says: for what a real S3 server does seldom.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace spaktok::blob::s3 {

class ScriptedServer {
  public:
    struct Reply {
        Reply(const char* what) : text(what) {}
        Reply(std::string what) : text(std::move(what)) {}
        std::string text;
        bool is_cut = false;  // the connection ends in the middle of it
    };
    // Of a request's first line, "PUT /bucket/key HTTP/1.1", what to answer: a status and a body, or headers
    // and a body below a status ("200 OK\r\nETag: \"x\"\r\n\r\nbody"). Called on threads of the server's own.
    using Script = std::function<Reply(const std::string& line)>;
    explicit ScriptedServer(Script script);
    ~ScriptedServer();
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    std::string url() const;
    // The first lines of all requests until now, without " HTTP/1.1".
    std::vector<std::string> requests() const;
    std::size_t connections() const;  // until now

  private:
    void accept_all();
    void serve(int connection);

    const Script script_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::vector<int> connections_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

}  // namespace spaktok::blob::s3
