// Gifts: what viewers send to who is live. Values and pure rules, no I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <boost/describe.hpp>

#include "base/money.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok::gifts {

inline constexpr std::size_t name_length_max = 50;  // code points
inline constexpr std::size_t animation_length_max = 50;
inline constexpr std::int64_t basis_points_one = 10'000;

// A row of `gifts`. Its price never changes: what is on screen is what is paid.
struct Gift {
    GiftId id;
    std::string name;
    Money price;  // USD
    std::string image_url;
    std::optional<std::string> animation;  // the name of what the page plays
    bool is_active = true;                 // retired ones stay in the history of those who sent them
    std::int64_t sort_order = 0;
};
BOOST_DESCRIBE_STRUCT(Gift, (), (id, name, price, image_url, animation, is_active, sort_order))

struct Split {
    Money platform_fee;
    Money streamer_payout;
};
// The platform's share in basis points (3,000: 30 %), rounded to the cent, half to even; the rest is the
// streamer's. They sum to the price.
Split split(Money price, std::int64_t fee_basis_points);

struct Limits {
    Money of_gift = Money::from_minor(50'000);
    Money of_day = Money::from_minor(200'000);
    // Of accounts that are younger than this.
    Money of_day_when_new = Money::from_minor(10'000);
    std::chrono::hours new_for{24};
};
// How much a person may spend today. A user's id tells when the account was made.
Money day_limit(const Limits& limits, UserId user, Timestamp now);

}  // namespace spaktok::gifts
