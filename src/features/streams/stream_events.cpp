// What follows a change of a stream: the live board, and everyone who listens.
#include "features/streams/stream_service.h"

namespace spaktok::streams {

namespace asio = boost::asio;

namespace {

StreamId stream_of(const events::Event& event) {
    return json::from_value<StreamId>(event.payload.at("stream_id"), "stream_id");
}

// Tells each follower's own topic. Followers who come while this runs see the stream in their list anyway.
asio::awaitable<void> tell_followers(graph::Service& graph, UserId streamer, Publish publish,
                                     std::string event, json::Value data) {
    std::optional<std::string> cursor;
    do {
        auto page = co_await graph.followers(streamer, {.limit = paging::limit_max, .cursor = cursor});
        for (const auto& follower : page.items)
            co_await publish("user:" + follower.user_id.to_string(), event, data);
        cursor = std::move(page.next_cursor);
    } while (cursor);
}

}  // namespace

void announce_streams(events::Dispatcher& events, Service& service, LiveBoard& board, graph::Service& graph,
                      Publish publish) {
    // The stream is read anew: a repeated or late delivery then shows what is, not what was.
    const auto follow = [&service, &board,
                         publish](const events::Event& event) -> asio::awaitable<std::optional<Stream>> {
        const StreamId id = stream_of(event);
        std::optional<Stream> stream;
        try {
            stream = co_await service.find(id);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::not_found) throw;
        }
        if (stream) {
            co_await board.follow(*stream);
        } else {
            co_await board.forget(id);
        }
        co_return stream;
    };
    const auto tell = [&service, &graph, publish, follow](events::Event event) -> asio::awaitable<void> {
        const auto stream = co_await follow(event);
        if (!stream) co_return;
        const auto data =
            json::Object{{"stream", json::to_value(co_await service.answer(*stream, std::nullopt))}};
        co_await publish("stream:" + stream->id.to_string(), event.type, data);
        // Those who only prepare tell nobody; a title that changes while scheduled is told to who looks at
        // the stream.
        const bool public_change = stream->status != Status::scheduled || stream->scheduled_for;
        if (public_change) co_await publish("live", event.type, data);
        const bool news =
            event.type == "stream.started" || (event.type == "stream.created" && stream->scheduled_for);
        if (news) co_await tell_followers(graph, stream->user_id, publish, event.type, data);
    };
    const auto forget = [&board, publish](events::Event event) -> asio::awaitable<void> {
        const StreamId id = stream_of(event);
        co_await board.forget(id);
        const auto data = json::Object{{"stream_id", id.to_string()}};
        co_await publish("stream:" + id.to_string(), event.type, data);
        co_await publish("live", event.type, data);
    };
    for (const auto* type : {"stream.created", "stream.updated", "stream.started", "stream.ended"}) {
        events.subscribe(type, [tell](const events::Event& event) { return tell(event); });
    }
    events.subscribe("stream.deleted", [forget](const events::Event& event) { return forget(event); });
}

}  // namespace spaktok::streams
