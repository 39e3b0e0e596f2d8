#include "features/streams/stream_service.h"

#include <algorithm>
#include <array>
#include <utility>

#include <sodium.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/text.h"

namespace spaktok::streams {

namespace asio = boost::asio;
using relational::Transaction;

namespace {

constexpr std::chrono::seconds recent_life{2};
constexpr std::string_view of_user_list = "user_streams";
constexpr std::string_view ended_list = "ended";
constexpr std::string_view scheduled_list = "scheduled";
// A page of "whom I follow" looks at this many rows at the most; what is left is behind its cursor.
constexpr std::int64_t scan_rows_max = 1000;
constexpr std::int64_t scan_page_rows = 200;
// Distinguishes keys from other secrets in logs and pastes.
constexpr std::string_view key_prefix = "sk_";
constexpr std::size_t key_length_max = 100;

std::string hash_of(std::string_view key) {
    std::array<std::uint8_t, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(key.data()), key.size());
    return hex::encode(digest);
}

events::Event event_of(Uuid event_id, std::string type, const Stream& stream) {
    return {.id = event_id,
            .aggregate_type = "stream",
            .aggregate_id = stream.id.to_string(),
            .type = std::move(type),
            .payload = {{"stream_id", stream.id.to_string()}, {"user_id", stream.user_id.to_string()}}};
}

Error not_found() {
    return Error(ErrorCode::not_found, "There is no such stream.");
}
Error not_owner() {
    return Error(ErrorCode::forbidden, "This is not your stream.");
}

Ingest ingest_of(const media::IngestStatus& status) {
    return {.protocol = status.protocol,
            .video_codec = status.video_codec,
            .audio_codec = status.audio_codec,
            .width = status.width,
            .height = status.height,
            .fps = status.fps,
            .bitrate = status.bitrate,
            .keyframe_interval_seconds = status.keyframe_interval_seconds,
            .connected = status.connected};
}

void apply(Stream& stream, const StreamChange& change, Timestamp now) {
    if (change.title) stream.title = checked_title(*change.title);
    if (change.description) stream.description = checked_description(*change.description);
    if (change.scheduled_for) {
        stream.scheduled_for = *change.scheduled_for
                                   ? std::optional(checked_schedule(**change.scheduled_for, now))
                                   : std::nullopt;
    }
    stream.updated_at = now;
}

StreamId id_of(const std::string& part) {
    const auto id = StreamId::parse(part);
    if (!id) throw paging::invalid_cursor();
    return *id;
}

Timestamp time_of(const std::string& part) {
    const auto at = parse_rfc3339(part);
    if (!at) throw paging::invalid_cursor();
    return *at;
}

}  // namespace

Service::Service(Options options)
    : options_(std::move(options)),
      store_(options_.database),
      recent_(options_.clock, {.life = recent_life}),
      live_of_(options_.clock, {.life = recent_life}) {}

void Service::changed(const Stream& stream) {
    recent_.drop(stream.id);
    live_of_.drop(stream.user_id);
    options_.events.poke();
}

asio::awaitable<Stream> Service::create(UserId user, NewStream given) {
    const Timestamp now = options_.clock.now();
    Stream stream{.id = StreamId::make(now, options_.random),
                  .user_id = user,
                  .title = checked_title(given.title),
                  .description = checked_description(given.description),
                  .created_at = now,
                  .updated_at = now};
    if (given.scheduled_for) stream.scheduled_for = checked_schedule(*given.scheduled_for, now);
    const auto event = event_of(events::next_id(now, options_.random), "stream.created", stream);
    co_await options_.database.transaction([stream, event](Transaction& tx) -> asio::awaitable<void> {
        if (co_await StreamStore::count_not_yet_live(tx, stream.user_id) >= not_yet_live_max) {
            throw Error(ErrorCode::conflict, "You have 20 streams that are not yet live. Delete one first.",
                        {.reason = "too_many_streams"});
        }
        co_await StreamStore::insert(tx, stream);
        co_await events::append(tx, event);
    });
    changed(stream);
    co_return stream;
}

asio::awaitable<Stream> Service::find(StreamId id) {
    auto stream = co_await store_.find(id);
    if (!stream) throw not_found();
    co_return std::move(*stream);
}

asio::awaitable<Stream> Service::update(UserId user, StreamId id, StreamChange change) {
    const Timestamp now = options_.clock.now();
    const Uuid event_id = events::next_id(now, options_.random);
    auto updated = co_await options_.database.transaction(
        [user, id, change, now, event_id](Transaction& tx) -> asio::awaitable<Stream> {
            auto stream = co_await StreamStore::find_in(tx, id);
            if (!stream) throw not_found();
            if (stream->user_id != user) throw not_owner();
            check_change(*stream, change);
            apply(*stream, change, now);
            co_await StreamStore::update(tx, *stream);
            co_await events::append(tx, event_of(event_id, "stream.updated", *stream));
            co_return std::move(*stream);
        });
    changed(updated);
    co_return updated;
}

asio::awaitable<void> Service::remove(UserId user, StreamId id) {
    const Timestamp now = options_.clock.now();
    const Uuid event_id = events::next_id(now, options_.random);
    const auto removed = co_await options_.database.transaction(
        [user, id, event_id](Transaction& tx) -> asio::awaitable<Stream> {
            auto stream = co_await StreamStore::find_in(tx, id);
            if (!stream) throw not_found();
            if (stream->user_id != user) throw not_owner();
            if (stream->status != Status::scheduled) {
                throw Error(ErrorCode::conflict, "Only a stream that has not begun can be deleted.",
                            {.reason = "stream_not_scheduled"});
            }
            co_await StreamStore::remove(tx, id);
            co_await events::append(tx, event_of(event_id, "stream.deleted", *stream));
            co_return std::move(*stream);
        });
    changed(removed);
}

asio::awaitable<Stream> Service::end(UserId user, StreamId id) {
    auto stream = co_await find(id);
    if (stream.user_id != user && co_await options_.accounts.role(user) == accounts::Role::user)
        throw not_owner();
    if (stream.status == Status::scheduled) {
        throw Error(ErrorCode::conflict, "This stream is not live.", {.reason = "stream_not_live"});
    }
    // The catalogue first: whoever publishes from now on gets a new stream.
    stream = co_await finish(id);
    co_await options_.end_broadcast(id, "ended by its owner or a moderator");
    co_return stream;
}

asio::awaitable<Stream> Service::finish(StreamId id) {
    const Timestamp now = options_.clock.now();
    const std::int64_t peak =
        std::max(options_.board.peak(id), (co_await options_.board.view(id)).peak_viewers);
    const Uuid event_id = events::next_id(now, options_.random);
    auto ended = co_await options_.database.transaction(
        [id, now, peak, event_id](Transaction& tx) -> asio::awaitable<Stream> {
            auto stream = co_await StreamStore::find_in(tx, id);
            if (!stream) throw not_found();
            if (stream->status != Status::live) co_return std::move(*stream);
            stream->status = Status::ended;
            stream->ended_at = now;
            stream->viewers_count = peak;
            stream->updated_at = now;
            co_await StreamStore::update(tx, *stream);
            co_await events::append(tx, event_of(event_id, "stream.ended", *stream));
            co_return std::move(*stream);
        });
    changed(ended);
    co_return ended;
}

asio::awaitable<Service::Stretch> Service::read_live(std::optional<std::string> cursor, std::int64_t count) {
    auto ranked = co_await options_.board.ranked(std::move(cursor), count);
    Stretch stretch{.streams = {}, .next_cursor = std::move(ranked.next_cursor)};
    for (auto& stream : co_await recent(std::move(ranked.streams))) {
        if (stream.status == Status::live) stretch.streams.push_back({std::move(stream), {}});
    }
    co_return stretch;
}

asio::awaitable<Service::Stretch> Service::read_ended(std::optional<std::string> cursor, std::int64_t count) {
    const auto parts = paging::decode_cursor(ended_list, 1, cursor);
    const auto before = parts ? std::optional(id_of(parts->at(0))) : std::nullopt;
    Stretch stretch;
    for (auto& stream : co_await store_.page_ended(before, count)) {
        auto after = paging::encode_cursor(ended_list, std::vector{stream.id.to_string()});
        stretch.streams.push_back({std::move(stream), std::move(after)});
    }
    co_return stretch;
}

asio::awaitable<Service::Stretch> Service::read_scheduled(std::optional<std::string> cursor,
                                                          std::int64_t count) {
    StreamStore::ScheduledPosition from{options_.clock.now() - publish_before_schedule, StreamId{}};
    if (const auto parts = paging::decode_cursor(scheduled_list, 2, cursor))
        from = {time_of(parts->at(0)), id_of(parts->at(1))};
    Stretch stretch;
    for (auto& stream : co_await store_.page_scheduled(from, count)) {
        auto after =
            paging::encode_cursor(scheduled_list, {to_rfc3339(*stream.scheduled_for), stream.id.to_string()});
        stretch.streams.push_back({std::move(stream), std::move(after)});
    }
    co_return stretch;
}

asio::awaitable<Service::Stretch> Service::read(Status status, std::optional<std::string> cursor,
                                                std::int64_t count) {
    if (status == Status::live) co_return co_await read_live(std::move(cursor), count);
    auto stretch = status == Status::ended ? co_await read_ended(std::move(cursor), count)
                                           : co_await read_scheduled(std::move(cursor), count);
    if (std::cmp_equal(stretch.streams.size(), count)) stretch.next_cursor = stretch.streams.back().cursor;
    co_return stretch;
}

asio::awaitable<void> Service::keep_followed(std::vector<Placed>& streams, UserId follower) {
    std::vector<UserId> owners;
    owners.reserve(streams.size());
    for (const auto& placed : streams)
        owners.push_back(placed.stream.user_id);
    const auto followed = co_await options_.graph.followed_among(follower, std::move(owners));
    std::erase_if(streams, [&](const Placed& placed) { return !followed.contains(placed.stream.user_id); });
}

asio::awaitable<paging::Page<Stream>> Service::list(Status status, PageRequest request) {
    paging::Page<Stream> page;
    page.next_cursor = std::move(request.cursor);
    std::int64_t scanned = 0;
    do {
        const auto wanted = request.limit - static_cast<std::int64_t>(page.items.size());
        const bool filters = request.followed_by && status != Status::live;
        const auto count = filters ? std::max(wanted, scan_page_rows) : wanted;
        auto stretch = co_await read(status, std::move(page.next_cursor), count);
        scanned += count;
        if (request.followed_by) co_await keep_followed(stretch.streams, *request.followed_by);
        page.next_cursor = std::move(stretch.next_cursor);
        if (std::cmp_greater(stretch.streams.size(), wanted)) {
            stretch.streams.resize(static_cast<std::size_t>(wanted));
            page.next_cursor = stretch.streams.back().cursor;
        }
        for (auto& placed : stretch.streams)
            page.items.push_back(std::move(placed.stream));
    } while (page.next_cursor && std::cmp_less(page.items.size(), request.limit) && scanned < scan_rows_max);
    co_return page;
}

asio::awaitable<paging::Page<Stream>> Service::list_of(UserId user, PageRequest request) {
    const auto parts = paging::decode_cursor(of_user_list, 1, request.cursor);
    paging::Page<Stream> page;
    page.items = co_await store_.page_of_user(user, parts ? std::optional(id_of(parts->at(0))) : std::nullopt,
                                              request.limit + 1);
    if (static_cast<std::int64_t>(page.items.size()) > request.limit) {
        page.items.pop_back();
        page.next_cursor = paging::encode_cursor(of_user_list, std::vector{page.items.back().id.to_string()});
    }
    co_return page;
}

asio::awaitable<std::optional<Stream>> Service::current(UserId user) {
    co_return publish_target(co_await store_.not_ended_of(user), options_.clock.now());
}

asio::awaitable<std::optional<StreamId>> Service::live_of(UserId user) {
    if (const auto hit = live_of_.get(user)) co_return *hit;
    const auto ticket = live_of_.ticket(user);
    const auto live = co_await store_.live_stream_of(user);
    live_of_.put(user, live, ticket);
    co_return live;
}

asio::awaitable<std::unordered_map<StreamId, Stream>> Service::load(std::vector<StreamId> ids) {
    std::unordered_map<StreamId, Stream> loaded;
    for (auto& stream : co_await store_.find_all(std::move(ids)))
        loaded.emplace(stream.id, std::move(stream));
    co_return loaded;
}

asio::awaitable<std::vector<Stream>> Service::recent(std::vector<StreamId> ids) {
    const auto found = co_await cache::get_all(
        recent_, ids, [this](std::vector<StreamId> missing) { return load(std::move(missing)); });
    std::vector<Stream> streams;
    streams.reserve(found.size());
    for (const auto id : ids) {
        if (const auto stream = found.find(id); stream != found.end()) streams.push_back(stream->second);
    }
    co_return streams;
}

asio::awaitable<Stream> Service::recent(StreamId id) {
    auto found = co_await recent(std::vector{id});
    if (found.empty()) throw not_found();
    co_return std::move(found.front());
}

asio::awaitable<std::unordered_set<UserId>> Service::live_among(std::vector<UserId> users) {
    const auto live = co_await store_.live_users(std::move(users));
    co_return std::unordered_set<UserId>(live.begin(), live.end());
}

asio::awaitable<StreamAnswer> Service::answer(Stream stream, std::optional<UserId> viewer) {
    std::vector<Stream> one;
    one.push_back(std::move(stream));
    auto answered = co_await answers(std::move(one), viewer);
    if (answered.empty()) throw not_found();
    co_return std::move(answered.front());
}

asio::awaitable<std::vector<StreamAnswer>> Service::answers(std::vector<Stream> streams,
                                                            std::optional<UserId> viewer) {
    std::vector<StreamId> ids;
    std::vector<UserId> owners;
    for (const auto& stream : streams) {
        ids.push_back(stream.id);
        owners.push_back(stream.user_id);
    }
    const auto summaries = co_await options_.accounts.summaries(std::move(owners));
    const auto views = co_await options_.board.views(std::move(ids));
    std::vector<StreamAnswer> result;
    result.reserve(streams.size());
    for (auto& stream : streams) {
        const auto owner = summaries.find(stream.user_id);
        if (owner == summaries.end()) continue;  // deleted meanwhile
        const bool live = stream.status == Status::live;
        StreamAnswer answer{.id = stream.id,
                            .user = owner->second,
                            .title = std::move(stream.title),
                            .description = std::move(stream.description),
                            .status = stream.status,
                            .scheduled_for = stream.scheduled_for,
                            .started_at = stream.started_at,
                            .ended_at = stream.ended_at,
                            .viewers_count = stream.viewers_count,
                            .created_at = stream.created_at,
                            .updated_at = stream.updated_at};
        if (live) answer.playback_url = playback_path(stream.id);
        if (const auto view = views.find(stream.id); view != views.end()) {
            if (live) answer.viewers_count = view->second.viewer_count;
            if (view->second.thumbnail_url)
                answer.thumbnail_url = options_.accounts.media_url(*view->second.thumbnail_url);
            if (live && viewer == stream.user_id) answer.ingest = view->second.ingest;
        }
        result.push_back(std::move(answer));
    }
    co_return result;
}

asio::awaitable<std::optional<StreamStore::Key>> Service::key(UserId user) {
    return store_.find_key(user);
}

asio::awaitable<std::string> Service::rotate_key(UserId user) {
    std::string key = std::string(key_prefix) + options_.random.token(24);
    co_await store_.put_key(user, hash_of(key), options_.clock.now());
    co_await options_.disconnect_publisher(user, "its stream key was replaced");
    co_return key;
}

asio::awaitable<void> Service::delete_key(UserId user) {
    if (co_await store_.remove_key(user))
        co_await options_.disconnect_publisher(user, "its stream key was deleted");
}

asio::awaitable<void> Service::restore_board() {
    for (auto& stream : co_await store_.all_live())
        co_await options_.board.follow(std::move(stream));
}

asio::awaitable<void> Service::end_abandoned(std::chrono::milliseconds grace) {
    const auto now = options_.clock.steady_now();
    std::unordered_map<StreamId, std::chrono::steady_clock::time_point> still;
    for (const auto& stream : co_await store_.all_live()) {
        if (co_await options_.origins.find(stream.id)) continue;
        const auto known = abandoned_.find(stream.id);
        const auto since = known == abandoned_.end() ? now : known->second;
        if (now - since < grace) {
            still.emplace(stream.id, since);
            continue;
        }
        log::info("stream ended: its node is gone, and its publisher did not return",
                  {{"stream", stream.id.to_string()}});
        co_await finish(stream.id);
    }
    abandoned_ = std::move(still);
}

// ---- media::Authority

asio::awaitable<media::Publication> Service::authorize(std::string stream_key, std::string remote_address) {
    std::optional<UserId> owner;
    if (stream_key.size() <= key_length_max) owner = co_await store_.find_key_owner(hash_of(stream_key));
    if (!owner) {
        log::warning("publish refused: unknown stream key", {{"remote", remote_address}});
        throw Error(ErrorCode::unauthenticated, "This stream key is not known.",
                    {.reason = "unknown_stream_key"});
    }
    auto target = co_await current(*owner);
    if (!target) target = co_await make_for_publish(*owner);
    co_await store_.touch_key(*owner, options_.clock.now());
    co_return media::Publication{
        .stream_id = target->id, .user_id = *owner, .live_since = target->started_at};
}

asio::awaitable<Stream> Service::make_for_publish(UserId user) {
    std::string title = co_await store_.last_title_of(user);
    if (title.empty()) {
        const auto summary = co_await options_.accounts.summary(user);
        constexpr std::string_view ending = " live";
        title = std::string(text::prefix(summary.display_name, title_length_max - ending.size())) +
                std::string(ending);
    }
    co_return co_await create(user, {.title = std::move(title)});
}

asio::awaitable<void> Service::on_air(media::IngestStatus status) {
    const Timestamp now = options_.clock.now();
    const StreamId id = status.stream_id;
    const Uuid event_id = events::next_id(now, options_.random);
    const auto [stream, was_live] = co_await options_.database.transaction(
        [id, now, event_id](Transaction& tx) -> asio::awaitable<std::pair<Stream, bool>> {
            auto found = co_await StreamStore::find_in(tx, id);
            if (!found) throw not_found();
            if (found->status == Status::ended)
                throw Error(ErrorCode::conflict, "This stream has ended.", {.reason = "stream_ended"});
            if (found->status == Status::live) co_return std::pair(std::move(*found), true);
            found->status = Status::live;
            found->started_at = now;
            found->updated_at = now;
            co_await StreamStore::update(tx, *found);
            co_await events::append(tx, event_of(event_id, "stream.started", *found));
            co_return std::pair(std::move(*found), false);
        });
    changed(stream);
    // The newest publisher has the turn, wherever it comes: with its first picture, until which viewers have
    // what the node before still has. Claimed first, so that they never ask for what nobody has.
    co_await options_.origins.claim(id);
    if (was_live) co_await options_.take_from_others(id);
    co_await options_.accounts.mark_streamer(stream.user_id);
    co_await options_.board.follow(stream);
    co_await options_.board.set_ingest(id, ingest_of(status));
}

asio::awaitable<void> Service::on_status(media::IngestStatus status) {
    // While its publisher is away, it may come back to another node.
    if (status.connected) co_await options_.origins.claim(status.stream_id);
    co_await options_.board.set_ingest(status.stream_id, ingest_of(status));
}

asio::awaitable<void> Service::off_air(StreamId stream, std::string reason) {
    options_.board.leave(stream);
    if (const auto origin = co_await options_.origins.elsewhere(stream)) {
        log::info("stream goes on at another node",
                  {{"stream", stream.to_string()}, {"origin", origin->url}});
        co_return;
    }
    log::info("stream went off air", {{"stream", stream.to_string()}, {"reason", reason}});
    // Whatever this node ranked in the meantime goes with it.
    co_await options_.board.follow(co_await finish(stream));
    co_await options_.origins.release(stream);
}

asio::awaitable<std::optional<std::string>> Service::origin_of(StreamId stream) {
    const auto origin = co_await options_.origins.recently_elsewhere(stream);
    if (!origin) co_return std::nullopt;
    co_return origin->url;
}

asio::awaitable<void> Service::on_thumbnail(StreamId stream, std::string blob_key) {
    return options_.board.set_thumbnail(stream, "/media/" + blob_key);
}

}  // namespace spaktok::streams
