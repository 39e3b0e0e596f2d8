#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <mongoc/mongoc.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engines/document/mongo/bson.h"
#include "engines/document/mongo/test_server.h"

namespace spaktok::document::mongo {

namespace fs = std::filesystem;

namespace {

fs::path on_path(const std::string& program) {
    const char* path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (::access((fs::path(folder) / program).c_str(), X_OK) == 0) return fs::path(folder) / program;
    }
    return {};
}

// Where tools/install_mongo puts it.
fs::path stand_in() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    const fs::path folder = cache != nullptr && *cache != '\0'
                                ? fs::path(cache)
                                : fs::path(home == nullptr ? "/" : home) / ".cache";
    return folder / "spaktok" / "secantusdb" / "bin" / "secantusd-py";
}

std::vector<std::string> command_line(const fs::path& folder, std::uint16_t port) {
    const std::string number = std::to_string(port);
    const std::string data = (folder / "data").string();
    if (const auto mongod = on_path("mongod"); !mongod.empty())
        return {mongod.string(), "--dbpath",       data,
                "--bind_ip",     "127.0.0.1",      "--port",
                number,          "--setParameter", "enableTestCommands=1"};
    const auto program = stand_in();
    if (!fs::exists(program))
        throw std::runtime_error("no MongoDB server for the tests: run tools/install_mongo");
    return {program.string(), "--storage-path", data,   "--host",      "127.0.0.1", "--port",
            number,           "--cache-size",   "128M", "--log-level", "WARNING",   "--enable-test-commands"};
}

std::uint16_t free_port() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(listener);
    return ::ntohs(address.sin_port);
}

pid_t start_program(std::vector<std::string> arguments, const fs::path& log) {
    std::vector<char*> words;
    for (auto& argument : arguments)
        words.push_back(argument.data());
    words.push_back(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the test be killed
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execv(words.front(), words.data());
    ::_exit(127);
}

struct DestroyClient {
    void operator()(mongoc_client_t* client) const { mongoc_client_destroy(client); }
};

}  // namespace

TestServer::TestServer() {
    mongoc_init();
    auto pattern = (fs::temp_directory_path() / "spaktok-mongo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
    fs::create_directories(folder_ / "data");
    port_ = free_port();
    start();
}

TestServer::~TestServer() {
    kill();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

TestServer& TestServer::shared() {
    static TestServer server;
    return server;
}

std::string TestServer::url(const std::string& database) const {
    return "mongodb://127.0.0.1:" + std::to_string(port_) + "/" + database;
}

std::string TestServer::command(const std::string& database, const std::string& command) const {
    const std::unique_ptr<mongoc_client_t, DestroyClient> client(mongoc_client_new(url(database).c_str()));
    mongoc_client_set_error_api(client.get(), 2);
    bson_error_t error{};
    const Bson parsed(bson_new_from_json(reinterpret_cast<const std::uint8_t*>(command.data()),
                                         static_cast<ssize_t>(command.size()), &error));
    if (!parsed) throw std::runtime_error(command + ": " + error.message);
    bson_t reply;
    const bool is_done =
        mongoc_client_command_simple(client.get(), database.c_str(), parsed.get(), nullptr, &reply, &error);
    char* text = bson_as_canonical_extended_json(&reply, nullptr);
    const std::string answer(text == nullptr ? "" : text);
    bson_free(text);
    bson_destroy(&reply);
    if (!is_done) throw std::runtime_error(command + ": " + error.message);
    return answer;
}

bool TestServer::answers() const {
    try {
        command("admin", R"({"ping": 1})");
        return true;
    } catch (const std::runtime_error&) {
        return false;
    }
}

void TestServer::start() {
    process_ = start_program(command_line(folder_, port_), folder_ / "server.log");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!answers()) {
        if (std::chrono::steady_clock::now() > deadline || ::waitpid(process_, nullptr, WNOHANG) == process_)
            throw std::runtime_error("the MongoDB server does not answer: see " +
                                     (folder_ / "server.log").string());
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
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

TestDatabase::TestDatabase() {
    static std::atomic<int> made = 0;
    name_ = "test_" + std::to_string(++made);
}

TestDatabase::~TestDatabase() {
    TestServer::shared().command(name_, R"({"dropDatabase": 1})");
}

}  // namespace spaktok::document::mongo
