// What a person should look at: values, no I/O.
#pragma once

#include <cstdint>
#include <optional>

#include <boost/describe.hpp>

#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok::oversight {

using FlagId = Id<struct FlagTag>;

enum class FlagKind {
    circle,  // two gave each other
    burst,   // one gave much in a short time
};
BOOST_DESCRIBE_ENUM(FlagKind, circle, burst)
enum class FlagStatus { open, dismissed };
BOOST_DESCRIBE_ENUM(FlagStatus, open, dismissed)

// A row of `money_flags`.
struct Flag {
    FlagId id;
    FlagKind kind = FlagKind::burst;
    UserId user_id;
    std::optional<UserId> other_user_id;  // of a circle
    Timestamp window_starts_at{};         // one flag for each
    std::int64_t gifts_count = 0;
    Money amount;  // of a burst all that was given, of a circle what came back
    FlagStatus status = FlagStatus::open;
    std::optional<UserId> decided_by;
    std::optional<Timestamp> decided_at;
    Timestamp created_at{};
};

struct FlagRules {
    Money circle_amount = Money::from_minor(10'000);  // each way within a day: from so much on
    std::int64_t burst_gifts = 100;                   // within ten minutes: more than
    Money burst_amount = Money::from_minor(50'000);   // within ten minutes: more than
};

}  // namespace spaktok::oversight
