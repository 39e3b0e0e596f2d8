#include "app/demo/broadcast.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot to say that these are C functions
}

#include "base/error.h"
#include "base/log.h"

namespace spaktok::demo {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds wait_first{1};
constexpr seconds wait_max{30};
constexpr seconds goodbye{2};

// After fork in a program of many threads: only calls that are safe in a signal handler.
[[noreturn]] void become(char* const* argv, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    constexpr int cannot_execute = 127;
    if (::getppid() != parent) ::_exit(cannot_execute);  // it died before the line above
    ::setpgid(0, 0);                                     // Ctrl+C is for the server, which then ends this
    constexpr int niceness = 5;                          // below whatever serves people
    ::setpriority(PRIO_PROCESS, 0, niceness);
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    ::close_range(3, ~0U, 0);
    ::execvp(argv[0], argv);
    ::_exit(cannot_execute);
}

bool readable_within(std::initializer_list<int> descriptors, milliseconds time) {
    std::vector<pollfd> polled;
    for (const int descriptor : descriptors)
        polled.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    return ::poll(polled.data(), polled.size(), static_cast<int>(time.count())) > 0;
}

}  // namespace

struct Broadcast::State {
    explicit State(std::vector<std::string> given) : argv(std::move(given)), stop(::eventfd(0, EFD_CLOEXEC)) {
        if (stop < 0) throw Error(ErrorCode::unavailable, "no file descriptor left");
    }
    ~State() { ::close(stop); }

    bool stopping_within(milliseconds time) const { return readable_within({stop}, time); }

    // The thread that forks must outlive the process: PR_SET_PDEATHSIG speaks of the thread.
    void supervise() {
        seconds wait = wait_first;
        while (!stopping_within(milliseconds(0))) {
            const auto begun = steady_clock::now();
            run_once();
            if (stopping_within(milliseconds(0))) return;
            if (steady_clock::now() - begun > wait_max) wait = wait_first;
            log::warning("demo broadcast ended; starting it again", {{"after_seconds", wait.count()}});
            if (stopping_within(wait)) return;
            wait = std::min(wait * 2, wait_max);
        }
    }

    void run_once() {
        std::vector<char*> words;
        words.reserve(argv.size() + 1);
        for (auto& word : argv)
            words.push_back(word.data());
        words.push_back(nullptr);
        const pid_t self = ::getpid();
        const pid_t child = ::fork();
        if (child == 0) become(words.data(), self);
        if (child < 0) {
            log::warning("demo broadcast not started", {{"errno", errno}});
            return;
        }
        ++starts;
        wait_for(child);
    }

    void wait_for(pid_t child) const {
        constexpr int forever = -1;
        const int process = ::pidfd_open(child, 0);
        if (process < 0) {
            ::kill(child, SIGKILL);
        } else {
            readable_within({process, stop}, milliseconds(forever));
            if (!readable_within({process}, milliseconds(0))) {
                ::kill(child, SIGTERM);
                if (!readable_within({process}, goodbye)) ::kill(child, SIGKILL);
            }
            ::close(process);
        }
        int status = 0;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    }

    std::vector<std::string> argv;
    int stop;
    std::atomic<int> starts{0};
    std::thread thread;
};

Broadcast::Broadcast(std::vector<std::string> argv) : state_(std::make_unique<State>(std::move(argv))) {
    state_->thread = std::thread([state = state_.get()] { state->supervise(); });
}

Broadcast::~Broadcast() {
    ::eventfd_write(state_->stop, 1);
    state_->thread.join();
}

int Broadcast::starts() const {
    return state_->starts;
}

std::vector<std::string> broadcast_arguments(const BroadcastSource& source) {
    const std::string gop = "50";  // two seconds at the pictures' 25 a second
    return {source.ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error",
            // In real time, small pictures and few threads: the demo is to be gentle to a laptop.
            "-filter_threads", "1", "-re", "-f", "lavfi", "-i", source.picture, "-re", "-f", "lavfi", "-i",
            "aevalsrc=exprs='" + source.sound + "':s=44100:c=mono", "-c:v", "libx264", "-preset", "ultrafast",
            "-tune", "zerolatency", "-threads", "1", "-g", gop, "-keyint_min", gop, "-sc_threshold", "0",
            "-b:v", "1800k", "-maxrate", "2200k", "-bufsize", "2200k", "-pix_fmt", "yuv420p", "-c:a", "aac",
            "-b:a", "96k", "-ac", "2", "-f", "flv", source.url};
}

}  // namespace spaktok::demo
