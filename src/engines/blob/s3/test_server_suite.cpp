#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engines/blob/s3/test_server.h"

namespace spaktok::blob::s3 {

namespace {

constexpr const char* access_key = "test-access";
constexpr const char* secret_key = "test/secret+key";  // with what must be escaped in a URL
constexpr const char* domain = "s3.localhost";

// build/PRESET/bin/engines_test → build/s3_server
std::filesystem::path program() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../../s3_server";
}

// One that was free a moment ago: the server itself cannot say which it took.
std::uint16_t free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    const bool is_bound = ::bind(socket, any, sizeof address) == 0 && ::getsockname(socket, any, &size) == 0;
    ::close(socket);
    if (!is_bound) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

std::size_t append(char* bytes, std::size_t size, std::size_t count, void* into) {
    static_cast<std::string*>(into)->append(bytes, size * count);
    return size * count;
}

}  // namespace

Fetched fetch(const std::string& url) {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(), &curl_easy_cleanup);
    Fetched fetched;
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &append);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &fetched.body);
    long status = 0;
    if (curl_easy_perform(easy.get()) == CURLE_OK)
        curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    fetched.status = static_cast<int>(status);
    return fetched;
}

TestServer::TestServer() {
    if (!std::filesystem::exists(program()))
        throw std::runtime_error("there is no S3 server: tools/s3_server/install makes it");
    auto pattern = (std::filesystem::temp_directory_path() / "spaktok-s3-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
    std::filesystem::create_directory(folder_ / "buckets");
    start();
}

TestServer::~TestServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

TestServer& TestServer::shared() {
    static TestServer server;
    return server;
}

void TestServer::run_program() {
    const auto buckets = (folder_ / "buckets").string();
    const auto log = (folder_ / "server.log").string();
    const auto address = host();
    const auto path = program().string();
    process_ = ::fork();
    if (process_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::setenv("ROOT_ACCESS_KEY", access_key, 1);
    ::setenv("ROOT_SECRET_KEY", secret_key, 1);
    ::execl(path.c_str(), path.c_str(), buckets.c_str(), address.c_str(), domain, nullptr);
    ::_exit(127);
}

bool TestServer::answers() const {
    return fetch("http://" + host() + "/").status != 0;
}

void TestServer::start() {
    const bool may_choose = port_ == 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    do {
        if (may_choose) port_ = free_port();
        run_program();
        // It ends where somebody else has taken the port since.
        while (::waitpid(process_, nullptr, WNOHANG) == 0) {
            if (answers()) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            if (std::chrono::steady_clock::now() > deadline) {
                kill();
                break;
            }
        }
    } while (std::chrono::steady_clock::now() < deadline);
    throw std::runtime_error("the S3 server does not start: see " + (folder_ / "server.log").string());
}

void TestServer::make_bucket(const std::string& name) const {
    std::filesystem::create_directory(folder_ / "buckets" / name);
}

void TestServer::kill() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
}

void TestServer::pause() {
    ::kill(process_, SIGSTOP);
}

void TestServer::resume() {
    ::kill(process_, SIGCONT);
}

TestBucket::TestBucket(TestServer& server) : server_(server) {
    static std::atomic<int> made = 0;
    name_ = "test-" + std::to_string(++made);
    server_.make_bucket(name_);
}

std::string TestBucket::url(const std::string& path, const std::string& parameters) const {
    std::string escaped = path;
    for (auto space = escaped.find(' '); space != std::string::npos; space = escaped.find(' '))
        escaped.replace(space, 1, "%20");
    return "s3://test-access:test%2Fsecret%2Bkey@" + name_ + escaped + "?endpoint=http://" + server_.host() +
           parameters;
}

}  // namespace spaktok::blob::s3
