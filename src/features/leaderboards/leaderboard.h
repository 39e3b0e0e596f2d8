// Who gave most and who was given most: the boards, by name and time. Pure rules, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/describe.hpp>

#include "base/json.h"
#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "features/accounts/account.h"

namespace spaktok::leaderboards {

inline constexpr std::int64_t places_max = 100;

enum class Side { senders, streamers };
BOOST_DESCRIBE_ENUM(Side, senders, streamers)
enum class Period { day, week, all };
BOOST_DESCRIBE_ENUM(Period, day, week, all)

// In Rankings; a member is a user's id, a score US cents.
struct Board {
    std::string name;
    // From when on nobody asks for it any more. None: never.
    std::optional<Timestamp> over_at{};
    auto operator<=>(const Board&) const = default;
};

// Days and weeks are those of UTC, weeks begin on Mondays. The beginning of all is the epoch.
Timestamp begin_of(Period period, Timestamp at);
// The board of the period that the moment falls into.
Board board_of(Side side, Period period, Timestamp at);
// Those who sent to the stream; it goes 30 days after `at`, its last gift.
Board board_of(StreamId stream, Timestamp at);

// A gift that was booked, or with a negative amount one that was taken back.
struct Gift {
    UserId sender;
    UserId receiver;
    std::optional<StreamId> stream{};
    std::int64_t amount = 0;  // US cents
    Timestamp sent_at{};
};
// Of an event `gifts.sent` or, with negative amounts, `gifts.reversed`.
std::vector<Gift> gifts_of(std::string_view event_type, const json::Object& payload);

// By member.
using Scores = std::map<UserId, std::int64_t>;
// What the gifts change, on boards that are not over.
std::map<Board, Scores> scores_of(const std::vector<Gift>& gifts, Timestamp now);

struct Place {
    std::int64_t rank = 0;  // from 1
    accounts::UserSummary user;
    Money amount;
};
BOOST_DESCRIBE_STRUCT(Place, (), (rank, user, amount))

}  // namespace spaktok::leaderboards
