#include "features/streams/stream.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace spaktok::streams {
namespace {

const Timestamp now = *parse_rfc3339("2026-01-31T12:00:00Z");

class StreamRules : public testing::Test {
  protected:
    Stream make(Status status, std::optional<Timestamp> scheduled_for = std::nullopt) {
        made_ += std::chrono::seconds(1);
        return {.id = StreamId::make(made_, random_), .status = status, .scheduled_for = scheduled_for};
    }
    SeededRandom random_{1};
    Timestamp made_ = now - std::chrono::hours(100);
};

std::string refusal(const std::function<void()>& rule) {
    try {
        rule();
    } catch (const Error& error) {
        return error.field() + ":" + error.reason();
    }
    return "";
}

TEST_F(StreamRules, TitlesAndDescriptionsAreTakenAtTheirLimitsAndRefusedOnePast) {
    EXPECT_EQ(checked_title("  a title "), "a title");
    EXPECT_EQ(checked_title(std::string(100, 'x')).size(), 100U);
    EXPECT_EQ(refusal([] { checked_title(std::string(101, 'x')); }), "title:invalid_field");
    EXPECT_EQ(refusal([] { checked_title("  "); }), "title:invalid_field");
    EXPECT_EQ(refusal([] { checked_title("two\nlines"); }), "title:invalid_field");
    EXPECT_EQ(checked_description("two\nlines"), "two\nlines");
    EXPECT_EQ(checked_description(std::string(5000, 'x')).size(), 5000U);
    EXPECT_EQ(refusal([] { checked_description(std::string(5001, 'x')); }), "description:invalid_field");
}

TEST_F(StreamRules, AScheduleIsInTheFutureAndAtMostAYearAhead) {
    EXPECT_EQ(checked_schedule(now + std::chrono::milliseconds(1), now), now + std::chrono::milliseconds(1));
    EXPECT_EQ(checked_schedule(now + schedule_ahead_max, now), now + schedule_ahead_max);
    EXPECT_EQ(refusal([] { checked_schedule(now, now); }), "scheduled_for:invalid_field");
    EXPECT_EQ(refusal([] { checked_schedule(now + schedule_ahead_max + std::chrono::milliseconds(1), now); }),
              "scheduled_for:invalid_field");
}

TEST_F(StreamRules, AnEndedStreamTakesNoChangeAndALiveOneNoNewTime) {
    const StreamChange title{.title = "t"};
    const StreamChange time{.scheduled_for = std::optional<Timestamp>{}};
    EXPECT_EQ(refusal([&] { check_change(make(Status::ended), title); }), ":stream_ended");
    EXPECT_EQ(refusal([&] { check_change(make(Status::ended), time); }), ":stream_ended");
    EXPECT_EQ(refusal([&] { check_change(make(Status::live), time); }), "scheduled_for:stream_not_scheduled");
    EXPECT_EQ(refusal([&] { check_change(make(Status::live), title); }), "");
    EXPECT_EQ(refusal([&] { check_change(make(Status::scheduled), time); }), "");
}

TEST_F(StreamRules, APublishGoesToTheLiveStreamThenToThePreparedOneThenToTheOneThatIsDue) {
    const auto far = make(Status::scheduled, now + publish_before_schedule + std::chrono::milliseconds(1));
    const auto due = make(Status::scheduled, now + publish_before_schedule);
    const auto overdue = make(Status::scheduled, now - std::chrono::hours(1));
    const auto older = make(Status::scheduled);
    const auto prepared = make(Status::scheduled);
    const auto live = make(Status::live);
    EXPECT_FALSE(publish_target({}, now));
    EXPECT_FALSE(publish_target({far}, now));
    EXPECT_EQ(publish_target({far, due}, now)->id, due.id);
    EXPECT_EQ(publish_target({due, overdue}, now)->id, overdue.id);
    EXPECT_EQ(publish_target({overdue, older}, now)->id, older.id);
    EXPECT_EQ(publish_target({prepared, older, overdue}, now)->id, prepared.id);
    EXPECT_EQ(publish_target({overdue, prepared, live, older}, now)->id, live.id);
}

}  // namespace
}  // namespace spaktok::streams
