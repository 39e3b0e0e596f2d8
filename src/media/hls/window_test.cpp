#include "media/hls/window.h"

#include <atomic>
#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/hls/testing.h"
#include "media/live/testing.h"

namespace spaktok::media::hls {
namespace {

using namespace std::chrono_literals;
using media::testing::FragmentSource;
using ::testing::HasSubstr;
using ::testing::Not;

class WindowTest : public ::testing::Test {
  protected:
    std::shared_ptr<Window> make(WindowOptions options = {}) {
        auto window = std::make_shared<Window>(options, Window::First{100, 5}, threads_);
        window->begin_timeline(media::testing::timeline_start(), from_unix_milliseconds(0));
        return window;
    }
    static std::string text(const Window& window) {
        const auto playlist = window.playlist(Window::Encoding::plain);
        return playlist ? *playlist : "";
    }
    IoThreads threads_{1};
    FragmentSource source_;
};

TEST_F(WindowTest, HasNoPlaylistBeforeASegmentIsComplete) {
    const auto window = make();
    EXPECT_FALSE(window->has_parts());
    EXPECT_EQ(window->master_playlist("m"), "");
    window->add(source_.next({.independent = true}));
    EXPECT_TRUE(window->has_parts());
    EXPECT_NE(window->master_playlist("m"), "");
    EXPECT_EQ(window->playlist(Window::Encoding::plain), nullptr);
    window->add(source_.next({.before_keyframe = true}));
    EXPECT_THAT(text(*window), HasSubstr("#EXTINF:1.00000,\n100.m4s\n"));
}

TEST_F(WindowTest, CutsTheFirstSegmentAtTheFirstKeyframeAndLaterOnesAtTheTarget) {
    const auto window = make({.segment_target = 2s});
    for (int i = 0; i < 5; ++i)
        window->add(source_.next({.duration = 1s, .independent = true, .before_keyframe = true}));
    const auto contents = window->contents();
    ASSERT_EQ(contents.segments.size(), 3U);
    EXPECT_EQ(contents.segments[0].duration, 1s);
    EXPECT_EQ(contents.segments[1].duration, 2s);
    EXPECT_EQ(contents.segments[2].duration, 2s);
}

TEST_F(WindowTest, ChoosesItsTargetsByTheFirstSegmentAndKeepsThem) {
    const auto window = make({.fragment_target = 300ms, .segment_target = 2s});
    source_.add_segment(*window, 9, {.duration = 500ms});
    EXPECT_EQ(window->target_duration_seconds(), 5) << "4.5 s rounds up";
    EXPECT_EQ(window->contents().part_target, 500ms);
    source_.add_segment(*window, 2, {.duration = 1s});
    EXPECT_EQ(window->target_duration_seconds(), 5);
    EXPECT_EQ(window->contents().part_target, 500ms);
}

TEST_F(WindowTest, NoSegmentPassesTheTargetDuration) {
    const auto window = make({.segment_target = 2s});
    source_.add_segment(*window, 4);   // target: 2 s
    source_.add_segment(*window, 30);  // 15 s without a keyframe
    for (const auto& segment : window->contents().segments)
        EXPECT_LT(segment.duration, 2'500ms);
    EXPECT_THAT(text(*window), Not(HasSubstr("INDEPENDENT-SEGMENTS")));
}

TEST_F(WindowTest, WithoutKeyframesTheFirstSegmentEndsToo) {
    const auto window = make({.segment_max = 10s});
    window->add(source_.next({.independent = true}));
    for (int i = 0; i < 20; ++i)
        window->add(source_.next({}));
    EXPECT_EQ(window->target_duration_seconds(), 10);
}

TEST_F(WindowTest, ListsWhatItsTimeAllowsAndKeepsAFewMore) {
    const auto window = make({.segment_target = 2s, .window = 10s, .unlisted_segments = 4});
    for (int i = 0; i < 20; ++i)
        source_.add_segment(*window);
    const auto contents = window->contents();
    EXPECT_EQ(contents.segments.size(), 5U + 4U);
    EXPECT_THAT(text(*window), HasSubstr("#EXT-X-MEDIA-SEQUENCE:115\n"));
    EXPECT_FALSE(window->segment(111).empty());
    EXPECT_TRUE(window->segment(110).empty());
    EXPECT_TRUE(window->segment(120).empty());
    EXPECT_EQ(contents.bytes, 9U * 400U + 4U);
}

TEST_F(WindowTest, NeverListsLessThanThreeSegments) {
    const auto window = make({.segment_target = 2s, .window = 1s});
    for (int i = 0; i < 10; ++i)
        source_.add_segment(*window);
    EXPECT_THAT(text(*window), HasSubstr("#EXT-X-MEDIA-SEQUENCE:107\n"));
}

TEST_F(WindowTest, HoldsNoMoreBytesThanItMay) {
    // Init segment and eleven segments of four parts: exactly at the limit, and one byte past it.
    const auto at_limit = make({.bytes_max = 4 + 11 * 4 * 1000});
    for (int i = 0; i < 11; ++i)
        source_.add_segment(*at_limit, 4, {.bytes = 1000});
    EXPECT_EQ(at_limit->contents().segments.size(), 11U);
    const auto past = make({.bytes_max = 4 + 11 * 4 * 1000 - 1});
    for (int i = 0; i < 11; ++i)
        source_.add_segment(*past, 4, {.bytes = 1000});
    EXPECT_EQ(past->contents().segments.size(), 10U);
}

TEST_F(WindowTest, ASegmentThatGrowsTooBigIsCut) {
    const auto window = make({.bytes_max = 40'000});
    source_.add_segment(*window, 12, {.duration = 100ms, .bytes = 5'000});
    EXPECT_LE(window->contents().bytes, 40'000U);
    for (const auto& segment : window->contents().segments)
        EXPECT_LE(segment.bytes, 10'000U);
}

TEST_F(WindowTest, ANewTimelineIsOneDiscontinuity) {
    const auto window = make();
    source_.add_segment(*window);
    window->add(source_.next({.independent = true}));
    window->close_segment();
    window->begin_timeline(media::testing::timeline_start(), from_unix_milliseconds(0));
    window->begin_timeline(media::testing::timeline_start(),
                           from_unix_milliseconds(0));  // the first was not used
    source_.add_segment(*window);
    EXPECT_THAT(text(*window), HasSubstr("101.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-6.mp4\"\n"));
    EXPECT_EQ(window->contents().timelines.size(), 2U);
}

TEST_F(WindowTest, TimelinesGoWithTheirLastSegment) {
    const auto window = make({.segment_target = 2s, .window = 4s, .unlisted_segments = 0});
    for (int i = 0; i < 20; ++i) {
        source_.add_segment(*window);
        window->begin_timeline(media::testing::timeline_start(), from_unix_milliseconds(0));
    }
    EXPECT_LE(window->contents().timelines.size(), 5U);
    EXPECT_EQ(window->init(5), nullptr);
    EXPECT_NE(window->init(23), nullptr);
}

TEST_F(WindowTest, FindsSegmentsAndPartsByNumber) {
    const auto window = make();
    source_.add_segment(*window);
    window->add(source_.next({.independent = true}));
    EXPECT_EQ(window->segment(100).size(), 4U);
    EXPECT_EQ(window->part(100, 3), window->segment(100)[3]);
    EXPECT_EQ(window->part(100, 4), std::nullopt);
    EXPECT_NE(window->part(101, 0), std::nullopt);
    EXPECT_EQ(window->part(101, 1), std::nullopt);
    EXPECT_EQ(window->part(99, 0), std::nullopt);
    EXPECT_EQ(window->part(102, 0), std::nullopt);
    EXPECT_TRUE(window->segment(101).empty()) << "it is being written";
}

TEST_F(WindowTest, LargePartsLieInAFileAndSmallOnesDoNot) {
    const auto window = make();
    window->add(source_.next({.bytes = 32 * 1024 - 1, .independent = true}));
    window->add(source_.next({.bytes = 32 * 1024}));
    const auto small = window->part(100, 0);
    const auto large = window->part(100, 1);
    EXPECT_EQ(small->extent, nullptr);
    EXPECT_NE(large->extent, nullptr);
    EXPECT_EQ(small->text(), std::string(32 * 1024 - 1, 'a'));
    EXPECT_EQ(large->text(), std::string(32 * 1024, 'b'));
    EXPECT_EQ(window->contents().bytes - window->init(5)->size(), 64 * 1024 - 1U);
}

TEST_F(WindowTest, ThePlaylistIsMadeOncePerChange) {
    const auto window = make();
    source_.add_segment(*window);
    const auto first = window->playlist(Window::Encoding::plain);
    EXPECT_EQ(window->playlist(Window::Encoding::plain), first);
    const auto zipped = window->playlist(Window::Encoding::gzip);
    EXPECT_EQ(window->playlist(Window::Encoding::gzip), zipped);
    EXPECT_TRUE(zipped->starts_with("\x1F\x8B"));
    window->add(source_.next({.independent = true}));
    EXPECT_NE(window->playlist(Window::Encoding::plain), first);
    EXPECT_NE(window->playlist(Window::Encoding::gzip), zipped);
}

TEST_F(WindowTest, NewestPictureIsTheNewestKeyframe) {
    const auto window = make();
    EXPECT_FALSE(window->newest_picture());
    source_.add_segment(*window);
    EXPECT_EQ(window->newest_picture()->part, window->part(100, 0));
    window->add(source_.next({.independent = true}));
    window->add(source_.next({}));
    EXPECT_EQ(window->newest_picture()->part, window->part(101, 0));
}

TEST_F(WindowTest, GoesOnFromKeptContents) {
    const auto before = make();
    source_.add_segment(*before);
    before->add(source_.next({.independent = true}));
    const auto after = std::make_shared<Window>(WindowOptions{}, before->contents(), threads_);
    EXPECT_THAT(text(*after), HasSubstr("100.m4s\n"));
    EXPECT_THAT(text(*after), HasSubstr("101.m4s\n")) << "what was open is complete";
    after->begin_timeline(media::testing::timeline_start(), from_unix_milliseconds(0));
    source_.add_segment(*after);
    EXPECT_THAT(text(*after), HasSubstr("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-6.mp4\"\n"));
    EXPECT_THAT(text(*after), HasSubstr("102.m4s\n"));
}

TEST_F(WindowTest, MarksAreReachedExactlyWhenTheThingIsThere) {
    const auto window = make();
    const auto arrived = [&](std::uint64_t mark) { return window->arrivals().now() >= mark; };
    EXPECT_FALSE(arrived(Window::mark_of_anything));
    window->add(source_.next({.independent = true}));
    EXPECT_TRUE(arrived(Window::mark_of_anything));
    EXPECT_TRUE(arrived(Window::mark_of_part(100, 0)));
    EXPECT_FALSE(arrived(Window::mark_of_part(100, 1)));
    EXPECT_FALSE(arrived(Window::mark_of_segment(100)));
    window->add(source_.next({.before_keyframe = true}));
    EXPECT_TRUE(arrived(Window::mark_of_part(100, 1)));
    EXPECT_TRUE(arrived(Window::mark_of_segment(100)));
    EXPECT_TRUE(arrived(Window::mark_of_part(100, 7))) << "beyond a complete segment: nothing to wait for";
    EXPECT_FALSE(arrived(Window::mark_of_part(101, 0)));
    window->end();
    EXPECT_TRUE(arrived(Window::mark_of_segment(1'000'000)));
}

TEST(WindowConcurrent, ReadersWhileItIsWritten) {
    media::testing::Threads threads(2);
    const auto window = std::make_shared<Window>(WindowOptions{.window = 4s, .bytes_max = 20'000},
                                                 Window::First{}, threads.io());
    std::atomic<bool> done{false};
    std::vector<std::thread> readers;
    std::atomic<int> read{0};
    for (int reader = 0; reader < 2; ++reader) {
        readers.emplace_back([&] {
            while (!done) {
                const auto text =
                    window->playlist(read % 2 == 0 ? Window::Encoding::plain : Window::Encoding::gzip);
                const auto live = window->live_sequence();
                for (std::int64_t sequence = live - 5; sequence <= live; ++sequence) {
                    for (const auto& part : window->segment(sequence))
                        read += static_cast<int>(part.length > 0);
                    if (const auto part = window->part(sequence, 1))
                        read += part->text().front() >= 'a' ? 1 : 0;
                }
                if (const auto picture = window->newest_picture()) read += picture->part.length == 0 ? 0 : 1;
                window->master_playlist("m");
            }
        });
    }
    FragmentSource source;
    for (int i = 0; i < 300 || read == 0; ++i) {
        if (i % 50 == 0) window->begin_timeline(media::testing::timeline_start(), from_unix_milliseconds(0));
        source.add_segment(*window, 3);
    }
    done = true;
    for (auto& reader : readers)
        reader.join();
    EXPECT_GT(read, 0);
}

TEST(ArrivalsConcurrent, EveryWaiterIsWokenOnceWhatItWaitsForIsThere) {
    media::testing::Threads threads(2);
    const auto arrivals = std::make_shared<Arrivals>(threads.io(), 10'000);
    std::vector<std::future<bool>> waiters;
    for (std::size_t i = 0; i < 1'000; ++i) {
        waiters.push_back(threads.start(arrivals->wait(1 + i % 10, media::testing::patience), i % 2));
    }
    for (std::uint64_t mark = 1; mark <= 10; ++mark) {
        arrivals->advance(mark);
        for (std::size_t i = mark - 1; i < waiters.size(); i += 10)
            EXPECT_TRUE(media::testing::get(std::move(waiters[i])));
    }
    EXPECT_TRUE(media::testing::eventually([&] { return arrivals->waiting() == 0; }));
}

TEST(Arrivals, ADeadlineEndsTheWait) {
    media::testing::Threads threads(1);
    const auto arrivals = std::make_shared<Arrivals>(threads.io(), 10);
    EXPECT_FALSE(threads.run(arrivals->wait(1, 50ms)));
    EXPECT_EQ(arrivals->waiting(), 0U);
    arrivals->advance(1);
    EXPECT_TRUE(threads.run(arrivals->wait(1, 50ms)));
}

TEST(Arrivals, RefusesOneMoreThanMayWait) {
    media::testing::Threads threads(1);
    const auto arrivals = std::make_shared<Arrivals>(threads.io(), 3);
    std::vector<std::future<bool>> waiters;
    for (int i = 0; i < 3; ++i)
        waiters.push_back(threads.start(arrivals->wait(1, media::testing::patience)));
    ASSERT_TRUE(media::testing::eventually([&] { return arrivals->waiting() == 3; }));
    try {
        threads.run(arrivals->wait(1, media::testing::patience));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
    }
    arrivals->advance(1);
    for (auto& waiter : waiters)
        EXPECT_TRUE(media::testing::get(std::move(waiter)));
}

TEST(Arrivals, ACancelledWaiterLeavesItsPlace) {
    media::testing::Threads threads(1);
    const auto arrivals = std::make_shared<Arrivals>(threads.io(), 10);
    boost::asio::cancellation_signal signal;
    std::promise<bool> failed;
    threads.on(0, [&] {
        boost::asio::co_spawn(
            threads.context(), arrivals->wait(1, media::testing::patience),
            boost::asio::bind_cancellation_slot(
                signal.slot(), [&](std::exception_ptr error, bool) { failed.set_value(error != nullptr); }));
    });
    ASSERT_TRUE(media::testing::eventually([&] { return arrivals->waiting() == 1; }));
    threads.on(0, [&] { signal.emit(boost::asio::cancellation_type::terminal); });
    EXPECT_TRUE(media::testing::get(failed.get_future()));
    EXPECT_TRUE(media::testing::eventually([&] { return arrivals->waiting() == 0; }));
    arrivals->advance(1);
}

}  // namespace
}  // namespace spaktok::media::hls
