#include "features/chat/chat_service.h"

#include <charconv>

#include "base/log.h"
#include "engines/batcher.h"

namespace spaktok::chat {

namespace asio = boost::asio;

namespace {

constexpr std::string_view history_list = "messages";
// Ten at once, then one a second: faster than anyone types, slower than anyone who pastes.
constexpr http::RateLimit flood_limit{.name = "chat_send", .per_minute = 60, .burst = 10, .shared = true};
constexpr std::int64_t sweep_messages_max = 500;

json::Value event_data(const MessageAnswer& message) {
    return json::Object{{"message", json::to_value(message)}};
}

Error no_message(std::string_view field) {
    return Error(ErrorCode::not_found, "There is no such message in this room.",
                 {.field = std::string(field)});
}

}  // namespace

struct Service::State {
    using Queue = engines::Batcher<Message, ChatStore::Stored>;

    explicit State(Options given)
        : options(std::move(given)),
          store(options.documents),
          queue(options.executor, {.name = "chat", .queue_items_max = 10'000, .batch_items_max = 500},
                [this](std::vector<Message> messages) { return commit(std::move(messages)); }) {}

    // One batch at a time, so messages are announced in the order of their seq.
    asio::awaitable<std::vector<ChatStore::Stored>> commit(std::vector<Message> messages) {
        auto stored = co_await store.insert(std::move(messages));
        std::vector<ObjectId> announced;
        for (const auto& entry : stored) {
            if (entry.repeated) continue;
            if (co_await announce(entry.message)) announced.push_back(entry.message._id);
        }
        co_await store.mark_announced(std::move(announced));
        co_return stored;
    }

    // False where it could not be announced: it stays marked, and `announce_left` does it later. It is
    // stored, so its sender is told so.
    asio::awaitable<bool> announce(Message message) {
        try {
            const auto sender = co_await options.accounts.summary(message.sender_id);
            const RoomId room = message.room_id;
            co_await options.announce(room, "message.created",
                                      event_data(answer_of(std::move(message), sender)));
            co_return true;
        } catch (const Error& error) {
            log::error("message not announced", {{"error", error.message()}, {"detail", error.detail()}});
            co_return error.code() == ErrorCode::not_found;  // its sender is gone
        }
    }

    Options options;
    ChatStore store;
    Queue queue;
};

Service::Service(Options options) : state_(std::make_shared<State>(std::move(options))) {}
Service::~Service() = default;

asio::awaitable<void> Service::start() {
    return state_->store.ensure();
}

asio::awaitable<void> Service::announce_left(std::chrono::milliseconds age) {
    for (;;) {
        auto left =
            co_await state_->store.not_announced(state_->options.clock.now() - age, sweep_messages_max);
        if (left.empty()) break;
        std::vector<ObjectId> announced;
        for (auto& message : left) {
            const ObjectId id = message._id;
            if (co_await state_->announce(std::move(message))) announced.push_back(id);
        }
        if (announced.empty()) break;  // the realtime engine is gone; the log says so
        co_await state_->store.mark_announced(std::move(announced));
    }
}

asio::awaitable<void> Service::stop() {
    return state_->queue.stop();
}

asio::awaitable<MessageAnswer> Service::send(UserId sender, NewMessage given) {
    auto content = checked_content(given.content);
    const auto room = co_await state_->options.rooms.find(given.room_id);
    co_await state_->options.check_open(room);
    if (given.reply_to && !co_await state_->store.find(given.room_id, *given.reply_to))
        throw no_message("reply_to");
    auto summary = co_await state_->options.accounts.summary(sender);
    if (const auto wait = state_->options.limiter.take(flood_limit, sender.to_string())) {
        throw Error(ErrorCode::rate_limited, "You are sending too fast.",
                    {.reason = "flood", .retry_after = *wait});
    }
    const Timestamp now = state_->options.clock.now();
    auto stored = co_await state_->queue.submit(Message{._id = ObjectId::make(now, state_->options.random),
                                                        .sender_id = sender,
                                                        .room_id = given.room_id,
                                                        .content = std::move(content),
                                                        .timestamp = now,
                                                        .client_id = given.client_id,
                                                        .reply_to = given.reply_to,
                                                        .announced = false});
    co_return answer_of(std::move(stored.message), std::move(summary));
}

asio::awaitable<void> Service::post(RoomId room, std::vector<Notice> notices) {
    co_await state_->options.rooms.find(room);
    const Timestamp now = state_->options.clock.now();
    std::vector<Message> messages;
    messages.reserve(notices.size());
    for (auto& notice : notices) {
        messages.push_back(Message{._id = ObjectId::make(now, state_->options.random),
                                   .sender_id = notice.sender,
                                   .room_id = room,
                                   .message_type = std::move(notice.message_type),
                                   .content = std::move(notice.content),
                                   .timestamp = now,
                                   .client_id = notice.client_id,
                                   .announced = false});
    }
    co_await state_->queue.submit_all(std::move(messages));
}

asio::awaitable<paging::Page<MessageAnswer>> Service::history(RoomId room, std::int64_t limit,
                                                              std::optional<std::string> cursor) {
    co_await state_->options.rooms.find(room);
    std::optional<std::int64_t> before;
    if (const auto parts = paging::decode_cursor(history_list, 1, cursor)) {
        const std::string& text = parts->at(0);
        std::int64_t seq = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seq);
        if (error != std::errc{} || end != text.data() + text.size()) throw paging::invalid_cursor();
        before = seq;
    }
    auto messages = co_await state_->store.page(room, before, limit + 1);
    paging::Page<MessageAnswer> page;
    if (static_cast<std::int64_t>(messages.size()) > limit) {
        messages.pop_back();
        page.next_cursor =
            paging::encode_cursor(history_list, std::vector{std::to_string(messages.back().seq)});
    }
    std::vector<UserId> senders;
    senders.reserve(messages.size());
    for (const auto& message : messages)
        senders.push_back(message.sender_id);
    const auto summaries = co_await state_->options.accounts.summaries(std::move(senders));
    for (auto& message : messages) {
        const auto sender = summaries.find(message.sender_id);
        if (sender != summaries.end()) page.items.push_back(answer_of(std::move(message), sender->second));
    }
    co_return page;
}

asio::awaitable<void> Service::remove(UserId user, RoomId room_id, ObjectId id) {
    const auto room = co_await state_->options.rooms.find(room_id);
    const auto message = co_await state_->store.find(room_id, id);
    if (!message) throw no_message("message_id");
    const bool allowed = message->sender_id == user || room.owner_id == user ||
                         co_await state_->options.accounts.role(user) != accounts::Role::user;
    if (!allowed)
        throw Error(ErrorCode::forbidden, "Only its author, the host or a moderator can delete a message.");
    const auto deleted = co_await state_->store.erase_content(room_id, id, state_->options.clock.now());
    if (!deleted) co_return;
    co_await state_->options.announce(
        room_id, "message.deleted",
        json::Object{{"id", id.to_string()}, {"seq", deleted->seq}, {"room_id", room_id.to_string()}});
}

}  // namespace spaktok::chat
