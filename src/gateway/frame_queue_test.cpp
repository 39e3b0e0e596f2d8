#include "gateway/frame_queue.h"

#include <array>
#include <deque>

#include <gtest/gtest.h>

#include "base/random.h"

namespace spaktok::gateway {
namespace {

std::string gathered(const FrameQueue& queue, std::size_t buffers_max = 1000) {
    std::vector<iovec> buffers(buffers_max);
    std::string text;
    for (std::size_t i = 0, count = queue.gather(buffers); i < count; ++i) {
        text.append(static_cast<const char*>(buffers[i].iov_base), buffers[i].iov_len);
    }
    return text;
}

TEST(FrameQueue, GathersFromTheFrontAndForgetsWhatWasWritten) {
    FrameQueue queue;
    queue.push(Frame("Hello"));
    queue.push(Frame(", "));
    queue.push(Frame("world"));
    EXPECT_EQ(queue.bytes(), 12u);
    EXPECT_EQ(gathered(queue), "Hello, world");
    EXPECT_EQ(gathered(queue, 2), "Hello, ");
    queue.consume(3);
    EXPECT_EQ(gathered(queue), "lo, world");
    queue.consume(2);
    EXPECT_EQ(gathered(queue), ", world");
    queue.consume(7);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.bytes(), 0u);
}

TEST(FrameQueue, KeepsOnlyTheFrameThatIsHalfOut) {
    FrameQueue untouched;
    untouched.push(Frame("one"));
    untouched.push(Frame("two"));
    untouched.drop_unwritten();
    EXPECT_TRUE(untouched.empty());

    FrameQueue begun;
    begun.push(Frame("one"));
    begun.push(Frame("two"));
    begun.push(Frame("three"));
    begun.consume(4);
    begun.drop_unwritten();
    EXPECT_EQ(gathered(begun), "wo");
    EXPECT_EQ(begun.bytes(), 2u);
    begun.push(Frame("end"));
    EXPECT_EQ(gathered(begun), "woend");
}

TEST(FrameQueue, SharesBytesBetweenQueues) {
    const Frame frame(std::string(1000, 'x'));
    FrameQueue first;
    FrameQueue second;
    first.push(frame);
    second.push(frame);
    std::array<iovec, 1> one{};
    std::array<iovec, 1> other{};
    first.gather(one);
    second.gather(other);
    EXPECT_EQ(one[0].iov_base, other[0].iov_base);
    first.clear();
    EXPECT_EQ(gathered(second), std::string(1000, 'x'));
}

TEST(FrameQueue, LosesNoByteHoweverItIsWritten) {
    SeededRandom random(99);
    FrameQueue queue;
    std::string expected;
    std::string written;
    for (int round = 0; round < 5000; ++round) {
        for (std::uint64_t i = random.below(4); i > 0; --i) {
            std::string bytes(1 + random.below(20), static_cast<char>('a' + random.below(26)));
            expected += bytes;
            queue.push(Frame(std::move(bytes)));
        }
        const std::size_t part = random.below(queue.bytes() + 1);
        written += gathered(queue, 100'000).substr(0, part);
        queue.consume(part);
        ASSERT_EQ(queue.bytes(), expected.size() - written.size());
    }
    written += gathered(queue, 100'000);
    EXPECT_EQ(written, expected);
}

}  // namespace
}  // namespace spaktok::gateway
