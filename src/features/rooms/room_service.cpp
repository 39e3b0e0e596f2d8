#include "features/rooms/room_service.h"

#include <chrono>

#include "base/assert.h"
#include "base/error.h"
#include "features/cache/expiring_cache.h"

namespace spaktok::rooms {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

constexpr std::chrono::seconds cache_life{10};

constexpr Statement insert_room{
    .name = "rooms_insert",
    .sql = "INSERT INTO rooms (id, kind, owner_id, created_at, updated_at) VALUES ($1, 'stream', $2, $3, $4)",
    .mode = Mode::write};
constexpr Statement delete_room{
    .name = "rooms_delete", .sql = "DELETE FROM rooms WHERE id = $1", .mode = Mode::write};
constexpr Statement select_room{.name = "rooms_find",
                                .sql = "SELECT id, kind, owner_id FROM rooms WHERE id = $1",
                                .mode = Mode::point_read};

}  // namespace

struct Service::State {
    relational::Database& database;
    cache::ExpiringCache<RoomId, Room> cache;
};

asio::awaitable<void> create_stream_room(relational::Transaction& tx, RoomId room, UserId owner,
                                         Timestamp now) {
    co_await tx.query(insert_room, room, owner, now, now);
}

asio::awaitable<void> remove_room(relational::Transaction& tx, RoomId room) {
    co_await tx.query(delete_room, room);
}

Service::Service(relational::Database& database, const Clock& clock)
    : state_(new State{.database = database, .cache = {clock, {.life = cache_life}}}) {}
Service::~Service() = default;

asio::awaitable<Room> Service::find(RoomId id) {
    if (const auto hit = state_->cache.get(id)) co_return *hit;
    const auto ticket = state_->cache.ticket(id);
    const auto result = co_await state_->database.query(select_room, id);
    if (result.empty()) throw Error(ErrorCode::not_found, "There is no such room.");
    Room room{.id = result[0].get<RoomId>("id"),
              .owner_id = result[0].get<std::optional<UserId>>("owner_id")};
    SPAKTOK_ASSERT(boost::describe::enum_from_string(result[0].get<std::string>("kind").c_str(), room.kind));
    state_->cache.put(id, room, ticket);
    co_return room;
}

}  // namespace spaktok::rooms
