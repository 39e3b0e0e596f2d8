#include "media/transcode/limited_process.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
extern "C" {  // glibc 2.36 forgot to say so
#include <sys/pidfd.h>
}
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

namespace spaktok::media {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t error_tail_bytes_max = 4096;
constexpr rlim_t open_files_max = 64;

[[noreturn]] void cannot_start(const std::string& program, const char* call, int error) {
    throw Error(ErrorCode::unavailable, "This cannot be processed now. Try again later.",
                {.reason = "process_not_started",
                 .detail = program + ": " + call + ": " + std::strerror(error),
                 .retry_after = std::chrono::seconds(5)});
}

// A file descriptor that closes itself.
class OwnedDescriptor {
  public:
    explicit OwnedDescriptor(int value = -1) : value_(value) {}
    OwnedDescriptor(OwnedDescriptor&& other) noexcept : value_(other.release()) {}
    OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
        if (this != &other) {
            if (value_ >= 0) ::close(value_);
            value_ = other.release();
        }
        return *this;
    }
    ~OwnedDescriptor() {
        if (value_ >= 0) ::close(value_);
    }
    int get() const { return value_; }
    int release() { return std::exchange(value_, -1); }

  private:
    int value_;
};

struct Ends {
    OwnedDescriptor ours;
    OwnedDescriptor theirs;
};

// Standard input is a socket pair: writing to a pipe whose reader is gone would raise SIGPIPE.
Ends make_input(const std::string& program) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        cannot_start(program, "socketpair", errno);
    return {OwnedDescriptor(ends[0]), OwnedDescriptor(ends[1])};
}

Ends make_output(const std::string& program) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) cannot_start(program, "pipe2", errno);
    return {OwnedDescriptor(ends[0]), OwnedDescriptor(ends[1])};
}

// posix_spawn's two descriptions, released together.
class SpawnPlan {
  public:
    SpawnPlan(int input, int output, int errors) {
        posix_spawn_file_actions_init(&actions_);
        posix_spawn_file_actions_adddup2(&actions_, input, 0);
        posix_spawn_file_actions_adddup2(&actions_, output, 1);
        posix_spawn_file_actions_adddup2(&actions_, errors, 2);
        // Sockets that Asio accepted have no close-on-exec flag: a client's connection must not live on in a
        // decoder.
        posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
        posix_spawnattr_init(&attributes_);
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setflags(&attributes_,
                                 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    ~SpawnPlan() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;

    pid_t spawn(const std::vector<std::string>& argv) const {
        const char* path = std::getenv("PATH");
        std::string path_entry = std::string("PATH=") + (path != nullptr ? path : "/usr/bin:/bin");
        std::string language = "LANG=C";
        std::array<char*, 3> environment{path_entry.data(), language.data(), nullptr};
        std::vector<std::string> words = argv;
        std::vector<char*> arguments;
        arguments.reserve(words.size() + 1);
        for (auto& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        pid_t pid = -1;
        const int error =
            posix_spawnp(&pid, arguments[0], &actions_, &attributes_, arguments.data(), environment.data());
        if (error != 0) cannot_start(argv[0], "posix_spawn", error);
        return pid;
    }

  private:
    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

void set_limit(pid_t pid, decltype(RLIMIT_CPU) which, rlim_t soft, rlim_t hard) {
    const rlimit limit{soft, hard};
    ::prlimit(pid, which, &limit, nullptr);  // fails only where the process is gone already
}

void limit(pid_t pid, const LimitedProcess::Options& options) {
    const auto cpu = static_cast<rlim_t>(options.cpu_max.count());
    set_limit(pid, RLIMIT_CPU, cpu, cpu + 1);  // SIGXCPU, and a second later SIGKILL
    set_limit(pid, RLIMIT_AS, options.memory_bytes_max, options.memory_bytes_max);
    set_limit(pid, RLIMIT_FSIZE, options.file_bytes_max, options.file_bytes_max);
    set_limit(pid, RLIMIT_CORE, 0, 0);
    set_limit(pid, RLIMIT_NOFILE, open_files_max, open_files_max);
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), options.niceness);
}

// One process from its start to its reaping. Kept alive by its pending operations; on one I/O thread.
class Running : public std::enable_shared_from_this<Running> {
  public:
    Running(asio::any_io_executor executor, LimitedProcess::Options options)
        : options_(std::move(options)),
          input_(executor),
          output_(executor),
          errors_(executor),
          process_(executor),
          deadline_(executor) {}

    void start() {
        auto input = make_input(options_.argv[0]);
        auto output = make_output(options_.argv[0]);
        auto errors = make_output(options_.argv[0]);
        pid_ = SpawnPlan(input.theirs.get(), output.theirs.get(), errors.theirs.get()).spawn(options_.argv);
        limit(pid_, options_);
        const int process = ::pidfd_open(pid_, 0);
        if (process < 0) {
            const int error = errno;
            kill();
            ::waitpid(pid_, nullptr, 0);  // killed: returns at once
            cannot_start(options_.argv[0], "pidfd_open", error);
        }
        process_.assign(process);
        input_.assign(asio::local::stream_protocol(), input.ours.release());
        output_.assign(output.ours.release());
        errors_.assign(errors.ours.release());
        write_input();
        read_output();
        read_errors();
        wait_for_exit();
        wait_for_deadline();
    }

    void on_done(std::function<void()> resume, asio::cancellation_slot slot) {
        done_ = std::move(resume);
        slot_ = slot;
        if (slot_.is_connected()) {
            slot_.assign([self = weak_from_this()](asio::cancellation_type) {
                if (const auto running = self.lock()) running->cancel();
            });
        }
        complete_if_done();
    }

    bool cancelled() const { return cancelled_; }
    LimitedProcess::Result take_result() { return std::move(result_); }

  private:
    void kill() {
        if (!exited_) ::kill(-pid_, SIGKILL);
    }

    void cancel() {
        cancelled_ = true;
        stop_with(LimitedProcess::End::timed_out);
    }

    // Kills, and stops listening to pipes that some grandchild might hold open.
    void stop_with(LimitedProcess::End end) {
        if (!ended_early_) result_.end = end;
        ended_early_ = true;
        kill();
        error_code ignored;
        output_.cancel(ignored);
        errors_.cancel(ignored);
    }

    void write_input() {
        asio::async_write(
            input_, asio::buffer(options_.input), [self = shared_from_this()](error_code, std::size_t) {
                error_code ignored;
                self->input_.close(
                    ignored);  // the end of file; a program that stopped reading early is not an error
            });
    }

    void read_output() {
        output_.async_read_some(
            asio::buffer(output_chunk_), [self = shared_from_this()](error_code error, std::size_t size) {
                if (error) {
                    self->output_ended_ = true;
                    return self->complete_if_done();
                }
                if (self->result_.output.size() + size > self->options_.output_bytes_max) {
                    self->output_ended_ = true;
                    self->stop_with(LimitedProcess::End::output_too_long);
                    return self->complete_if_done();
                }
                self->result_.output.append(self->output_chunk_.data(), size);
                self->ended_early_ ? self->end_output() : self->read_output();
            });
    }
    void end_output() {
        output_ended_ = true;
        complete_if_done();
    }

    void read_errors() {
        errors_.async_read_some(asio::buffer(error_chunk_),
                                [self = shared_from_this()](error_code error, std::size_t size) {
                                    auto& tail = self->result_.error_tail;
                                    tail.append(self->error_chunk_.data(), error ? 0 : size);
                                    if (tail.size() > error_tail_bytes_max)
                                        tail.erase(0, tail.size() - error_tail_bytes_max);
                                    if (!error && !self->ended_early_) return self->read_errors();
                                    self->errors_ended_ = true;
                                    self->complete_if_done();
                                });
    }

    void wait_for_exit() {
        process_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](error_code) {
            self->reap();
            self->complete_if_done();
        });
    }

    void reap() {
        ::kill(-pid_,
               SIGKILL);  // what it left behind in its group; before reaping, while the id is still ours
        siginfo_t info{};
        while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
        }
        exited_ = true;
        const bool by_itself = info.si_code == CLD_EXITED;
        result_.exit_code = by_itself ? info.si_status : 128 + info.si_status;
        if (!ended_early_)
            result_.end = by_itself ? LimitedProcess::End::exited : LimitedProcess::End::killed;
    }

    void wait_for_deadline() {
        deadline_.expires_after(options_.deadline);
        deadline_.async_wait([self = shared_from_this()](error_code error) {
            if (!error) self->stop_with(LimitedProcess::End::timed_out);
        });
    }

    void complete_if_done() {
        if (!done_ || !exited_ || !output_ended_ || !errors_ended_) return;
        deadline_.cancel();
        error_code ignored;
        input_.close(ignored);
        if (slot_.is_connected()) slot_.clear();
        asio::post(input_.get_executor(), std::exchange(done_, nullptr));
    }

    LimitedProcess::Options options_;
    asio::local::stream_protocol::socket input_;
    asio::posix::stream_descriptor output_;
    asio::posix::stream_descriptor errors_;
    asio::posix::stream_descriptor process_;
    asio::steady_timer deadline_;
    pid_t pid_ = -1;
    bool exited_ = false;
    bool output_ended_ = false;
    bool errors_ended_ = false;
    bool ended_early_ = false;
    bool cancelled_ = false;
    std::array<char, 16 * 1024> output_chunk_{};
    std::array<char, 1024> error_chunk_{};
    LimitedProcess::Result result_;
    std::function<void()> done_;
    asio::cancellation_slot slot_;
};

}  // namespace

asio::awaitable<LimitedProcess::Result> LimitedProcess::run(Options options) {
    if (options.argv.empty())
        throw Error(ErrorCode::internal, "Something went wrong.", {.detail = "empty argv"});
    auto running = std::make_shared<Running>(co_await asio::this_coro::executor, std::move(options));
    running->start();
    co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(
        [running](auto handler) {
            const auto slot = asio::get_associated_cancellation_slot(handler);
            auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
            running->on_done([waiting] { std::move (*waiting)(); }, slot);
        },
        asio::use_awaitable);
    if (running->cancelled()) throw boost::system::system_error(asio::error::operation_aborted);
    co_return running->take_result();
}

}  // namespace spaktok::media
