#include "features/streams/live_board.h"

#include <algorithm>
#include <mutex>

#include "features/cache/expiring_cache.h"
#include "features/paging/page.h"
#include "features/streams/collections.h"

namespace spaktok::streams {

namespace asio = boost::asio;
using document::eq;

namespace {

constexpr std::string_view live_list = "live";
constexpr std::size_t snapshot_streams_max = 1000;
constexpr std::chrono::minutes snapshot_life{5};
// The numbers that it is ordered by change once a second.
constexpr std::chrono::seconds snapshot_shared_for{1};
// Between two writes of a stream's numbers into its document.
constexpr std::chrono::seconds document_interval{5};
// How often a node repeats its number, so that the others know that it is alive.
constexpr std::chrono::seconds report_interval{4};

std::string place_of(StreamId stream) {
    return "viewers:" + stream.to_string();
}

document::Value nullable(const std::optional<Timestamp>& at) {
    return at ? document::Value(*at) : document::Value(std::monostate{});
}

LiveView view_of(const LiveStream& live) {
    return {.viewer_count = live.viewer_count,
            .peak_viewers = live.peak_viewers,
            .thumbnail_url = live.thumbnail_url,
            .ingest = live.ingest};
}

}  // namespace

struct LiveBoard::State {
    explicit State(Options given)
        : options(std::move(given)),
          live(options.documents, "live_streams"),
          snapshots(options.clock, {.life = snapshot_shared_for}) {}

    // What this node knows of a stream that has viewers here, or its publisher.
    struct Entry {
        bool live = false;  // here
        std::int64_t subscribers = 0;
        std::int64_t reported = 0;
        std::chrono::steady_clock::time_point reported_at{};
        std::int64_t written = -1;
        std::chrono::steady_clock::time_point written_at{};
        bool ingest_changed = false;
        // The thumbnail of a stream that was live before this process is in its document.
        bool has_document_view = false;
        LiveView view;
    };

    // The order of the live list, as everyone's pages walk it who came within the same second.
    struct Snapshot {
        std::string token;
        std::vector<StreamId> streams;
    };
    using SharedSnapshot = std::shared_ptr<const Snapshot>;

    Options options;
    document::Collection<LiveStream> live;
    mutable std::mutex mutex;
    std::unordered_map<StreamId, Entry> entries;
    cache::ExpiringCache<std::string_view, SharedSnapshot> snapshots;

    std::vector<StreamId> known() const {
        const std::scoped_lock lock(mutex);
        std::vector<StreamId> streams;
        streams.reserve(entries.size());
        for (const auto& [stream, entry] : entries)
            streams.push_back(stream);
        return streams;
    }

    asio::awaitable<SharedSnapshot> snapshot();
    asio::awaitable<SharedSnapshot> stored_snapshot(std::string token);

    asio::awaitable<void> report(StreamId stream) {
        const std::int64_t players = options.players_without_socket(stream);
        const auto now = options.clock.steady_now();
        std::int64_t count = 0;
        {
            const std::scoped_lock lock(mutex);
            const auto found = entries.find(stream);
            if (found == entries.end()) co_return;
            auto& entry = found->second;
            count = entry.subscribers + players;
            if (count == entry.reported && now - entry.reported_at < report_interval) co_return;
            entry.reported = count;
            entry.reported_at = now;
            if (count == 0 && !entry.live) entries.erase(found);
        }
        co_await options.realtime.presence().report(place_of(stream), count);
    }

    bool is_live(StreamId stream) const {
        const std::scoped_lock lock(mutex);
        const auto found = entries.find(stream);
        return found != entries.end() && found->second.live;
    }

    asio::awaitable<void> announce(StreamId stream) {
        if (!is_live(stream)) co_return;  // the node that has it asks for the sum, not each that has viewers
        const std::int64_t total = co_await options.realtime.presence().total(place_of(stream));
        {
            const std::scoped_lock lock(mutex);
            const auto found = entries.find(stream);
            if (found == entries.end() || !found->second.live || found->second.view.viewer_count == total)
                co_return;
            found->second.view.viewer_count = total;
            found->second.view.peak_viewers = std::max(found->second.view.peak_viewers, total);
        }
        co_await options.realtime.rankings().set(std::string(live_ranking), stream.to_string(),
                                                 static_cast<double>(total));
        co_await options.publish("stream:" + stream.to_string(), "viewers",
                                 json::Object{{"viewers_count", total}});
    }

    asio::awaitable<void> write(StreamId stream) {
        const auto now = options.clock.steady_now();
        document::Update update;
        {
            const std::scoped_lock lock(mutex);
            const auto found = entries.find(stream);
            if (found == entries.end() || !found->second.live) co_return;
            auto& entry = found->second;
            if (now - entry.written_at < document_interval) co_return;
            if (entry.written == entry.view.viewer_count && !entry.ingest_changed) co_return;
            update = {document::set("viewer_count", entry.view.viewer_count),
                      document::max("peak_viewers", entry.view.peak_viewers)};
            if (entry.view.ingest)
                update.push_back(document::set("ingest", json::to_value(*entry.view.ingest)));
            entry.written = entry.view.viewer_count;
            entry.written_at = now;
            entry.ingest_changed = false;
        }
        co_await live.update_one({eq("stream_id", stream.value)}, std::move(update));
    }
};

LiveBoard::LiveBoard(Options options) : state_(std::make_unique<State>(std::move(options))) {}
LiveBoard::~LiveBoard() = default;

std::vector<document::Declaration> declared_collections() {
    std::vector<document::Index> indexes{
        {.name = "live_streams_stream_id", .fields = {{.field = "stream_id"}}, .unique = true},
        {.name = "live_streams_status_viewer_count",
         .fields = {{.field = "status"}, {.field = "viewer_count", .descending = true}}},
        {.name = "live_streams_streamer_id_start_time",
         .fields = {{.field = "streamer_id"}, {.field = "start_time", .descending = true}}},
    };
    return {{.name = "live_streams",
             .shape = document::Collection<LiveStream>::shape(),
             .indexes = std::move(indexes)}};
}

asio::awaitable<void> LiveBoard::ensure() {
    for (auto& declared : declared_collections())
        co_await state_->options.documents.ensure(std::move(declared.name), std::move(declared.shape),
                                                  std::move(declared.indexes));
}

asio::awaitable<void> LiveBoard::follow(Stream stream) {
    const bool is_live = stream.status == Status::live;
    const std::string status = boost::describe::enum_to_string(stream.status, "");
    const document::Update update{
        document::set("title", stream.title), document::set("description", stream.description),
        document::set("status", status), document::set("start_time", nullable(stream.started_at)),
        document::set("end_time", nullable(stream.ended_at))};
    if (!co_await state_->live.update_one({eq("stream_id", stream.id.value)}, update)) {
        LiveStream created{._id = ObjectId::make(state_->options.clock.now(), state_->options.random),
                           .stream_id = stream.id,
                           .streamer_id = stream.user_id,
                           .title = stream.title,
                           .description = stream.description,
                           .start_time = stream.started_at,
                           .end_time = stream.ended_at,
                           .status = status,
                           .stream_url = playback_path(stream.id)};
        bool raced = false;
        try {
            co_await state_->live.insert(std::move(created));
        } catch (const document::DuplicateKey&) {
            raced = true;  // another delivery of the same event was faster
        }
        if (raced) co_await state_->live.update_one({eq("stream_id", stream.id.value)}, update);
    }
    if (!is_live) leave(stream.id);
    auto& rankings = state_->options.realtime.rankings();
    if (is_live) {
        const auto viewers = co_await state_->options.realtime.presence().total(place_of(stream.id));
        co_await rankings.set(std::string(live_ranking), stream.id.to_string(), static_cast<double>(viewers));
    } else {
        co_await rankings.remove(std::string(live_ranking), stream.id.to_string());
    }
    state_->snapshots.drop(live_ranking);
}

asio::awaitable<void> LiveBoard::forget(StreamId stream) {
    co_await state_->options.realtime.rankings().remove(std::string(live_ranking), stream.to_string());
    state_->snapshots.drop(live_ranking);
    co_await state_->live.remove({eq("stream_id", stream.value)});
}

void LiveBoard::set_subscribers(StreamId stream, std::int64_t count) {
    const std::scoped_lock lock(state_->mutex);
    if (count == 0 && !state_->entries.contains(stream)) return;
    state_->entries[stream].subscribers = count;
}

asio::awaitable<void> LiveBoard::set_ingest(StreamId stream, Ingest ingest) {
    bool connection_changed = false;
    {
        const std::scoped_lock lock(state_->mutex);
        auto& entry = state_->entries[stream];
        entry.live = true;
        connection_changed = entry.view.ingest && entry.view.ingest->connected != ingest.connected;
        entry.view.ingest = ingest;
        entry.ingest_changed = true;
    }
    if (connection_changed) {
        co_await state_->options.publish("stream:" + stream.to_string(), "publisher",
                                         json::Object{{"connected", ingest.connected}});
    }
}

void LiveBoard::leave(StreamId stream) {
    const std::scoped_lock lock(state_->mutex);
    const auto found = state_->entries.find(stream);
    if (found != state_->entries.end()) found->second.live = false;
}

asio::awaitable<void> LiveBoard::set_thumbnail(StreamId stream, std::string path) {
    {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->entries.find(stream);
        if (found != state_->entries.end()) found->second.view.thumbnail_url = path;
    }
    co_await state_->live.update_one({eq("stream_id", stream.value)},
                                     {document::set("thumbnail_url", std::move(path))});
}

asio::awaitable<void> LiveBoard::tick() {
    for (const auto stream : state_->known()) {
        co_await state_->report(stream);
        co_await state_->announce(stream);
        co_await state_->write(stream);
    }
}

asio::awaitable<std::unordered_map<StreamId, LiveView>> LiveBoard::views(std::vector<StreamId> streams) {
    std::unordered_map<StreamId, LiveView> found;
    std::vector<document::Value> missing;
    {
        // A live stream's numbers are newest here; its document follows seconds later.
        const std::scoped_lock lock(state_->mutex);
        for (const auto stream : streams) {
            const auto entry = state_->entries.find(stream);
            if (entry != state_->entries.end() && entry->second.live && entry->second.has_document_view) {
                found.emplace(stream, entry->second.view);
            } else {
                missing.emplace_back(stream.value);
            }
        }
    }
    if (missing.empty()) co_return found;
    const auto limit = static_cast<std::int64_t>(missing.size());
    const auto documents =
        co_await state_->live.find({document::in("stream_id", std::move(missing))}, {.limit = limit});
    const std::scoped_lock lock(state_->mutex);
    for (const auto& document : documents) {
        auto view = view_of(document);
        const auto entry = state_->entries.find(document.stream_id);
        if (entry != state_->entries.end() && entry->second.live) {
            if (!entry->second.view.thumbnail_url) entry->second.view.thumbnail_url = view.thumbnail_url;
            entry->second.has_document_view = true;
            view = entry->second.view;
        }
        found.emplace(document.stream_id, std::move(view));
    }
    co_return found;
}

asio::awaitable<LiveView> LiveBoard::view(StreamId stream) {
    const auto found = co_await views({stream});
    const auto entry = found.find(stream);
    co_return entry == found.end() ? LiveView{} : entry->second;
}

std::int64_t LiveBoard::peak(StreamId stream) const {
    const std::scoped_lock lock(state_->mutex);
    const auto found = state_->entries.find(stream);
    return found == state_->entries.end() ? 0 : found->second.view.peak_viewers;
}

asio::awaitable<LiveBoard::State::SharedSnapshot> LiveBoard::State::snapshot() {
    if (auto hit = snapshots.get(live_ranking)) co_return std::move(*hit);
    const auto ticket = snapshots.ticket(live_ranking);
    const auto made = std::make_shared<Snapshot>();
    made->token = options.random.token(16);
    const auto top =
        co_await options.realtime.rankings().top(std::string(live_ranking), 0, snapshot_streams_max);
    for (const auto& ranked : top)
        made->streams.push_back(json::from_value<StreamId>(json::Value(ranked.member)));
    if (made->streams.size() > 1) {
        co_await options.realtime.key_values().put("live_snapshot:" + made->token,
                                                   json::serialize(made->streams),
                                                   {.expires_after = snapshot_life, .durable = false});
    }
    snapshots.put(live_ranking, made, ticket);
    co_return made;
}

asio::awaitable<LiveBoard::State::SharedSnapshot> LiveBoard::State::stored_snapshot(std::string token) {
    const auto stored = co_await options.realtime.key_values().get("live_snapshot:" + token);
    if (!stored) throw paging::invalid_cursor();  // older than five minutes
    co_return std::make_shared<const Snapshot>(std::move(token),
                                               json::from_value<std::vector<StreamId>>(json::parse(*stored)));
}

asio::awaitable<LiveBoard::RankedPage> LiveBoard::ranked(std::optional<std::string> cursor,
                                                         std::int64_t limit) {
    std::size_t offset = 0;
    State::SharedSnapshot snapshot;
    if (const auto parts = paging::decode_cursor(live_list, 2, cursor)) {
        try {
            offset = std::stoul(parts->at(1));
        } catch (const std::exception&) {
            throw paging::invalid_cursor();
        }
        snapshot = co_await state_->stored_snapshot(parts->at(0));
    } else {
        snapshot = co_await state_->snapshot();
    }
    RankedPage page;
    const auto& order = snapshot->streams;
    const std::size_t begin = std::min(offset, order.size());
    const std::size_t end = std::min(order.size(), begin + static_cast<std::size_t>(limit));
    page.streams.assign(order.begin() + static_cast<std::ptrdiff_t>(begin),
                        order.begin() + static_cast<std::ptrdiff_t>(end));
    if (end < order.size())
        page.next_cursor = paging::encode_cursor(live_list, {snapshot->token, std::to_string(end)});
    co_return page;
}

}  // namespace spaktok::streams
