#include "media/transcode/thumbnailer.h"

#include <gtest/gtest.h>

#include "base/task_group.h"
#include "media/cmaf/muxer.h"
#include "media/live/hub_testing.h"

namespace spaktok::media {
namespace {

using namespace std::chrono_literals;

hls::Window::Picture picture() {
    const auto& recording = testing::usual();
    cmaf::Muxer muxer({}, recording.video, recording.audio);
    for (const auto& unit : recording.units) {
        if (const auto fragment = muxer.push(unit)) return {muxer.init(), http::BodyPart(fragment->bytes)};
    }
    throw std::logic_error("no fragment");
}

class ThumbnailerTest : public ::testing::Test {
  protected:
    std::string make(Thumbnailer::Options options, hls::Window::Picture of) {
        Thumbnailer thumbnailer(std::move(options), blobs_, clock_);
        return threads_.run(thumbnailer.make(std::move(of)));
    }
    ErrorCode error(Thumbnailer::Options options, hls::Window::Picture of) {
        try {
            make(std::move(options), std::move(of));
        } catch (const Error& thrown) {
            return thrown.code();
        }
        return ErrorCode::internal;
    }
    testing::MemoryBlobs blobs_;
    SystemClock clock_;
    testing::Threads threads_{1};
};

TEST_F(ThumbnailerTest, MakesAJpegOfTheKeyframe) {
    const auto jpeg = make({}, picture());
    const testing::TemporaryDirectory directory;
    std::ofstream(directory.file("a.jpg"), std::ios::binary) << jpeg;
    const testing::OpenFile file(directory.file("a.jpg"));
    EXPECT_EQ(file.context->streams[0]->codecpar->width, 640);
    EXPECT_EQ(file.context->streams[0]->codecpar->height, 360);
}

TEST_F(ThumbnailerTest, WhatIsNoPictureIsAnError) {
    auto broken = picture();
    broken.part.length /= 8;
    EXPECT_EQ(error({}, broken), ErrorCode::unsupported_media);
    const auto junk = std::make_shared<const std::string>(100'000, 'x');
    EXPECT_EQ(error({}, {junk, http::BodyPart(junk)}), ErrorCode::unsupported_media);
    // A playlist in disguise would make ffmpeg open what it names.
    const auto playlist =
        std::make_shared<const std::string>("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n");
    EXPECT_EQ(error({}, {playlist, http::BodyPart(playlist)}), ErrorCode::unsupported_media);
}

TEST_F(ThumbnailerTest, WithoutFfmpegItIsUnavailable) {
    EXPECT_EQ(error({.ffmpeg = "/nonexistent/ffmpeg"}, picture()), ErrorCode::unavailable);
}

TEST_F(ThumbnailerTest, NoMoreAtOnceThanAllowed) {
    // A decoder that takes its time: it waits for the end of its input and then for a signal that only its
    // limits send.
    const testing::TemporaryDirectory directory;
    const auto slow = directory.file("slow");
    std::ofstream(slow) << "#!/bin/sh\nexec sleep 60\n";
    std::filesystem::permissions(slow, std::filesystem::perms::owner_all);
    auto thumbnailer = std::make_shared<Thumbnailer>(
        Thumbnailer::Options{.interval = 1ms, .ffmpeg = slow, .at_once_max = 2}, blobs_, clock_);
    testing::Threads threads(1);
    TaskGroup group(threads.context().get_executor(), "test");
    std::vector<std::unique_ptr<Thumbnailer::Keys>> keys;
    const auto window =
        std::make_shared<hls::Window>(hls::WindowOptions{}, hls::Window::First{}, threads.io());
    window->begin_timeline({.init = picture().init, .codecs = "avc1", .width = 320, .height = 180},
                           clock_.now());
    cmaf::Fragment fragment{
        .bytes = picture().part.bytes, .duration = 1s, .independent = true, .before_keyframe = true};
    window->add(fragment);
    for (int i = 0; i < 5; ++i) {
        keys.push_back(std::make_unique<Thumbnailer::Keys>());
        threads.on(0, [&] {
            group.spawn(thumbnailer->follow(StreamId{}, window, *keys.back(),
                                            [](std::string) -> boost::asio::awaitable<void> { co_return; }));
        });
    }
    EXPECT_TRUE(testing::eventually([&] { return thumbnailer->running() == 2; }));
    threads.on(0, [] {});  // all five have looked
    EXPECT_EQ(thumbnailer->running(), 2);
    threads.run(group.stop());  // kills the processes
    EXPECT_EQ(thumbnailer->running(), 0);
}

}  // namespace
}  // namespace spaktok::media
