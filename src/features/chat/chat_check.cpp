#include "features/chat/chat_check.h"

#include <fmt/format.h>

#include "features/chat/chat_store.h"

namespace spaktok::chat {

namespace asio = boost::asio;

asio::awaitable<void> check_counters(document::Store& documents, checking::Findings& findings) {
    ChatStore store(documents);
    co_await store.ensure();
    for (auto room = co_await store.room_after(std::nullopt); room; room = co_await store.room_after(room)) {
        // The newest message first: a counter that is read later is not behind it.
        const auto newest = co_await store.page(*room, std::nullopt, 1);
        const auto counter = co_await store.counter(*room);
        findings.compared(1);
        if (newest.empty() || counter >= newest.front().seq) continue;
        co_await findings.differs({.place = fmt::format("room_counters.seq of room {}", room->to_string()),
                                   .stored = std::to_string(counter),
                                   .expected = fmt::format("at least {}", newest.front().seq)},
                                  [&] { return store.raise_counter(*room); });
    }
}

}  // namespace spaktok::chat
