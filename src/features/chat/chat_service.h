// Talking in rooms: a message is stored, then announced to the room's topic, then acknowledged.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "features/accounts/account_service.h"
#include "features/chat/chat_store.h"
#include "features/chat/message.h"
#include "features/paging/page.h"
#include "features/rooms/room_service.h"
#include "http/rate_limiter.h"

namespace spaktok::chat {

inline constexpr std::int64_t history_limit_default = 50;

// What is said to a room's topic, with its history kept for those who reconnect.
using Announce = std::function<boost::asio::awaitable<void>(RoomId, std::string event, json::Value data)>;

// Thread-safe; what it refers to outlives it.
class Service {
  public:
    struct Options {
        document::Store& documents;
        accounts::Service& accounts;
        rooms::Service& rooms;
        http::RateLimiter& limiter;
        const Clock& clock;
        Random& random;
        boost::asio::any_io_executor executor;  // where batches are committed
        Announce announce;
        // Whether people may talk in the room now; throws Error{conflict "room_closed"}.
        std::function<boost::asio::awaitable<void>(rooms::Room)> check_open;
    };
    explicit Service(Options options);
    ~Service();

    // Creates the collections. Once, before anything else.
    boost::asio::awaitable<void> start();
    // Announces what is stored for `age` and no room was told of, because a node or the realtime engine was
    // gone: room by room in the order of seq, at least once. One node at a time does it for all; what is
    // younger may be on its way to being announced by the node that stored it.
    boost::asio::awaitable<void> announce_left(std::chrono::milliseconds age);
    boost::asio::awaitable<void> stop();

    struct NewMessage {
        RoomId room_id;
        Uuid client_id;
        std::string content;
        std::optional<ObjectId> reply_to;
    };
    // Returns once the message is stored; everyone in the room gets it once, in the order of seq. A repeated
    // client_id is the same message. Throws a field's error, {not_found} (room, or the message replied to),
    // {conflict "room_closed"}, {rate_limited "flood"} or {unavailable}.
    boost::asio::awaitable<MessageAnswer> send(UserId sender, NewMessage message);

    // What the program says for a person, as of a gift that they sent: neither a flood nor a closed room
    // stops it. Returns once all are stored; a repeated client_id is the same message. Throws {not_found}
    // (room) or {unavailable}.
    struct Notice {
        UserId sender;
        Uuid client_id;
        std::string message_type;
        std::string content;
    };
    boost::asio::awaitable<void> post(RoomId room, std::vector<Notice> notices);

    // Newest first. Throws {not_found}, {invalid_argument "invalid_cursor"}.
    boost::asio::awaitable<paging::Page<MessageAnswer>> history(RoomId room, std::int64_t limit,
                                                                std::optional<std::string> cursor);

    // By its author, the room's owner, a moderator or an administrator; again: nothing changes. Throws
    // {not_found}, {forbidden}.
    boost::asio::awaitable<void> remove(UserId user, RoomId room, ObjectId message);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::chat
