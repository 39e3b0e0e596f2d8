#include "features/gifts/gift.h"

#include "base/assert.h"

namespace spaktok::gifts {

Split split(Money price, std::int64_t fee_basis_points) {
    SPAKTOK_ASSERT(fee_basis_points >= 0 && fee_basis_points <= basis_points_one);
    // At most 10^10 cents times 10^4: far from overflow.
    const std::int64_t product = price.minor() * fee_basis_points;
    std::int64_t fee = product / basis_points_one;
    const std::int64_t twice_rest = 2 * (product % basis_points_one);
    if (twice_rest > basis_points_one || (twice_rest == basis_points_one && fee % 2 != 0)) ++fee;
    return {.platform_fee = Money::from_minor(fee), .streamer_payout = price - Money::from_minor(fee)};
}

Money day_limit(const Limits& limits, UserId user, Timestamp now) {
    const bool is_new = now - user.value.timestamp() < limits.new_for;
    return is_new ? limits.of_day_when_new : limits.of_day;
}

}  // namespace spaktok::gifts
