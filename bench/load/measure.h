// What both load generators share: the clock, arguments, connections that spread over loopback addresses, the
// server's costs as the kernel counts them, and percentiles.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

// Ends the program with a message; a benchmark that cannot be trusted prints no figure.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::uint64_t now_ns();

// --name value, each name once.
class Arguments {
  public:
    Arguments(int count, char** values);
    std::string text(const std::string& name, const std::string& otherwise = "") const;
    int number(const std::string& name, int otherwise) const;

  private:
    std::map<std::string, std::string> values_;
};

// A non-blocking TCP socket that connects to 127.0.0.1:port from loopback address number `index`, a hundred
// sockets each, so that neither ports nor a server's limit of connections an address stand in the way.
int connect_from(int index, int port);

// Several sockets of a process that closes many would otherwise fill the table of those in TIME_WAIT.
void close_at_once(int socket);

// User and system time of these processes so far, in microseconds; resolution 10 ms (the kernel's tick).
double cpu_microseconds(const std::vector<int>& processes);
double resident_bytes(const std::vector<int>& processes);
std::vector<int> process_list(const std::string& comma_separated);

double mean(const std::vector<std::uint32_t>& values);
// Sorts.
double percentile(std::vector<std::uint32_t>& values, double share);

std::string read_file(const std::string& path);

// {"a": 1.5, …} on one line of standard output.
void print_figures(const std::vector<std::pair<std::string, double>>& figures);

}  // namespace bench
