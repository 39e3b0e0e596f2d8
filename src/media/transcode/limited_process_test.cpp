#include "media/transcode/limited_process.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "media/live/testing.h"

namespace spaktok::media {
namespace {

using namespace std::chrono_literals;
using End = LimitedProcess::End;
using ::testing::HasSubstr;

LimitedProcess::Result run(LimitedProcess::Options options) {
    testing::Threads threads(1);
    return threads.run(LimitedProcess::run(std::move(options)));
}

TEST(LimitedProcess, GivesInputAndTakesOutput) {
    const std::string megabyte(1 << 20, 'x');
    const auto result = run({.argv = {"cat"}, .input = megabyte});
    EXPECT_TRUE(result.succeeded());
    EXPECT_EQ(result.output, megabyte);
}

TEST(LimitedProcess, TellsHowItEnded) {
    const auto failed = run({.argv = {"sh", "-c", "echo why >&2; exit 3"}});
    EXPECT_EQ(failed.end, End::exited);
    EXPECT_EQ(failed.exit_code, 3);
    EXPECT_EQ(failed.error_tail, "why\n");
    const auto killed = run({.argv = {"sh", "-c", "kill -SEGV $$"}});
    EXPECT_EQ(killed.end, End::killed);
    EXPECT_EQ(killed.exit_code, 128 + 11);
    EXPECT_FALSE(killed.succeeded());
}

TEST(LimitedProcess, AProgramThatDoesNotReadItsInputIsNoError) {
    const auto result = run({.argv = {"true"}, .input = std::string(4 << 20, 'x')});
    EXPECT_TRUE(result.succeeded());
}

TEST(LimitedProcess, AProgramThatIsNotThereIsUnavailable) {
    try {
        run({.argv = {"/nonexistent/decoder"}});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
        EXPECT_THAT(error.detail(), HasSubstr("/nonexistent/decoder"));
    }
}

TEST(LimitedProcess, OutputEndsAtItsLimit) {
    const auto at_limit = run({.argv = {"head", "-c", "1000", "/dev/zero"}, .output_bytes_max = 1000});
    EXPECT_TRUE(at_limit.succeeded());
    EXPECT_EQ(at_limit.output.size(), 1000U);
    const auto past = run({.argv = {"head", "-c", "1001", "/dev/zero"}, .output_bytes_max = 1000});
    EXPECT_EQ(past.end, End::output_too_long);
    EXPECT_LE(past.output.size(), 1000U);
    const auto endless = run({.argv = {"cat", "/dev/zero"}, .output_bytes_max = 1 << 20});
    EXPECT_EQ(endless.end, End::output_too_long);
}

TEST(LimitedProcess, KeepsOnlyTheTailOfItsErrors) {
    const auto result =
        run({.argv = {"sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x >&2; echo end >&2"}});
    EXPECT_EQ(result.error_tail.size(), 4096U);
    EXPECT_TRUE(result.error_tail.ends_with("end\n"));
}

TEST(LimitedProcess, IsKilledAtTheDeadlineWithAllItsChildren) {
    const auto begun = std::chrono::steady_clock::now();
    const auto result = run({.argv = {"sh", "-c", "sleep 100 & sleep 100"}, .deadline = 200ms});
    EXPECT_EQ(result.end, End::timed_out);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
}

TEST(LimitedProcess, LimitsAreInForce) {
    // `read` waits for the input, and by then the limits are there.
    const auto limits =
        run({.argv = {"sh", "-c", "read line; ulimit -t; ulimit -v; ulimit -f; ulimit -c; nice"},
             .input = "go\n",
             .cpu_max = 7s,
             .memory_bytes_max = 300 << 20,
             .file_bytes_max = 51'200});
    EXPECT_EQ(limits.output, "7\n307200\n100\n0\n10\n") << limits.error_tail;
    const auto file = run(
        {.argv = {"sh", "-c", "read line; head -c 10 /dev/zero > \"$0\"", "/tmp/never-written-by-spaktok"},
         .input = "go\n"});
    EXPECT_FALSE(file.succeeded());
    const auto busy = run({.argv = {"sh", "-c", "read line; while :; do :; done"},
                           .input = "go\n",
                           .deadline = 60s,
                           .cpu_max = 1s});
    EXPECT_EQ(busy.end, End::killed);
}

TEST(LimitedProcess, InheritsNothing) {
    const auto files = run({.argv = {"ls", "/proc/self/fd"}});
    EXPECT_EQ(files.output, "0\n1\n2\n3\n") << "3 is the directory that ls reads";
    const auto environment = run({.argv = {"env"}});
    EXPECT_THAT(environment.output, HasSubstr("LANG=C\n"));
    EXPECT_THAT(environment.output, ::testing::Not(HasSubstr("HOME=")));
}

TEST(LimitedProcess, CancellingKillsIt) {
    testing::Threads threads(1);
    boost::asio::cancellation_signal signal;
    std::promise<std::exception_ptr> done;
    boost::asio::post(threads.context(), [&] {
        boost::asio::co_spawn(
            threads.context(), LimitedProcess::run({.argv = {"sleep", "100"}, .deadline = 90s}),
            boost::asio::bind_cancellation_slot(
                signal.slot(),
                [&](std::exception_ptr error, const LimitedProcess::Result&) { done.set_value(error); }));
    });
    boost::asio::post(threads.context(), [&] { signal.emit(boost::asio::cancellation_type::terminal); });
    auto future = done.get_future();
    ASSERT_EQ(future.wait_for(20s), std::future_status::ready);
    EXPECT_NE(future.get(), nullptr);
}

TEST(LimitedProcessConcurrent, ManyAtOnceOnSeveralThreads) {
    testing::Threads threads(2);
    std::vector<std::future<LimitedProcess::Result>> results;
    for (std::size_t i = 0; i < 12; ++i) {
        results.push_back(boost::asio::co_spawn(
            threads.context(i % 2),
            LimitedProcess::run({.argv = {"cat"}, .input = std::string(100'000 + i, 'x')}),
            boost::asio::use_future));
    }
    for (std::size_t i = 0; i < results.size(); ++i)
        EXPECT_EQ(results[i].get().output.size(), 100'000 + i);
}

}  // namespace
}  // namespace spaktok::media
