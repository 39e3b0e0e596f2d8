#include "features/gifts/gift_store.h"

namespace spaktok::gifts {

namespace asio = boost::asio;
using relational::ConstraintViolation;
using relational::Mode;
using relational::Statement;

namespace {

constexpr Statement select_gifts{
    .name = "gifts_all",
    .sql =
        "SELECT id, name, price, image_url, animation, is_active, sort_order FROM gifts ORDER BY sort_order, "
        "id"};
constexpr Statement insert_gift{
    .name = "gifts_insert",
    .sql =
        "INSERT INTO gifts (id, name, price, image_url, animation, is_active, sort_order, created_at, "
        "updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
    .mode = Mode::write};
constexpr Statement update_active{.name = "gifts_set_active",
                                  .sql = "UPDATE gifts SET is_active = $1, updated_at = $2 WHERE id = $3",
                                  .mode = Mode::write};

}  // namespace

asio::awaitable<std::vector<Gift>> GiftStore::all() {
    std::vector<Gift> gifts;
    for (const auto row : co_await database_.query(select_gifts)) {
        gifts.push_back({.id = row.get<GiftId>("id"),
                         .name = row.get<std::string>("name"),
                         .price = row.get<Money>("price"),
                         .image_url = row.get<std::string>("image_url"),
                         .animation = row.get<std::optional<std::string>>("animation"),
                         .is_active = row.get<bool>("is_active"),
                         .sort_order = row.get<std::int64_t>("sort_order")});
    }
    co_return gifts;
}

asio::awaitable<void> GiftStore::insert(Gift gift, Timestamp now) {
    try {
        co_await database_.query(insert_gift, gift.id, gift.name, gift.price, gift.image_url, gift.animation,
                                 gift.is_active, gift.sort_order, now);
    } catch (const ConstraintViolation& violation) {
        if (violation.constraint() != "idx_gifts_name") throw;
        throw Error(ErrorCode::conflict, "There is a gift of this name, or there was one.",
                    {.field = "name", .reason = "gift_name_taken"});
    }
}

asio::awaitable<bool> GiftStore::set_active(GiftId gift, bool is_active, Timestamp now) {
    const auto updated = co_await database_.query(update_active, is_active, now, gift);
    co_return updated.affected() > 0;
}

}  // namespace spaktok::gifts
