// What can be done with streams: prepare, schedule, publish, end; and who may publish (the live hub's
// Authority).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "features/accounts/account_service.h"
#include "features/cache/expiring_cache.h"
#include "features/events/events.h"
#include "features/graph/graph_service.h"
#include "features/paging/page.h"
#include "features/streams/live_board.h"
#include "features/streams/origins.h"
#include "features/streams/stream.h"
#include "features/streams/stream_store.h"
#include "media/live/live_hub.h"

namespace spaktok::streams {

// A stream as the API answers it.
struct StreamAnswer {
    StreamId id;
    accounts::UserSummary user;
    std::string title;
    std::string description;
    Status status = Status::scheduled;
    std::optional<Timestamp> scheduled_for;
    std::optional<Timestamp> started_at;
    std::optional<Timestamp> ended_at;
    std::int64_t viewers_count = 0;
    std::optional<std::string> thumbnail_url;
    std::optional<std::string> playback_url;
    std::optional<Ingest> ingest;  // for the owner alone
    Timestamp created_at{};
    Timestamp updated_at{};
};
BOOST_DESCRIBE_STRUCT(StreamAnswer, (),
                      (id, user, title, description, status, scheduled_for, started_at, ended_at,
                       viewers_count, thumbnail_url, playback_url, ingest, created_at, updated_at))

// Thread-safe; what it refers to outlives it.
class Service final : public media::Authority {
  public:
    struct Options {
        relational::Database& database;
        accounts::Service& accounts;
        graph::Service& graph;
        events::Dispatcher& events;
        LiveBoard& board;
        Origins& origins;
        const Clock& clock;
        Random& random;
        // Of the live hubs of all nodes; this node's is made after its Authority.
        std::function<boost::asio::awaitable<void>(StreamId, std::string reason)> end_broadcast;
        std::function<boost::asio::awaitable<void>(UserId, std::string reason)> disconnect_publisher;
        // Tells the other nodes that a publisher came here.
        std::function<boost::asio::awaitable<void>(StreamId)> take_from_others;
    };
    explicit Service(Options options);

    // Throws a field's error or {conflict "too_many_streams"}.
    boost::asio::awaitable<Stream> create(UserId user, NewStream stream);
    // Throws Error{not_found}.
    boost::asio::awaitable<Stream> find(StreamId stream);
    // Throws {not_found}, {forbidden} (not the owner), {conflict "stream_ended" | "stream_not_scheduled"}, a
    // field's error.
    boost::asio::awaitable<Stream> update(UserId user, StreamId stream, StreamChange change);
    // Throws {not_found}, {forbidden}, {conflict "stream_not_scheduled"}.
    boost::asio::awaitable<void> remove(UserId user, StreamId stream);
    // By its owner or a moderator. An ended stream is answered as it is. Throws {not_found}, {forbidden},
    // {conflict "stream_not_live"}.
    boost::asio::awaitable<Stream> end(UserId user, StreamId stream);

    struct PageRequest {
        std::int64_t limit = paging::limit_default;
        std::optional<std::string> cursor{};
        std::optional<UserId> followed_by{};  // only streams of whom this user follows
    };
    boost::asio::awaitable<paging::Page<Stream>> list(Status status, PageRequest page);
    boost::asio::awaitable<paging::Page<Stream>> list_of(UserId user, PageRequest page);
    // The live one, or the one that the next publish goes to.
    boost::asio::awaitable<std::optional<Stream>> current(UserId user);
    boost::asio::awaitable<std::optional<StreamId>> live_of(UserId user);
    boost::asio::awaitable<std::unordered_set<UserId>> live_among(std::vector<UserId> users);

    // What crowds ask for, from memory: as new as this node's own changes, and at most two seconds behind
    // other nodes'. Throws Error{not_found}.
    boost::asio::awaitable<Stream> recent(StreamId stream);
    // Those that exist, in the order of the ids.
    boost::asio::awaitable<std::vector<Stream>> recent(std::vector<StreamId> streams);

    // As the API answers them to `viewer`.
    boost::asio::awaitable<StreamAnswer> answer(Stream stream, std::optional<UserId> viewer);
    boost::asio::awaitable<std::vector<StreamAnswer>> answers(std::vector<Stream> streams,
                                                              std::optional<UserId> viewer);

    boost::asio::awaitable<std::optional<StreamStore::Key>> key(UserId user);
    // A new key, shown once; the one before stops working and its publish is cut.
    boost::asio::awaitable<std::string> rotate_key(UserId user);
    boost::asio::awaitable<void> delete_key(UserId user);

    // Ends streams that are live in the catalogue but that no node has had for `grace`: theirs died, and the
    // publisher did not come back. Call it again and again, on one node, from one coroutine.
    boost::asio::awaitable<void> end_abandoned(std::chrono::milliseconds grace);
    // Puts what the relational engine says is live on the board (after a start).
    boost::asio::awaitable<void> restore_board();

    // ---- media::Authority
    boost::asio::awaitable<media::Publication> authorize(std::string stream_key,
                                                         std::string remote_address) override;
    boost::asio::awaitable<void> on_air(media::IngestStatus status) override;
    boost::asio::awaitable<void> on_status(media::IngestStatus status) override;
    boost::asio::awaitable<void> off_air(StreamId stream, std::string reason) override;
    boost::asio::awaitable<std::optional<std::string>> origin_of(StreamId stream) override;
    boost::asio::awaitable<void> on_thumbnail(StreamId stream, std::string blob_key) override;

  private:
    // Some streams of a list, in its order, each with the cursor of the place after it. The live list has
    // only that of the place after all of them.
    struct Placed {
        Stream stream;
        std::string cursor;
    };
    struct Stretch {
        std::vector<Placed> streams;
        std::optional<std::string> next_cursor;
    };
    boost::asio::awaitable<Stretch> read(Status status, std::optional<std::string> cursor,
                                         std::int64_t count);
    boost::asio::awaitable<Stretch> read_live(std::optional<std::string> cursor, std::int64_t count);
    boost::asio::awaitable<Stretch> read_ended(std::optional<std::string> cursor, std::int64_t count);
    boost::asio::awaitable<Stretch> read_scheduled(std::optional<std::string> cursor, std::int64_t count);
    boost::asio::awaitable<std::unordered_map<StreamId, Stream>> load(std::vector<StreamId> ids);
    boost::asio::awaitable<void> keep_followed(std::vector<Placed>& streams, UserId follower);

    // After the commit of every change of a stream.
    void changed(const Stream& stream);
    boost::asio::awaitable<Stream> finish(StreamId stream);
    boost::asio::awaitable<Stream> make_for_publish(UserId user);

    Options options_;
    StreamStore store_;
    cache::ExpiringCache<StreamId, Stream> recent_;
    cache::ExpiringCache<UserId, std::optional<StreamId>> live_of_;
    // Since when nobody has them.
    std::unordered_map<StreamId, std::chrono::steady_clock::time_point> abandoned_;
};

// Hands an event to a topic of the gateway: (topic, event, data).
using Publish = std::function<boost::asio::awaitable<void>(std::string, std::string, json::Value)>;
// Subscribes to stream.* events: the live board follows, viewers (stream:<id>), everyone (`live`) and
// followers (user:<id>) hear of it.
void announce_streams(events::Dispatcher& events, Service& service, LiveBoard& board, graph::Service& graph,
                      Publish publish);

}  // namespace spaktok::streams
