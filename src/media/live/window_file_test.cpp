#include "media/live/window_file.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "media/cmaf/testing.h"

namespace spaktok::media {
namespace {

using namespace std::chrono_literals;

http::SharedBytes bytes(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

Broadcast::Kept example() {
    SeededRandom random(7);
    Broadcast::Kept kept;
    kept.publication = {StreamId::make(from_unix_milliseconds(1), random),
                        UserId::make(from_unix_milliseconds(2), random)};
    kept.started_at = from_unix_milliseconds(1'769'846'400'123);
    kept.thumbnails = {"thumbnails/a/2.jpg", "thumbnails/a/1.jpg"};
    auto& contents = kept.contents;
    contents.timelines[4] = {
        bytes("init 4"), "avc1.64001f", 640, 360, 5s, from_unix_milliseconds(99), 60, 2s};
    contents.timelines[5] = {bytes("init 5"), "opus", 0, 0, 7s, from_unix_milliseconds(98), 0, 2s};
    for (std::int64_t i = 0; i < 4; ++i) {
        hls::Segment segment{.sequence = 10 + i, .timeline = i < 2 ? 4 : 5, .start = 5s + i * 2s};
        for (int part = 0; part < 3; ++part) {
            segment.parts.push_back(
                {http::BodyPart(bytes("part " + std::to_string(i * 10 + part))), 600ms, part == 0});
            segment.duration += 600ms;
            segment.bytes += segment.parts.back().bytes.length;
        }
        contents.segments.push_back(std::move(segment));
    }
    contents.target_duration_seconds = 2;
    contents.part_target = 660ms;
    return kept;
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

TEST(WindowFile, GivesBackWhatWasKept) {
    const auto kept = example();
    const auto read = decode_kept(encode(kept));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->publication.stream_id, kept.publication.stream_id);
    EXPECT_EQ(read->publication.user_id, kept.publication.user_id);
    EXPECT_EQ(read->started_at, kept.started_at);
    EXPECT_EQ(read->thumbnails.newest, kept.thumbnails.newest);
    EXPECT_EQ(read->thumbnails.older, kept.thumbnails.older);
    const auto& contents = read->contents;
    EXPECT_EQ(contents.target_duration_seconds, 2);
    EXPECT_EQ(contents.part_target, 660ms);
    EXPECT_EQ(contents.next_sequence, 14);
    EXPECT_EQ(contents.next_timeline, 6);
    ASSERT_EQ(contents.timelines.size(), 2U);
    EXPECT_EQ(*contents.timelines.at(4).init, "init 4");
    EXPECT_EQ(contents.timelines.at(4).wall_start, from_unix_milliseconds(99));
    EXPECT_EQ(contents.timelines.at(5).codecs, "opus");
    ASSERT_EQ(contents.segments.size(), 4U);
    EXPECT_EQ(contents.segments[3].timeline, 5);
    EXPECT_EQ(contents.segments[3].duration, 1800ms);
    EXPECT_EQ(contents.segments[3].parts[2].bytes.text(), "part 32");
    EXPECT_TRUE(contents.segments[3].parts[0].independent);
    EXPECT_FALSE(contents.segments[3].parts[1].independent);
    EXPECT_EQ(encode(*read), encode(kept));
}

TEST(WindowFile, NothingThatWasCutOrChangedIsRead) {
    const auto good = encode(example());
    for (std::size_t size = 0; size < good.size(); ++size)
        ASSERT_FALSE(decode_kept(std::string_view(good).substr(0, size)));
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto changed = good;
        changed[i] = static_cast<char>(changed[i] ^ 0x20);
        ASSERT_FALSE(decode_kept(changed)) << i;
    }
    EXPECT_FALSE(decode_kept(good + "x"));
}

TEST(WindowFile, NoInvariantOfAWindowIsBelievedToHold) {
    struct Row {
        const char* what;
        std::function<void(hls::Contents&)> spoil;
    };
    const Row rows[] = {
        {"no segment", [](auto& contents) { contents.segments.clear(); }},
        {"a number left out", [](auto& contents) { contents.segments[2].sequence = 20; }},
        {"a timeline that is not there", [](auto& contents) { contents.timelines.erase(5); }},
        {"timelines going back", [](auto& contents) { contents.segments[3].timeline = 4; }},
        {"no parts", [](auto& contents) { contents.segments[1].parts.clear(); }},
        {"an empty part",
         [](auto& contents) { contents.segments[1].parts[1].bytes = http::BodyPart(bytes("")); }},
        {"a part without duration", [](auto& contents) { contents.segments[1].parts[1].duration = 0s; }},
        {"a part of two hours", [](auto& contents) { contents.segments[1].parts[1].duration = 2h; }},
        {"a negative start", [](auto& contents) { contents.segments[1].start = -1s; }},
        {"no target duration", [](auto& contents) { contents.target_duration_seconds = 0; }},
        {"a target duration of two minutes", [](auto& contents) { contents.target_duration_seconds = 120; }},
        {"a picture too wide", [](auto& contents) { contents.timelines[4].width = 16'385; }},
    };
    for (const auto& row : rows) {
        auto kept = example();
        row.spoil(kept.contents);
        EXPECT_FALSE(decode_kept(encode(kept))) << row.what;
    }
}

TEST(WindowFile, IsTakenOnce) {
    const testing::TemporaryDirectory directory;
    const auto state = directory.file("live/state");
    write_kept(state, example());
    EXPECT_EQ(take_kept(state, {.bytes_max = 1 << 20}).size(), 1U);
    EXPECT_TRUE(std::filesystem::is_empty(state));
    EXPECT_TRUE(take_kept(state, {.bytes_max = 1 << 20}).empty());
    EXPECT_TRUE(take_kept(directory.file("nowhere"), {.bytes_max = 1 << 20}).empty());
}

TEST(WindowFile, JunkIsLeftOutAndTakenAway) {
    const testing::TemporaryDirectory directory;
    write_kept(directory.path(), example());
    write_file(directory.file("empty.window"), "");
    write_file(directory.file("junk.window"), "junk");
    write_file(directory.file("half.window.new"), encode(example()).substr(0, 40));
    std::filesystem::create_directory(directory.file("directory.window"));
    write_file(directory.file("notes.txt"), "not ours");
    EXPECT_EQ(take_kept(directory.path(), {.bytes_max = 1 << 20}).size(), 1U);
    EXPECT_TRUE(std::filesystem::exists(directory.file("notes.txt")));
    EXPECT_FALSE(std::filesystem::exists(directory.file("junk.window")));
    EXPECT_FALSE(std::filesystem::exists(directory.file("half.window.new")));
}

TEST(WindowFile, LongerFilesThanAllowedAreJunk) {
    const testing::TemporaryDirectory directory;
    const auto size = encode(example()).size();
    write_kept(directory.path(), example());
    EXPECT_EQ(take_kept(directory.path(), {.bytes_max = size}).size(), 1U);
    write_kept(directory.path(), example());
    EXPECT_TRUE(take_kept(directory.path(), {.bytes_max = size - 1}).empty());
}

}  // namespace
}  // namespace spaktok::media
