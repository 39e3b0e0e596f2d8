// A chat message: values and pure rules, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "features/accounts/account.h"

namespace spaktok::chat {

inline constexpr std::size_t content_length_max = 2000;  // code points

// A document of `chats`.
struct Message {
    ObjectId _id;
    UserId sender_id;
    std::optional<UserId> receiver_id;  // 1:1 only
    RoomId room_id;
    std::string message_type = "text";
    std::string content;
    Timestamp timestamp{};
    bool is_disappearing = false;
    std::optional<std::int64_t> disappear_after_seconds;
    std::vector<UserId> read_by;  // of disappearing messages
    std::int64_t seq = 0;
    std::optional<Uuid> client_id;
    std::optional<ObjectId> reply_to;
    std::optional<Timestamp> edited_at;
    std::optional<Timestamp> deleted_at;
    std::optional<bool> announced;  // false until the room's topic has it; then absent
    std::optional<Timestamp> expires_at;
};
BOOST_DESCRIBE_STRUCT(Message, (),
                      (_id, sender_id, receiver_id, room_id, message_type, content, timestamp,
                       is_disappearing, disappear_after_seconds, read_by, seq, client_id, reply_to, edited_at,
                       deleted_at, announced, expires_at))

// As the API and the room's topic answer it.
struct MessageAnswer {
    ObjectId id;
    RoomId room_id;
    accounts::UserSummary sender;
    std::string message_type;
    std::string content;
    Timestamp timestamp{};
    std::int64_t seq = 0;
    std::optional<Uuid> client_id;
    std::optional<ObjectId> reply_to;
    std::optional<Timestamp> edited_at;
    std::optional<Timestamp> deleted_at;
};
BOOST_DESCRIBE_STRUCT(MessageAnswer, (),
                      (id, room_id, sender, message_type, content, timestamp, seq, client_id, reply_to,
                       edited_at, deleted_at))

MessageAnswer answer_of(Message message, accounts::UserSummary sender);

// Trimmed, 1 to 2,000 characters; throws Error{invalid_argument, field "content"}.
std::string checked_content(std::string_view content);

}  // namespace spaktok::chat
