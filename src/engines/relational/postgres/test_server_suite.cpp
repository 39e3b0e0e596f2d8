#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engines/relational/postgres/test_server.h"

namespace spaktok::relational::postgres {

namespace {

// Where Debian puts the programs of the newest version that is installed.
std::filesystem::path programs() {
    std::filesystem::path newest;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql"))
        newest = std::max(newest, version.path() / "bin");
    return newest;
}

// PostgreSQL refuses to run as root.
void become_postgres() {
    if (::geteuid() != 0) return;
    const passwd* user = ::getpwnam("postgres");
    if (user == nullptr || ::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 ||
        ::setuid(user->pw_uid) != 0) {
        ::_exit(126);
    }
}

pid_t start_program(const std::filesystem::path& program, std::vector<std::string> arguments,
                    const std::filesystem::path& log) {
    std::vector<char*> words{const_cast<char*>(program.c_str())};
    for (auto& argument : arguments)
        words.push_back(argument.data());
    words.push_back(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    become_postgres();
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // an immediate shutdown, should the test be killed
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execv(program.c_str(), words.data());
    ::_exit(127);
}

struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};

}  // namespace

TestServer::TestServer() {
    make_folder();
    make_cluster("initdb", {"--pgdata=" + (folder_ / "data").string(), "--username=spaktok", "--auth=trust",
                            "--encoding=UTF8", "--locale=C", "--no-sync"});
    start();
}

TestServer::TestServer(ReplicaOf of) {
    make_folder();
    make_cluster("pg_basebackup", {"--pgdata=" + (folder_ / "data").string(), "--dbname=" + of.primary.url(),
                                   "--write-recovery-conf", "--checkpoint=fast", "--no-sync"});
    start();
}

void TestServer::make_folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "spaktok-postgres-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
    if (::geteuid() != 0) return;
    const passwd* user = ::getpwnam("postgres");
    if (user == nullptr || ::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0)
        throw std::runtime_error("there is no user postgres: is the package postgresql-15 installed?");
}

void TestServer::make_cluster(const std::string& name, const std::vector<std::string>& arguments) {
    const auto log = folder_ / (name + ".log");
    const pid_t made = start_program(programs() / name, arguments, log);
    int status = 0;
    if (::waitpid(made, &status, 0) != made || status != 0)
        throw std::runtime_error(name + " failed: see " + log.string());
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

std::string TestServer::url() const {
    return "postgres:///postgres?user=spaktok&host=" + folder_.string();
}

void TestServer::start() {
    // Nothing here must outlive a power cut of the machine, only of processes.
    process_ = start_program(programs() / "postgres",
                             {"-D", (folder_ / "data").string(), "-k", folder_.string(), "-c",
                              "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c",
                              "max_connections=200", "-c", "wal_retrieve_retry_interval=100ms"},
                             folder_ / "server.log");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (PQping(url().c_str()) != PQPING_OK) {
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error("PostgreSQL does not answer: see " + (folder_ / "server.log").string());
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

void TestServer::signal_all(int signal) const {
    // Each of its processes leads a group of its own, so there is no group to signal. The server itself
    // first: it would take the end of the others for a crash, and start them again.
    std::ifstream list("/proc/" + std::to_string(process_) + "/task/" + std::to_string(process_) +
                       "/children");
    std::vector<pid_t> children;
    for (pid_t child = 0; list >> child;)
        children.push_back(child);
    ::kill(process_, signal);
    for (const pid_t child : children)
        ::kill(child, signal);
}

void TestServer::kill() {
    if (process_ < 0) return;
    signal_all(SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
}

void TestServer::pause() {
    signal_all(SIGSTOP);
}

void TestServer::resume() {
    signal_all(SIGCONT);
}

std::string TestServer::query(const std::string& sql) const {
    const std::unique_ptr<PGconn, Close> connection(PQconnectdb(url().c_str()));
    PGresult* answer = PQexec(connection.get(), ("SET client_min_messages = 'warning'; " + sql).c_str());
    const auto status = PQresultStatus(answer);
    std::string text = status == PGRES_TUPLES_OK && PQntuples(answer) > 0 ? PQgetvalue(answer, 0, 0) : "";
    const bool failed = status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
    PQclear(answer);
    if (failed) throw std::runtime_error(sql + ": " + PQerrorMessage(connection.get()));
    return text;
}

TestSchema::TestSchema() {
    static std::atomic<int> made = 0;
    name_ = "test_" + std::to_string(++made);
    TestServer::shared().query("CREATE SCHEMA " + name_);
}

TestSchema::~TestSchema() {
    TestServer::shared().query("DROP SCHEMA " + name_ + " CASCADE");
}

std::string TestSchema::url() const {
    return TestServer::shared().url() + "&options=-csearch_path%3D" + name_;
}

}  // namespace spaktok::relational::postgres
