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

// The stream is read anew: a repeated or late delivery then shows what is, not what was.
asio::awaitable<std::optional<Stream>> find(Service& service, StreamId id) {
    try {
        co_return co_await service.find(id);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::not_found) throw;
        co_return std::nullopt;
    }
}

asio::awaitable<void> tell_deleted(LiveBoard& board, Publish publish, StreamId id) {
    co_await board.forget(id);
    const auto data = json::Object{{"stream_id", id.to_string()}};
    co_await publish("stream:" + id.to_string(), "stream.deleted", data);
    co_await publish("live", "stream.deleted", data);
}

asio::awaitable<void> tell(Service& service, LiveBoard& board, graph::Service& graph, Publish publish,
                           events::Event event) {
    const auto stream = co_await find(service, stream_of(event));
    if (!stream) {
        co_await tell_deleted(board, publish, stream_of(event));
        co_return;
    }
    co_await board.follow(*stream);
    const auto data =
        json::Object{{"stream", json::to_value(co_await service.answer(*stream, std::nullopt))}};
    co_await publish("stream:" + stream->id.to_string(), event.type, data);
    // Whoever only prepares tells nobody, though the stream may be live by now.
    const bool is_preparation =
        !stream->scheduled_for && (stream->status == Status::scheduled || event.type == "stream.created");
    if (!is_preparation) co_await publish("live", event.type, data);
    const bool is_news =
        event.type == "stream.started" || (event.type == "stream.created" && stream->scheduled_for);
    if (is_news) co_await tell_followers(graph, stream->user_id, publish, event.type, data);
}

}  // namespace

void announce_streams(events::Dispatcher& events, Service& service, LiveBoard& board, graph::Service& graph,
                      Publish publish) {
    for (const auto* type : {"stream.created", "stream.updated", "stream.started", "stream.ended"}) {
        events.subscribe(type, [&service, &board, &graph, publish](const events::Event& event) {
            return tell(service, board, graph, publish, event);
        });
    }
    events.subscribe("stream.deleted", [&board, publish](const events::Event& event) {
        return tell_deleted(board, publish, stream_of(event));
    });
}

}  // namespace spaktok::streams
