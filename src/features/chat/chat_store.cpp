#include "features/chat/chat_store.h"

#include <map>
#include <set>

#include "features/chat/collections.h"

namespace spaktok::chat {

namespace asio = boost::asio;
using document::eq;

namespace {

constexpr std::string_view by_place = "chats_room_id_seq";
constexpr std::string_view by_client = "chats_sender_id_client_id";
// A lost counter (restored from an older backup) is raised once; a second conflict would be another node
// raising it too.
constexpr int place_attempts_max = 5;

}  // namespace

ChatStore::ChatStore(document::Store& documents)
    : chats_(documents, "chats"), counters_(documents, "room_counters") {}

std::vector<document::Declaration> declared_collections() {
    std::vector<document::Index> of_chats{
        {.name = std::string(by_place), .fields = {{.field = "room_id"}, {.field = "seq"}}, .unique = true},
        {.name = std::string(by_client),
         .fields = {{.field = "sender_id"}, {.field = "client_id"}},
         .unique = true,
         .sparse = true},
        {.name = "chats_receiver_id", .fields = {{.field = "receiver_id"}, {.field = "_id"}}, .sparse = true},
        {.name = "chats_expires_at",
         .fields = {{.field = "expires_at"}},
         .sparse = true,
         .expires_at_field = "expires_at"},
        {.name = "chats_announced", .fields = {{.field = "announced"}}, .sparse = true},
    };
    std::vector<document::Index> of_counters{
        {.name = "room_counters_room_id", .fields = {{.field = "room_id"}}, .unique = true}};
    return {
        {.name = "chats", .shape = document::Collection<Message>::shape(), .indexes = std::move(of_chats)},
        {.name = "room_counters",
         .shape = document::Collection<RoomCounter>::shape(),
         .indexes = std::move(of_counters)}};
}

asio::awaitable<void> ChatStore::ensure() {
    auto declared = declared_collections();
    co_await chats_.ensure(std::move(declared[0].indexes));
    co_await counters_.ensure(std::move(declared[1].indexes));
}

// Reserves one range a room, in the order in which the messages came.
asio::awaitable<void> ChatStore::give_places(std::vector<Message>& messages) {
    std::map<RoomId, std::int64_t> counts;
    for (const auto& message : messages)
        ++counts[message.room_id];
    std::map<RoomId, std::int64_t> next;
    for (const auto& [room, count] : counts) {
        const auto counter = co_await counters_.update_one({eq("room_id", room.value)},
                                                           {document::increment("seq", count)}, true);
        next[room] = counter->seq - count + 1;
    }
    for (auto& message : messages)
        message.seq = next[message.room_id]++;
}

asio::awaitable<void> ChatStore::raise_counter(RoomId room) {
    const auto newest = co_await page(room, std::nullopt, 1);
    if (newest.empty()) co_return;
    co_await counters_.update_one({eq("room_id", room.value)}, {document::max("seq", newest.front().seq)},
                                  true);
}

asio::awaitable<std::optional<RoomId>> ChatStore::room_after(std::optional<RoomId> room) {
    document::Filter filter;
    if (room) filter.push_back(document::gt("room_id", room->value));
    const auto next = co_await chats_.find(std::move(filter), {.sort = {{.field = "room_id"}}, .limit = 1});
    if (next.empty()) co_return std::nullopt;
    co_return next.front().room_id;
}

asio::awaitable<std::int64_t> ChatStore::counter(RoomId room) {
    const auto found = co_await counters_.find_one({eq("room_id", room.value)});
    co_return found ? found->seq : 0;
}

asio::awaitable<std::vector<ChatStore::Stored>> ChatStore::insert(std::vector<Message> messages) {
    std::vector<Stored> stored(messages.size());
    std::vector<std::size_t> places(messages.size());  // of what is left to insert, in `stored`
    for (std::size_t i = 0; i < places.size(); ++i)
        places[i] = i;
    for (int attempt = 0; !messages.empty(); ++attempt) {
        if (attempt == place_attempts_max) {
            throw Error(ErrorCode::unavailable, "The chat is busy. Try again.",
                        {.detail = "no free seq after several attempts"});
        }
        co_await give_places(messages);
        const auto refused = co_await chats_.insert_many(messages);
        std::vector<Message> again;
        std::vector<std::size_t> again_places;
        std::set<RoomId> behind;
        for (std::size_t i = 0; i < messages.size(); ++i) {
            if (!refused[i]) {
                stored[places[i]].message = std::move(messages[i]);
            } else if (*refused[i] == by_client) {
                auto first = co_await chats_.find_one(
                    {eq("sender_id", messages[i].sender_id.value), eq("client_id", *messages[i].client_id)});
                if (!first)
                    throw Error(ErrorCode::internal, "The message could not be stored.",
                                {.detail = "refused as repeated, but not there"});
                stored[places[i]] = {.message = std::move(*first), .repeated = true};
            } else {
                behind.insert(messages[i].room_id);
                again_places.push_back(places[i]);
                again.push_back(std::move(messages[i]));
            }
        }
        for (const auto room : behind)
            co_await raise_counter(room);
        messages = std::move(again);
        places = std::move(again_places);
    }
    co_return stored;
}

asio::awaitable<void> ChatStore::mark_announced(std::vector<ObjectId> ids) {
    if (ids.empty()) co_return;
    std::vector<document::Value> values(ids.begin(), ids.end());
    co_await chats_.update_many({document::in("_id", std::move(values))}, {document::unset("announced")});
}

asio::awaitable<std::vector<Message>> ChatStore::not_announced(Timestamp before, std::int64_t limit) {
    return chats_.find({eq("announced", false), document::lte("timestamp", before)},
                       {.sort = {{.field = "seq"}}, .limit = limit});
}

asio::awaitable<std::optional<Message>> ChatStore::find(RoomId room, ObjectId id) {
    return chats_.find_one({eq("_id", id), eq("room_id", room.value)});
}

asio::awaitable<std::vector<Message>> ChatStore::page(RoomId room, std::optional<std::int64_t> before,
                                                      std::int64_t limit) {
    document::Filter filter{eq("room_id", room.value)};
    if (before) filter.push_back(document::lt("seq", *before));
    return chats_.find(std::move(filter), {.sort = {{.field = "seq", .descending = true}}, .limit = limit});
}

asio::awaitable<std::optional<Message>> ChatStore::erase_content(RoomId room, ObjectId id, Timestamp now) {
    return chats_.update_one({eq("_id", id), eq("room_id", room.value), eq("deleted_at", std::monostate{})},
                             {document::set("deleted_at", now), document::set("content", std::string())});
}

}  // namespace spaktok::chat
