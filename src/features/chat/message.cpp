#include "features/chat/message.h"

#include "base/text.h"

namespace spaktok::chat {

MessageAnswer answer_of(Message message, accounts::UserSummary sender) {
    return {.id = message._id,
            .room_id = message.room_id,
            .sender = std::move(sender),
            .message_type = std::move(message.message_type),
            .content = message.deleted_at ? std::string() : std::move(message.content),
            .timestamp = message.timestamp,
            .seq = message.seq,
            .client_id = message.client_id,
            .reply_to = message.reply_to,
            .edited_at = message.edited_at,
            .deleted_at = message.deleted_at};
}

std::string checked_content(std::string_view content) {
    return text::checked(content, "content",
                         {.length_min = 1, .length_max = content_length_max, .lines = true});
}

}  // namespace spaktok::chat
