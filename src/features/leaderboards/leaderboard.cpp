#include "features/leaderboards/leaderboard.h"

#include <chrono>

#include <boost/describe/enum_to_string.hpp>
#include <fmt/format.h>

namespace spaktok::leaderboards {

namespace {

// A day's board outlives its day: a gift of its last moment may be counted in the next one's first.
constexpr std::chrono::hours kept_after{24};
constexpr std::chrono::days stream_kept{30};

std::string day_text(Timestamp at) {
    return to_rfc3339(at).substr(0, 10);
}

// Of the payload of `gifts.sent` and `gifts.reversed`.
struct Told {
    UserId sender_id;
    UserId receiver_id;
    std::int64_t amount = 0;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(Told, (), (sender_id, receiver_id, amount, created_at))

}  // namespace

Timestamp begin_of(Period period, Timestamp at) {
    const auto day = std::chrono::floor<std::chrono::days>(at);
    switch (period) {
        case Period::day:
            return day;
        case Period::week:
            return day - (std::chrono::weekday(day) - std::chrono::Monday);
        case Period::all:
            break;
    }
    return Timestamp{};
}

Board board_of(Side side, Period period, Timestamp at) {
    const auto name = fmt::format("gifts:{}:{}", boost::describe::enum_to_string(side, ""),
                                  boost::describe::enum_to_string(period, ""));
    if (period == Period::all) return {.name = name};
    const auto begin = begin_of(period, at);
    const std::chrono::days length{period == Period::day ? 1 : 7};
    return {.name = name + ":" + day_text(begin), .over_at = begin + length + kept_after};
}

Board board_of(StreamId stream, Timestamp at) {
    return {.name = "gifts:stream:" + stream.to_string(),
            .over_at = std::chrono::floor<std::chrono::days>(at) + stream_kept};
}

std::vector<Gift> gifts_of(std::string_view event_type, const json::Object& payload) {
    const auto stream = json::from_value<std::optional<StreamId>>(payload.at("stream_id"));
    std::vector<Gift> gifts;
    for (const auto& told : json::from_value<std::vector<Told>>(payload.at("gifts"))) {
        gifts.push_back({.sender = told.sender_id,
                         .receiver = told.receiver_id,
                         .stream = stream,
                         .amount = event_type == "gifts.reversed" ? -told.amount : told.amount,
                         .sent_at = told.created_at});
    }
    return gifts;
}

std::map<Board, Scores> scores_of(const std::vector<Gift>& gifts, Timestamp now) {
    std::map<Board, Scores> scores;
    for (const auto& gift : gifts) {
        for (const auto period : {Period::day, Period::week, Period::all}) {
            scores[board_of(Side::senders, period, gift.sent_at)][gift.sender] += gift.amount;
            scores[board_of(Side::streamers, period, gift.sent_at)][gift.receiver] += gift.amount;
        }
        if (gift.stream) scores[board_of(*gift.stream, gift.sent_at)][gift.sender] += gift.amount;
    }
    std::erase_if(scores,
                  [&](const auto& board) { return board.first.over_at && *board.first.over_at <= now; });
    return scores;
}

}  // namespace spaktok::leaderboards
