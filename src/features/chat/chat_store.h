// Messages in the document engine: `chats`, and a counter document a room that gives each message its place.
#pragma once

#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/document/collection.h"
#include "features/chat/message.h"

namespace spaktok::chat {

// The last `seq` that was given out in a room.
struct RoomCounter {
    ObjectId _id;
    RoomId room_id;
    std::int64_t seq = 0;
};
BOOST_DESCRIBE_STRUCT(RoomCounter, (), (_id, room_id, seq))

class ChatStore {
  public:
    explicit ChatStore(document::Store& documents);

    // Creates the collections. Once, before anything else.
    boost::asio::awaitable<void> ensure();

    // Gives each message its seq and stores all with one batch. A message whose (sender_id, client_id) is
    // stored already is answered as it was stored (`repeated`), so a send that is tried again is the same
    // message.
    struct Stored {
        Message message;
        bool repeated = false;
    };
    boost::asio::awaitable<std::vector<Stored>> insert(std::vector<Message> messages);
    boost::asio::awaitable<void> mark_announced(std::vector<ObjectId> ids);
    // Those of `before` and earlier, in the order of seq.
    boost::asio::awaitable<std::vector<Message>> not_announced(Timestamp before, std::int64_t limit);

    boost::asio::awaitable<std::optional<Message>> find(RoomId room, ObjectId id);
    // Newest first, those with a smaller seq than `before`.
    boost::asio::awaitable<std::vector<Message>> page(RoomId room, std::optional<std::int64_t> before,
                                                      std::int64_t limit);
    // For walks over all rooms in which something was said, by their ids.
    boost::asio::awaitable<std::optional<RoomId>> room_after(std::optional<RoomId> room);
    // The last seq that was given out; 0 where none was.
    boost::asio::awaitable<std::int64_t> counter(RoomId room);
    // To that of the newest message, where it is behind.
    boost::asio::awaitable<void> raise_counter(RoomId room);
    // Takes the content away; nullopt where it was deleted already or is not there.
    boost::asio::awaitable<std::optional<Message>> erase_content(RoomId room, ObjectId id, Timestamp now);

  private:
    boost::asio::awaitable<void> give_places(std::vector<Message>& messages);

    document::Collection<Message> chats_;
    document::Collection<RoomCounter> counters_;
};

}  // namespace spaktok::chat
