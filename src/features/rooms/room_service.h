// Rooms: where people talk. What is said is the chat feature's; what a room is, and who owns it, is here.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>

#include "base/clock.h"
#include "base/uuid.h"
#include "engines/relational/database.h"

namespace spaktok::rooms {

enum class Kind { direct, group, stream };
BOOST_DESCRIBE_ENUM(Kind, direct, group, stream)

struct Room {
    RoomId id;
    Kind kind = Kind::stream;
    std::optional<UserId> owner_id;  // a stream's host
};

// Writes a stream's room, which has the stream's id, in the transaction that makes the stream.
boost::asio::awaitable<void> create_stream_room(relational::Transaction& tx, RoomId room, UserId owner,
                                                Timestamp now);
boost::asio::awaitable<void> remove_room(relational::Transaction& tx, RoomId room);

// Thread-safe; what it refers to outlives it.
class Service {
  public:
    Service(relational::Database& database, const Clock& clock);
    ~Service();

    // Throws Error{not_found}. From a cache of at most 10,000 rooms: kind and owner of a room do not change
    // while it exists, and one that was deleted is remembered for 10 s at the most.
    boost::asio::awaitable<Room> find(RoomId room);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::rooms
