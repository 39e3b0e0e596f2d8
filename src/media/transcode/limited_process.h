// Runs a program that reads a stranger's bytes (a decoder), as a separate process that is kept small: bytes
// in on standard input, bytes out on standard output.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace spaktok::media {

class LimitedProcess {
  public:
    struct Options {
        std::vector<std::string> argv;  // argv[0] is looked up in PATH
        std::string input;              // all of it is offered on standard input, then the end of file
        std::size_t output_bytes_max = 8u << 20;     // one byte more ends the process
        std::chrono::milliseconds deadline{10'000};  // of wall-clock time
        std::chrono::seconds cpu_max{10};            // RLIMIT_CPU
        std::uint64_t memory_bytes_max =
            1u << 30;  // RLIMIT_AS: address space, which includes the mapped libraries
        std::uint64_t file_bytes_max =
            0;              // RLIMIT_FSIZE: what it may write to any one file; 0: no file at all
        int niceness = 10;  // below whatever serves people
    };
    enum class End {
        exited,           // `exit_code` is the program's
        killed,           // by a signal that was not ours (a limit, a crash): `exit_code` is 128 + the signal
        timed_out,        // killed at the deadline
        output_too_long,  // killed at output_bytes_max
    };
    struct Result {
        End end = End::exited;
        int exit_code = 0;
        std::string output;      // at most output_bytes_max, complete only where succeeded()
        std::string error_tail;  // the last 4 KiB of standard error: for the log only
        bool succeeded() const { return end == End::exited && exit_code == 0; }
    };

    // Suspends until the process is gone and reaped; nothing blocks. The process gets an environment of PATH
    // and LANG=C, a process group of its own, no file descriptor but 0, 1 and 2, and its limits are in force
    // before the first byte of input. Throws Error{unavailable} where it cannot be started (no such program,
    // no process left). Cancelling kills the process, and throws operation_aborted once it is reaped. How
    // many may run at once is the caller's business.
    static boost::asio::awaitable<Result> run(Options options);
};

}  // namespace spaktok::media
