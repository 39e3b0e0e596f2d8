#include "app/demo/broadcast.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace spaktok::demo {
namespace {

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

TEST(Broadcast, IsStartedAgainWhenItEnds) {
    const Broadcast broadcast({"sh", "-c", "exit 1"});
    EXPECT_TRUE(eventually([&] { return broadcast.starts() >= 2; }));
}

TEST(Broadcast, EndsItsProcess) {
    const auto file =
        std::filesystem::temp_directory_path() / ("spaktok-broadcast-" + std::to_string(::getpid()));
    pid_t child = 0;
    {
        const Broadcast broadcast({"sh", "-c", "echo $$ > \"$0\"; exec sleep 1000", file.string()});
        EXPECT_TRUE(eventually([&] { return std::ifstream(file) >> child && child > 0; }));
    }
    EXPECT_EQ(::kill(child, 0), -1) << "reaped, so there is no such process any more";
    std::filesystem::remove(file);
}

TEST(Broadcast, ArgumentsEndWithTheAddress) {
    const auto arguments = broadcast_arguments(
        {.ffmpeg = "/opt/ffmpeg", .picture = "testsrc", .sound = "0", .url = "rtmp://127.0.0.1/live/key"});
    EXPECT_EQ(arguments.front(), "/opt/ffmpeg");
    EXPECT_EQ(arguments.back(), "rtmp://127.0.0.1/live/key");
    EXPECT_NE(std::ranges::find(arguments, "testsrc"), arguments.end());
}

}  // namespace
}  // namespace spaktok::demo
