#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engines/blob/s3/scripted_server.h"

namespace spaktok::blob::s3 {

namespace {

// Reads until `text` has `bytes` bytes; false where the client has gone.
bool read_to(int connection, std::string& text, std::size_t bytes) {
    while (text.size() < bytes) {
        char buffer[16'384];
        const auto count = ::recv(connection, buffer, sizeof buffer, 0);
        if (count <= 0) return false;
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return true;
}

std::size_t body_bytes(const std::string& head) {
    const std::string name = "\r\nContent-Length: ";
    const auto found = head.find(name);
    return found == std::string::npos ? 0 : std::stoul(head.substr(found + name.size()));
}

}  // namespace

ScriptedServer::ScriptedServer(Script script) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, sizeof address) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, any, &size) != 0) {
        throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedServer::~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (const int connection : connections_)
        ::shutdown(connection, SHUT_RDWR);
    for (auto& thread : threads_)
        thread.join();
    for (const int connection : connections_)
        ::close(connection);
    ::close(listener_);
}

std::string ScriptedServer::url() const {
    return "s3://id:secret@bucket?endpoint=http://127.0.0.1:" + std::to_string(port_);
}

std::vector<std::string> ScriptedServer::requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
}

std::size_t ScriptedServer::connections() const {
    const std::scoped_lock lock(mutex_);
    return connections_.size();
}

void ScriptedServer::accept_all() {
    for (;;) {
        const int connection = ::accept(listener_, nullptr, nullptr);
        if (connection < 0) return;
        const std::scoped_lock lock(mutex_);
        connections_.push_back(connection);
        threads_.emplace_back([this, connection] { serve(connection); });
    }
}

void ScriptedServer::serve(int connection) {
    for (std::string text;;) {
        auto end = text.find("\r\n\r\n");
        while (end == std::string::npos) {
            if (!read_to(connection, text, text.size() + 1)) return;
            end = text.find("\r\n\r\n");
        }
        const auto size = end + 4 + body_bytes(text.substr(0, end));
        if (!read_to(connection, text, size)) return;
        const auto line = text.substr(0, text.find(" HTTP/1.1"));
        text.erase(0, size);
        {
            const std::scoped_lock lock(mutex_);
            requests_.push_back(line);
        }
        const auto reply = script_(line);
        auto answer = "HTTP/1.1 " + reply.text;
        const auto head = answer.find("\r\n\r\n");
        const auto body = head == std::string::npos ? 0 : answer.size() - head - 4;
        answer.insert(answer.find("\r\n"), "\r\nContent-Length: " + std::to_string(body));
        if (reply.is_cut) answer.resize(answer.size() - 1);
        if (::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;
        if (reply.is_cut) {
            ::shutdown(connection, SHUT_RDWR);
            return;
        }
    }
}

}  // namespace spaktok::blob::s3
