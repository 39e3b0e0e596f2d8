#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <future>
#include <mutex>
#include <stdexcept>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "engines/testing/testing.h"

namespace spaktok::engines::testing {

namespace fs = std::filesystem;

FolderPlace::FolderPlace(std::string scheme, std::string name)
    : scheme_(std::move(scheme)), name_(std::move(name)) {
    std::string pattern = (fs::temp_directory_path() / "spaktok-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    folder_ = pattern;
}

FolderPlace::~FolderPlace() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

fs::path FolderPlace::path() const {
    return name_.empty() ? folder_ : folder_ / name_;
}

namespace {
struct Stock {
    std::mutex mutex;
    std::vector<std::unique_ptr<boost::asio::io_context>> contexts;
};
Stock& stock() {
    static Stock all;
    return all;
}
}  // namespace

BorrowedContext::BorrowedContext() {
    Stock& from = stock();
    {
        const std::scoped_lock lock(from.mutex);
        if (!from.contexts.empty()) {
            context_ = std::move(from.contexts.back());
            from.contexts.pop_back();
        }
    }
    if (context_ == nullptr) context_ = std::make_unique<boost::asio::io_context>(1);
}

BorrowedContext::~BorrowedContext() {
    context_->restart();
    Stock& back = stock();
    const std::scoped_lock lock(back.mutex);
    back.contexts.push_back(std::move(context_));
}

void run(boost::asio::awaitable<void> work) {
    BorrowedContext context;
    std::exception_ptr thrown;
    boost::asio::co_spawn(*context, std::move(work), [&](std::exception_ptr error) { thrown = error; });
    context->run();
    if (thrown) std::rethrow_exception(thrown);
}

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

ContextThread::ContextThread() : guard_(context_.get_executor()), thread_([this] { context_.run(); }) {}

ContextThread::~ContextThread() {
    guard_.reset();
    thread_.join();
}

void ContextThread::run(boost::asio::awaitable<void> work) {
    std::promise<std::exception_ptr> done;
    boost::asio::co_spawn(context_, std::move(work),
                          [&](std::exception_ptr error) { done.set_value(error); });
    if (const auto thrown = done.get_future().get()) std::rethrow_exception(thrown);
}

void ContextThread::call(std::function<void()> work) {
    std::promise<void> done;
    boost::asio::post(context_, [&] {
        work();
        done.set_value();
    });
    done.get_future().wait();
}

void ContextThread::settle() {
    call([] {});
}

void in_parallel(int threads, const std::function<void(int)>& body) {
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) {
        running.emplace_back([&body, i] { body(i); });
    }
    for (auto& thread : running)
        thread.join();
}

namespace {

[[noreturn]] void run_child(int pipe,
                            const std::function<void(const std::function<void(std::int64_t)>&)>& work) {
    // The descriptors in them are shared with the parent: the child makes contexts of its own.
    for (auto& context : stock().contexts)
        static_cast<void>(context.release());
    stock().contexts.clear();
    try {
        work([pipe](std::int64_t number) {
            // At most PIPE_BUF: written whole or not at all.
            if (::write(pipe, &number, sizeof number) != sizeof number) ::_exit(1);
        });
    } catch (...) {
        ::_exit(2);
    }
    ::_exit(3);  // the work was to go on until killed
}

}  // namespace

std::vector<std::int64_t> reported_before_kill(
    std::size_t reports_min, const std::function<void(const std::function<void(std::int64_t)>&)>& work) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) {
        ::close(ends[0]);
        run_child(ends[1], work);
    }
    ::close(ends[1]);
    std::vector<std::int64_t> reported;
    bool killed = false;
    // After the kill the pipe still holds what was reported before: all of it counts.
    for (std::int64_t number = 0;;) {
        const auto count = ::read(ends[0], &number, sizeof number);
        if (count < 0 && errno == EINTR) continue;
        if (count != sizeof number) break;
        reported.push_back(number);
        if (reported.size() >= reports_min && !std::exchange(killed, true)) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, with " << status;
    return reported;
}

}  // namespace spaktok::engines::testing
