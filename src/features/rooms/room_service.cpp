#include "features/rooms/room_service.h"

#include <chrono>
#include <mutex>
#include <unordered_map>

#include "base/assert.h"
#include "base/error.h"

namespace spaktok::rooms {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

constexpr std::size_t cached_rooms_max = 10'000;
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
    struct Entry {
        Room room;
        std::chrono::steady_clock::time_point until;
    };
    relational::Database& database;
    const Clock& clock;
    std::mutex mutex{};
    std::unordered_map<RoomId, Entry> cache{};
};

asio::awaitable<void> create_stream_room(relational::Transaction& tx, RoomId room, UserId owner,
                                         Timestamp now) {
    co_await tx.query(insert_room, room, owner, now, now);
}

asio::awaitable<void> remove_room(relational::Transaction& tx, RoomId room) {
    co_await tx.query(delete_room, room);
}

Service::Service(relational::Database& database, const Clock& clock)
    : state_(new State{.database = database, .clock = clock}) {}
Service::~Service() = default;

asio::awaitable<Room> Service::find(RoomId id) {
    const auto now = state_->clock.steady_now();
    {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->cache.find(id);
        if (found != state_->cache.end() && found->second.until > now) co_return found->second.room;
    }
    const auto result = co_await state_->database.query(select_room, id);
    if (result.empty()) throw Error(ErrorCode::not_found, "There is no such room.");
    Room room{.id = result[0].get<RoomId>("id"),
              .owner_id = result[0].get<std::optional<UserId>>("owner_id")};
    SPAKTOK_ASSERT(boost::describe::enum_from_string(result[0].get<std::string>("kind").c_str(), room.kind));
    const std::scoped_lock lock(state_->mutex);
    // Full: begin anew. What is in use comes back with its next message.
    if (state_->cache.size() >= cached_rooms_max) state_->cache.clear();
    state_->cache[id] = {.room = room, .until = now + cache_life};
    co_return room;
}

}  // namespace spaktok::rooms
