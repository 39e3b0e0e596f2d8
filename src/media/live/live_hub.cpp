#include "media/live/live_hub.h"

#include <algorithm>
#include <future>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include "base/log.h"
#include "base/metrics.h"
#include "base/task_group.h"
#include "media/live/broadcast.h"
#include "media/live/edge.h"
#include "media/live/ingest.h"
#include "media/live/publisher_gate.h"
#include "media/live/rtmp_listener.h"
#include "media/live/window_file.h"
#include "media/transcode/thumbnailer.h"

namespace spaktok::media {

namespace asio = boost::asio;

namespace {

// A player fetches some eight times a second in low latency; a room full of them may share one address.
constexpr http::RateLimit live_limit{"live", 60'000, 10'000};

void allow_everyone(http::Response& response) {
    response.headers.set("Access-Control-Allow-Origin", "*");
    response.headers.set("Access-Control-Expose-Headers", "Content-Length, Content-Range, Date");
}

http::Response preflight() {
    http::Response response = http::Response::no_content();
    allow_everyone(response);
    response.headers.set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    response.headers.set("Access-Control-Allow-Headers", "Range");
    response.headers.set("Access-Control-Max-Age", "86400");
    return response;
}

}  // namespace

struct LiveHub::State final : PublisherGate, std::enable_shared_from_this<LiveHub::State> {
    State(LiveOptions hub_options, Authority& hub_authority, blob::BlobStore& blobs, IoThreads& hub_threads,
          const Clock& hub_clock, Random& hub_random)
        : options(std::move(hub_options)),
          authority(hub_authority),
          threads(hub_threads),
          clock(hub_clock),
          random(hub_random),
          thumbnailer({.interval = options.thumbnail_interval, .ffmpeg = options.ffmpeg}, blobs, hub_clock),
          edge(hub_threads, hub_clock, hub_random),
          broadcasts_gauge(metrics::gauge("spaktok_live_broadcasts", "Broadcasts with a window in memory.")) {
    }

    asio::awaitable<std::shared_ptr<PublisherSink>> open(PublisherRequest request) override;
    std::shared_ptr<Broadcast> find(const StreamId& stream) const;
    struct Admission {
        std::shared_ptr<Broadcast> broadcast;
        Broadcast::Turn turn;
        bool made = false;
    };
    Admission admit(const Publication& publication, PublisherRequest request);
    std::vector<std::shared_ptr<Broadcast>> all() const;
    std::size_t count_publishers() const;  // with the lock held
    void remove(const std::shared_ptr<Broadcast>& broadcast);
    Broadcast::Environment environment() const;
    void follow(std::size_t thread, std::shared_ptr<Broadcast> broadcast);
    asio::awaitable<void> run(std::shared_ptr<Broadcast> broadcast);
    asio::awaitable<void> picture(std::shared_ptr<Broadcast> broadcast);
    asio::awaitable<http::Response> answer(http::Request& request, std::string file);
    asio::awaitable<http::Response> answer_for(StreamId stream, http::Request& request, std::string file);
    void restore();
    void stop_courses();

    const LiveOptions options;
    Authority& authority;
    IoThreads& threads;
    const Clock& clock;
    Random& random;
    Thumbnailer thumbnailer;
    Edge edge;
    metrics::Gauge broadcasts_gauge;
    std::vector<std::unique_ptr<TaskGroup>> groups;  // one a thread
    std::unique_ptr<RtmpListener> rtmp;

    mutable std::shared_mutex mutex;
    std::unordered_map<Uuid, std::shared_ptr<Broadcast>> broadcasts;
    bool started = false;
    bool stopping = false;
};

Broadcast::Environment LiveHub::State::environment() const {
    return {.threads = threads,
            .clock = clock,
            .random = random,
            .reconnect_grace = options.reconnect_grace,
            .linger = options.window,
            .window = {.fragment_target = options.fragment_target,
                       .segment_target = options.segment_target,
                       .window = options.window,
                       .bytes_max = options.window_bytes_max}};
}

std::shared_ptr<Broadcast> LiveHub::State::find(const StreamId& stream) const {
    const std::shared_lock lock(mutex);
    const auto it = broadcasts.find(stream.value);
    return it == broadcasts.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<Broadcast>> LiveHub::State::all() const {
    const std::shared_lock lock(mutex);
    std::vector<std::shared_ptr<Broadcast>> list;
    list.reserve(broadcasts.size());
    for (const auto& [id, broadcast] : broadcasts)
        list.push_back(broadcast);
    return list;
}

std::size_t LiveHub::State::count_publishers() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(broadcasts, [](const auto& entry) { return entry.second->has_publisher(); }));
}

// Under one lock, so that `publishers_max` holds whatever arrives at once.
LiveHub::State::Admission LiveHub::State::admit(const Publication& publication, PublisherRequest request) {
    const std::scoped_lock lock(mutex);
    const auto it = broadcasts.find(publication.stream_id.value);
    const auto running = it != broadcasts.end() && !it->second->ended() ? it->second : nullptr;
    const bool newcomer = !running || !running->has_publisher();
    if (stopping || (newcomer && count_publishers() >= options.publishers_max)) {
        throw Error(ErrorCode::unavailable, "The server cannot take another publisher now.",
                    {.reason = "publishers_max", .retry_after = std::chrono::seconds(10)});
    }
    if (running) {
        if (const auto turn = running->take_over(request)) return {running, *turn, false};
    }
    auto broadcast = std::make_shared<Broadcast>(environment(), publication, request.io_thread);
    const auto turn = broadcast->take_over(std::move(request));
    broadcasts[publication.stream_id.value] = broadcast;
    return {broadcast, *turn, true};
}

asio::awaitable<std::shared_ptr<PublisherSink>> LiveHub::State::open(PublisherRequest request) {
    const auto publication = co_await authority.authorize(request.stream_key, request.remote_address);
    const std::string remote = request.remote_address;
    const std::size_t thread = request.io_thread;
    auto admission = admit(publication, std::move(request));
    log::info("publisher connected", {{"stream", publication.stream_id.to_string()},
                                      {"user", publication.user_id.to_string()},
                                      {"remote", remote},
                                      {"returned", !admission.made}});
    if (admission.made) follow(thread, admission.broadcast);
    const cmaf::Muxer::Options muxer{.fragment_target = options.fragment_target};
    co_return std::make_shared<Ingest>(std::move(admission.broadcast), admission.turn, muxer);
}

// On that thread.
void LiveHub::State::follow(std::size_t thread, std::shared_ptr<Broadcast> broadcast) {
    if (options.thumbnail_interval.count() > 0) groups[thread]->spawn(picture(broadcast));
    groups[thread]->spawn(run(std::move(broadcast)));
}

asio::awaitable<void> LiveHub::State::run(std::shared_ptr<Broadcast> broadcast) {
    const auto self = shared_from_this();
    struct Counted {
        metrics::Gauge gauge;
        explicit Counted(metrics::Gauge counted) : gauge(counted) { gauge.add(1); }
        ~Counted() { gauge.add(-1); }
    };
    const Counted counted(broadcasts_gauge);
    co_await broadcast->run(authority);
    remove(broadcast);
}

void LiveHub::State::remove(const std::shared_ptr<Broadcast>& broadcast) {
    const std::scoped_lock lock(mutex);
    const auto it = broadcasts.find(broadcast->stream_id().value);
    if (it != broadcasts.end() && it->second == broadcast) broadcasts.erase(it);
}

asio::awaitable<void> LiveHub::State::picture(std::shared_ptr<Broadcast> broadcast) {
    const auto self = shared_from_this();
    const StreamId stream = broadcast->stream_id();
    const auto announce = [this, stream](std::string key) {
        return authority.on_thumbnail(stream, std::move(key));
    };
    const std::shared_ptr<hls::Window> window(broadcast->channel(), &broadcast->channel()->window());
    co_await thumbnailer.follow(stream, window, broadcast->thumbnails(), announce);
}

asio::awaitable<http::Response> LiveHub::State::answer(http::Request& request, std::string file) {
    http::Response response;
    try {
        response = co_await answer_for(request.path_id<StreamId>("stream_id"), request, std::move(file));
    } catch (const Error& error) {
        response = http::problem(error, request.id);  // here, so that pages of other origins can read it, too
        response.headers.set("Cache-Control", "no-store");
    }
    allow_everyone(response);
    co_return response;
}

asio::awaitable<http::Response> LiveHub::State::answer_for(StreamId stream, http::Request& request,
                                                           std::string file) {
    if (const auto broadcast = find(stream))
        co_return co_await hls::Channel::answer(broadcast->channel(), request, std::move(file));
    auto origin = co_await authority.origin_of(stream);
    if (!origin) throw Error(ErrorCode::not_found, "This stream is not on air.", {.reason = "not_on_air"});
    co_return co_await edge.answer(stream, std::move(*origin), request, std::move(file));
}

void LiveHub::State::restore() {
    if (options.state_directory.empty()) return;
    const auto bytes_max =
        options.window_bytes_max * 2 + (16u << 20);  // what was unlisted, what was open, and the names
    for (auto& kept : take_kept(options.state_directory, {.bytes_max = bytes_max})) {
        const std::size_t thread = threads.next();
        auto broadcast = std::make_shared<Broadcast>(environment(), std::move(kept), thread);
        log::info("broadcast waits for its publisher", {{"stream", broadcast->stream_id().to_string()}});
        {
            const std::scoped_lock lock(mutex);
            broadcasts[broadcast->stream_id().value] = broadcast;
        }
        asio::post(threads.context(thread),
                   [self = shared_from_this(), thread, broadcast] { self->follow(thread, broadcast); });
    }
}

// Waits for every course to have stopped where it stands. Not on an I/O thread.
void LiveHub::State::stop_courses() {
    for (std::size_t i = 0; i < groups.size(); ++i) {
        asio::co_spawn(threads.context(i), groups[i]->stop(), asio::use_future).get();
    }
}

LiveHub::LiveHub(LiveOptions options, Authority& authority, blob::BlobStore& blobs, IoThreads& threads,
                 const Clock& clock, Random& random)
    : state_(std::make_shared<State>(std::move(options), authority, blobs, threads, clock, random)) {}

LiveHub::~LiveHub() {
    stop(std::chrono::milliseconds{0});
}

void LiveHub::add_routes(http::Router& router) {
    const auto serve = [&](std::string_view operation, std::string pattern, std::string file) {
        router.add(http::Method::get, std::move(pattern), {.operation_id = operation, .rate = live_limit},
                   [state = state_, file](http::Request& request) {
                       return state->answer(request, file.empty() ? request.path_param("file") : file);
                   });
    };
    serve("get_master_playlist", "/live/{stream_id}/master.m3u8", "master.m3u8");
    serve("get_media_playlist", "/live/{stream_id}/media.m3u8", "media.m3u8");
    serve("get_live_file", "/live/{stream_id}/{file}", "");
    // Method OPTIONS wherever GET is; the contract leaves preflights out.
    for (const auto* pattern :
         {"/live/{stream_id}/master.m3u8", "/live/{stream_id}/media.m3u8", "/live/{stream_id}/{file}"}) {
        router.add(http::Method::options, pattern, {.operation_id = "preflight", .rate = live_limit},
                   [](http::Request&) -> asio::awaitable<http::Response> { co_return preflight(); });
    }
}

void LiveHub::start() {
    State& state = *state_;
    for (std::size_t i = 0; i < state.threads.size(); ++i) {
        state.groups.push_back(std::make_unique<TaskGroup>(state.threads.context(i).get_executor(), "live"));
    }
    state.started = true;
    state.restore();
    if (state.options.rtmp_listen.empty()) return;
    const RtmpListenerOptions rtmp{.listen = state.options.rtmp_listen,
                                   .publisher_silence_max = state.options.publisher_silence_max};
    state.rtmp = std::make_unique<RtmpListener>(rtmp, state, state.threads, state.random);
    state.rtmp->start();
}

std::uint16_t LiveHub::rtmp_port() const {
    return state_->rtmp ? state_->rtmp->port() : 0;
}

PublisherGate& LiveHub::gate() {
    return *state_;
}

asio::awaitable<void> LiveHub::end(StreamId stream, std::string reason) {
    if (const auto broadcast = state_->find(stream)) broadcast->end(std::move(reason));
    co_return;
}

void LiveHub::hand_over(StreamId stream) {
    const auto broadcast = state_->find(stream);
    if (!broadcast) return;
    state_->remove(broadcast);  // from now on its files come from the other node
    broadcast->hand_over();
}

asio::awaitable<void> LiveHub::disconnect_publisher(UserId user, std::string reason) {
    for (const auto& broadcast : state_->all()) {
        if (broadcast->user_id() == user) broadcast->disconnect_publisher(reason);
    }
    co_return;
}

std::optional<IngestStatus> LiveHub::status(StreamId stream) const {
    const auto broadcast = state_->find(stream);
    if (!broadcast || broadcast->ended() || !broadcast->channel()->window().has_parts()) return std::nullopt;
    return broadcast->status();
}

std::int64_t LiveHub::uncounted_players(StreamId stream) const {
    const auto broadcast = state_->find(stream);
    if (!broadcast) return state_->edge.uncounted_players(stream);
    return broadcast->channel()->players().count(state_->clock.steady_now());
}

void LiveHub::stop(std::chrono::milliseconds grace) {
    State& state = *state_;
    {
        const std::scoped_lock lock(state.mutex);
        if (!state.started || state.stopping) return;
        state.stopping = true;
    }
    if (state.rtmp) state.rtmp->stop(grace);
    const auto broadcasts = state.all();
    for (const auto& broadcast : broadcasts)
        broadcast->disconnect_publisher("the server is stopping");
    state.stop_courses();
    state.edge.stop();
    for (const auto& broadcast : broadcasts) {
        if (const auto kept = broadcast->keep(); kept && !state.options.state_directory.empty()) {
            write_kept(state.options.state_directory, *kept);
        }
        broadcast->channel()->window().arrivals().advance(hls::Arrivals::everything);
    }
}

}  // namespace spaktok::media
