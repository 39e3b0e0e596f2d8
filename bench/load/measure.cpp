#include "measure.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <numeric>
#include <sstream>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

std::uint64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

Arguments::Arguments(int count, char** values) {
    for (int i = 1; i < count; i += 2) {
        const std::string_view name = values[i];
        if (!name.starts_with("--") || i + 1 >= count) throw Failure("expected --name value");
        values_[std::string(name.substr(2))] = values[i + 1];
    }
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second;
}

int Arguments::number(const std::string& name, int otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : std::stoi(found->second);
}

namespace {

sockaddr_in loopback(std::uint32_t address, int port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(static_cast<std::uint16_t>(port));
    result.sin_addr.s_addr = htonl(address);
    return result;
}

}  // namespace

int connect_from(int index, int port) {
    constexpr int sockets_an_address = 100;
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) throw Failure(std::string("socket: ") + std::strerror(errno));
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const int address = index / sockets_an_address;
    const auto from = loopback(0x7F010001U + (static_cast<std::uint32_t>(address / 200) << 8) +
                                   static_cast<std::uint32_t>(address % 200),
                               0);
    const auto to = loopback(INADDR_LOOPBACK, port);
    if (bind(socket, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
        (connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)) {
        throw Failure(std::string("connect: ") + std::strerror(errno));
    }
    return socket;
}

void close_at_once(int socket) {
    const linger reset{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(socket);
}

double cpu_microseconds(const std::vector<int>& processes) {
    double ticks = 0;
    for (const int process : processes) {
        const auto stat = read_file("/proc/" + std::to_string(process) + "/stat");
        // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th after it
        // (proc(5)).
        std::istringstream rest(stat.substr(stat.rfind(')') + 1));
        std::string skipped;
        for (int field = 0; field < 11; ++field)
            rest >> skipped;
        double user = 0;
        double system = 0;
        rest >> user >> system;
        ticks += user + system;
    }
    return ticks * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double resident_bytes(const std::vector<int>& processes) {
    double pages = 0;
    for (const int process : processes) {
        std::istringstream statm(read_file("/proc/" + std::to_string(process) + "/statm"));
        double total = 0;
        double resident = 0;
        statm >> total >> resident;
        pages += resident;
    }
    return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::vector<int> process_list(const std::string& comma_separated) {
    std::vector<int> processes;
    std::istringstream list(comma_separated);
    for (std::string one; std::getline(list, one, ',');)
        processes.push_back(std::stoi(one));
    return processes;
}

double mean(const std::vector<std::uint32_t>& values) {
    if (values.empty()) return 0;
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double percentile(std::vector<std::uint32_t>& values, double share) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size()));
    return values[std::min(index, values.size() - 1)];
}

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw Failure("cannot read " + path);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

void print_figures(const std::vector<std::pair<std::string, double>>& figures) {
    std::string line = "{";
    for (const auto& [name, value] : figures) {
        char number[64];
        std::snprintf(number, sizeof number, "%s\"%s\": %.3f", line.size() > 1 ? ", " : "", name.c_str(),
                      value);
        line += number;
    }
    std::puts((line + "}").c_str());
}

}  // namespace bench
