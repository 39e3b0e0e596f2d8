#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engines/realtime/redis/test_server.h"
namespace spaktok::realtime::redis {

namespace fs = std::filesystem;

namespace {

std::uint16_t free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool is_bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                          ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(socket);
    if (!is_bound) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

pid_t start_program(std::vector<std::string> words, const std::vector<std::string>& environment,
                    const fs::path& log) {
    std::vector<char*> pointers;
    for (auto& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the test be killed
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    for (const auto& variable : environment)
        ::putenv(const_cast<char*>(variable.c_str()));
    ::execvp(pointers.front(), pointers.data());
    ::_exit(127);
}

}  // namespace

TestServer::TestServer(Options options) : options_(std::move(options)) {
    auto pattern = (fs::temp_directory_path() / "spaktok-redis-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
    if (options_.tls) make_certificate();
    if (options_.has_frozen_clock) {
        std::ofstream(folder_ / "clock") << std::string(sizeof(std::int64_t), '\0');
        show(SystemClock().now());
    }
    constexpr int attempts = 10;  // someone else may take the port first
    for (int attempt = 0; attempt < attempts; ++attempt) {
        port_ = free_port();
        fs::remove(folder_ / "sentinel.conf");
        if (try_start()) return;
    }
    throw std::runtime_error("Redis does not start: see " + (folder_ / "server.log").string());
}

TestServer::~TestServer() {
    kill();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

TestServer& TestServer::shared() {
    static TestServer server({.has_frozen_clock = true});
    return server;
}

void TestServer::make_certificate() const {
    const pid_t made =
        start_program({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                       "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                       (folder_ / "key.pem").string(), "-out", certificate()},
                      {}, folder_ / "openssl.log");
    int status = 0;
    if (::waitpid(made, &status, 0) != made || status != 0) throw std::runtime_error("openssl failed");
}

std::string TestServer::url() const {
    const std::string place = ":" + std::to_string(port_);
    return options_.tls ? "rediss://localhost" + place + "?ca=" + certificate() : "redis://127.0.0.1" + place;
}

std::vector<std::string> TestServer::server_words() const {
    const std::string port = std::to_string(port_);
    std::vector<std::string> words{
        "redis-server", "--bind", "127.0.0.1",     "--dir", folder_.string(), "--save", "",
        "--appendonly", "yes",    "--appendfsync", "no"};
    if (options_.tls) {
        words.insert(words.end(),
                     {"--port", "0", "--tls-port", port, "--tls-cert-file", certificate(), "--tls-key-file",
                      (folder_ / "key.pem").string(), "--tls-ca-cert-file", certificate(),
                      "--tls-auth-clients", "no", "--unixsocket", (folder_ / "socket").string()});
    } else {
        words.insert(words.end(), {"--port", port});
    }
    // A replica is not to wait for others that might come.
    words.insert(words.end(), {"--repl-diskless-sync-delay", "0"});
    words.insert(words.end(), options_.settings.begin(), options_.settings.end());
    return words;
}

std::vector<std::string> TestServer::sentinel_words() const {
    const fs::path settings = folder_ / "sentinel.conf";
    if (!fs::exists(settings)) {
        std::ofstream(settings) << "port " << port_ << "\nbind 127.0.0.1\ndir " << folder_.string()
                                << "\nsentinel monitor main 127.0.0.1 " << options_.watched_port << ' '
                                << options_.quorum
                                << "\nsentinel down-after-milliseconds main 1000"
                                   "\nsentinel failover-timeout main 1500\n";
    }
    return {"redis-server", settings.string(), "--sentinel"};
}

bool TestServer::try_start() {
    const bool is_sentinel = options_.watched_port != 0;
    auto words = is_sentinel ? sentinel_words() : server_words();
    std::vector<std::string> environment;
    if (options_.has_frozen_clock) {
        const fs::path preloaded = fs::canonical("/proc/self/exe").parent_path() / "libfrozen_clock.so";
        if (!fs::exists(preloaded)) throw std::runtime_error("there is no " + preloaded.string());
        environment = {"LD_PRELOAD=" + preloaded.string(),
                       "SPAKTOK_FROZEN_CLOCK=" + (folder_ / "clock").string()};
    }
    fs::remove(folder_ / "server.log");  // of an earlier run, which says that it is ready
    process_ = start_program(std::move(words), environment, folder_ / "server.log");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
        if (::waitpid(process_, nullptr, WNOHANG) == process_) {
            process_ = -1;
            return false;
        }
        std::ifstream log(folder_ / "server.log");
        const std::string text(std::istreambuf_iterator<char>(log), {});
        if (text.find(is_sentinel ? "+monitor master" : "Ready to accept connections") != std::string::npos)
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    kill();
    return false;
}

void TestServer::empty(std::size_t database) const {
    const auto number = std::to_string(database);
    ask({"EVAL", "redis.call('SELECT', ARGV[1]) redis.call('FLUSHDB')", "0", number});
}

void TestServer::start() {
    if (!try_start())
        throw std::runtime_error("Redis does not come back: see " + (folder_ / "server.log").string());
}

void TestServer::kill() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
}

void TestServer::pause() {
    ::kill(process_, SIGSTOP);
    ::waitpid(process_, nullptr, WUNTRACED);
}

void TestServer::resume() {
    ::kill(process_, SIGCONT);
}

void TestServer::show(Timestamp now) const {
    const std::int64_t milliseconds = to_unix_milliseconds(now);
    const int file = ::open((folder_ / "clock").c_str(), O_WRONLY);
    const bool is_written = ::pwrite(file, &milliseconds, sizeof milliseconds, 0) == sizeof milliseconds;
    ::close(file);
    if (!is_written) throw std::runtime_error("the server's clock cannot be set");
}

void TestServer::follow(engines::testing::LeadingClock& clock) {
    clock.lead([this](Timestamp now) { show(now); });
}

std::string TestServer::ask(const std::string& command) const {
    std::istringstream text(command);
    return ask(std::vector<std::string>(std::istream_iterator<std::string>(text), {}));
}

std::string TestServer::ask(const std::vector<std::string>& words) const {
    const std::unique_ptr<redisContext, decltype(&redisFree)> context(
        options_.tls ? redisConnectUnix((folder_ / "socket").c_str()) : redisConnect("127.0.0.1", port_),
        redisFree);
    if (context == nullptr || context->err != 0) throw std::runtime_error("no connection to ask " + words[0]);
    std::vector<const char*> pointers;
    std::vector<std::size_t> sizes;
    for (const auto& word : words) {
        pointers.push_back(word.data());
        sizes.push_back(word.size());
    }
    const std::unique_ptr<redisReply, decltype(&freeReplyObject)> reply(
        static_cast<redisReply*>(
            redisCommandArgv(context.get(), static_cast<int>(words.size()), pointers.data(), sizes.data())),
        freeReplyObject);
    if (reply == nullptr) throw std::runtime_error("no answer to " + words[0]);
    if (reply->type == REDIS_REPLY_INTEGER) return std::to_string(reply->integer);
    if (reply->type == REDIS_REPLY_ARRAY) return std::to_string(reply->elements) + " elements";
    return reply->str == nullptr ? "" : std::string(reply->str, static_cast<std::size_t>(reply->len));
}

// ---- RedisPlace
namespace {

constexpr std::size_t databases = 16;

struct Databases {
    std::mutex mutex;
    std::array<bool, databases> taken{};
};
Databases& all_databases() {
    static Databases all;
    return all;
}

std::size_t take_database() {
    Databases& all = all_databases();
    const std::scoped_lock lock(all.mutex);
    const auto free = std::ranges::find(all.taken, false);
    if (free == all.taken.end()) throw std::runtime_error("more than sixteen places at once");
    *free = true;
    return static_cast<std::size_t>(free - all.taken.begin());
}

}  // namespace

RedisPlace::RedisPlace() : database_(take_database()) {
    TestServer::shared().empty(database_);
}

RedisPlace::~RedisPlace() {
    Databases& all = all_databases();
    const std::scoped_lock lock(all.mutex);
    all.taken[database_] = false;
}

std::unique_ptr<RedisPlace> RedisPlace::if_wanted() {
    const char* wanted = std::getenv("SPAKTOK_TEST_REALTIME");
    if (wanted == nullptr || std::string_view(wanted) != "redis") return nullptr;
    return std::make_unique<RedisPlace>();
}

std::string RedisPlace::url() const {
    return TestServer::shared().url() + "/" + std::to_string(database_);
}

void RedisPlace::follow(engines::testing::LeadingClock& clock) {
    TestServer::shared().follow(clock);
}

void RedisPlace::crash() {
    TestServer::shared().kill();
    TestServer::shared().start();
}

}  // namespace spaktok::realtime::redis
