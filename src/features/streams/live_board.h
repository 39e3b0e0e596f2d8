// What is on air: viewer counts, the ranking by viewers, and the documents of `live_streams`.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/document/collection.h"
#include "engines/realtime/realtime.h"
#include "features/streams/stream.h"

namespace spaktok::streams {

// In Rankings: live streams by their viewers.
inline constexpr std::string_view live_ranking = "live_streams";

// What viewers see of a stream beside its row.
struct LiveView {
    std::int64_t viewer_count = 0;
    std::int64_t peak_viewers = 0;
    std::optional<std::string> thumbnail_url;
    std::optional<Ingest> ingest;
};

// Thread-safe. The node that has a stream's publisher owns its numbers; every node reports its own viewers.
class LiveBoard {
  public:
    struct Options {
        document::Store& documents;
        realtime::Engine& realtime;
        const Clock& clock;
        Random& random;
        // Hands an event to a topic of the gateway.
        std::function<boost::asio::awaitable<void>(std::string topic, std::string event, json::Value data)>
            publish;
        // This node's players that have no socket.
        std::function<std::int64_t(StreamId)> players_without_socket;
    };
    explicit LiveBoard(Options options);
    ~LiveBoard();

    // Creates the collection. Once, before anything else.
    boost::asio::awaitable<void> ensure();

    // The document follows the stream; idempotent. A live one joins the ranking, an ended one leaves it.
    boost::asio::awaitable<void> follow(Stream stream);
    boost::asio::awaitable<void> forget(StreamId stream);

    // Numbers of this node's subscribers, from the gateway. Any thread.
    void set_subscribers(StreamId stream, std::int64_t count);
    // This node has the stream's publisher, and its numbers from now on…
    boost::asio::awaitable<void> set_ingest(StreamId stream, Ingest ingest);
    // …until this.
    void leave(StreamId stream);
    boost::asio::awaitable<void> set_thumbnail(StreamId stream, std::string path);

    // Once a second: sums up the viewers, announces what changed (`viewers` on stream:<id>, at most once a
    // second), ranks, and every five seconds writes the documents.
    boost::asio::awaitable<void> tick();

    // Those that have a document.
    boost::asio::awaitable<std::unordered_map<StreamId, LiveView>> views(std::vector<StreamId> streams);
    boost::asio::awaitable<LiveView> view(StreamId stream);
    std::int64_t peak(StreamId stream) const;

    // Live streams by viewers. First pages of the same second share a snapshot, which their cursors walk for
    // five minutes; what starts or ends on this node begins a new one.
    struct RankedPage {
        std::vector<StreamId> streams;
        std::optional<std::string> next_cursor;
    };
    boost::asio::awaitable<RankedPage> ranked(std::optional<std::string> cursor, std::int64_t limit);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::streams
