#include "features/leaderboards/leaderboard.h"

#include <map>

#include <gtest/gtest.h>

#include "base/random.h"

namespace spaktok::leaderboards {
namespace {

Timestamp at(const char* text) {
    return *parse_rfc3339(text);
}

TEST(Leaderboard, DaysAndWeeksAreThoseOfUtcAndWeeksBeginOnMondays) {
    struct Case {
        const char* moment;
        const char* day;
        const char* week;
    };
    const Case cases[] = {
        {"2026-11-23T00:00:00.000Z", "2026-11-23T00:00:00.000Z", "2026-11-23T00:00:00.000Z"},  // a Monday
        {"2026-11-22T23:59:59.999Z", "2026-11-22T00:00:00.000Z", "2026-11-16T00:00:00.000Z"},
        {"2027-01-01T12:00:00.000Z", "2027-01-01T00:00:00.000Z", "2026-12-28T00:00:00.000Z"},
        {"2024-02-29T23:00:00.000Z", "2024-02-29T00:00:00.000Z", "2024-02-26T00:00:00.000Z"},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(begin_of(Period::day, at(one.moment)), at(one.day)) << one.moment;
        EXPECT_EQ(begin_of(Period::week, at(one.moment)), at(one.week)) << one.moment;
        EXPECT_EQ(begin_of(Period::all, at(one.moment)), Timestamp{});
    }
}

TEST(Leaderboard, BoardsAreNamedByTheirBeginningAndGoADayAfterTheirEnd) {
    const auto moment = at("2026-11-25T12:00:00.000Z");
    EXPECT_EQ(board_of(Side::senders, Period::all, moment), (Board{.name = "gifts:senders:all"}));
    EXPECT_EQ(board_of(Side::streamers, Period::day, moment),
              (Board{.name = "gifts:streamers:day:2026-11-25", .over_at = at("2026-11-27T00:00:00.000Z")}));
    EXPECT_EQ(board_of(Side::senders, Period::week, moment),
              (Board{.name = "gifts:senders:week:2026-11-23", .over_at = at("2026-12-01T00:00:00.000Z")}));
}

TEST(Leaderboard, AGiftCountsOnEachOfItsBoardsThatIsNotOver) {
    const auto now = at("2026-11-25T12:00:00.000Z");
    SeededRandom random(1);
    const auto ada = UserId::make(now, random);
    const auto bob = UserId::make(now, random);
    const auto stream = StreamId::make(now, random);
    const std::vector<Gift> gifts{
        {.sender = ada, .receiver = bob, .stream = stream, .amount = 10, .sent_at = now},
        {.sender = ada, .receiver = bob, .stream = stream, .amount = 5, .sent_at = now},
        {.sender = bob, .receiver = ada, .amount = 7, .sent_at = at("2026-11-23T23:59:59.999Z")},
        {.sender = bob, .receiver = ada, .amount = -7, .sent_at = at("2026-11-22T00:00:00.000Z")}};
    std::map<std::string, Scores> scores;
    for (const auto& [board, members] : scores_of(gifts, now))
        scores[board.name] = members;
    // The days of the 22nd and 23rd and the week before are over.
    const std::map<std::string, Scores> expected{{"gifts:senders:all", {{ada, 15}, {bob, 0}}},
                                                 {"gifts:senders:day:2026-11-25", {{ada, 15}}},
                                                 {"gifts:senders:week:2026-11-23", {{ada, 15}, {bob, 7}}},
                                                 {"gifts:stream:" + stream.to_string(), {{ada, 15}}},
                                                 {"gifts:streamers:all", {{ada, 0}, {bob, 15}}},
                                                 {"gifts:streamers:day:2026-11-25", {{bob, 15}}},
                                                 {"gifts:streamers:week:2026-11-23", {{ada, 7}, {bob, 15}}}};
    EXPECT_EQ(scores, expected);
}

}  // namespace
}  // namespace spaktok::leaderboards
