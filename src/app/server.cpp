#include "app/server.h"

#include <algorithm>
#include <atomic>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include "app/data_directory.h"
#include "app/operation_routes.h"
#include "app/page.h"
#include "app/version.h"
#include "base/assert.h"
#include "base/io_threads.h"
#include "base/log.h"
#include "base/task_group.h"
#include "engines/relational/migrations.h"
#include "engines/relational/partitions.h"
#include "features/accounts/account_routes.h"
#include "features/chat/chat_routes.h"
#include "features/chat/chat_service.h"
#include "features/cluster/lease.h"
#include "features/cluster/node_bus.h"
#include "features/events/events.h"
#include "features/gifts/gift_events.h"
#include "features/gifts/gift_routes.h"
#include "features/gifts/gift_service.h"
#include "features/graph/graph_routes.h"
#include "features/leaderboards/leaderboard_routes.h"
#include "features/leaderboards/leaderboard_service.h"
#include "features/ledger/ledger.h"
#include "features/media_files/media_routes.h"
#include "features/oversight/oversight_routes.h"
#include "features/payments/payment_routes.h"
#include "features/payments/sandbox.h"
#include "features/payments/stripe.h"
#include "features/payouts/payout_routes.h"
#include "features/rooms/room_service.h"
#include "features/streams/stream_realtime.h"
#include "features/streams/stream_routes.h"
#include "features/wallet/wallet_routes.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "http/static_files.h"
#include "media/live/live_hub.h"

namespace spaktok::app {

namespace asio = boost::asio;

namespace {

// A room's history for clients that reconnect: longer absences reload a page of it.
constexpr realtime::HistoryLimits room_history{.messages_max = 1000, .age_max = std::chrono::minutes(10)};
constexpr std::chrono::seconds viewer_tick{1};
// How often, and of how many buckets at once, nodes tell each other what was taken of rate limits.
constexpr std::chrono::milliseconds limits_interval{250};
constexpr std::size_t limits_told_max = 1'000;
// Between two looks for live streams that no node has.
constexpr std::chrono::seconds abandoned_interval{2};
// What a node that is gone stored and did not announce. Longer than a node takes between the two.
constexpr std::chrono::seconds unannounced_interval{5};
constexpr std::chrono::seconds unannounced_age{10};
// How often the leaderboards that have changed are told, and lost ones looked for.
constexpr std::chrono::seconds leaderboards_interval{1};
// Between two looks whether the day's exchange rates are due.
constexpr std::chrono::minutes rates_interval{1};
// For what should be flagged among the gifts, and for an audit that is due.
constexpr std::chrono::minutes flags_interval{1};
constexpr std::chrono::minutes audit_interval{1};
// They are made years ahead.
constexpr std::chrono::hours partition_interval{24};

// What a browser on this machine can open: a wildcard address is no destination.
std::string local_url(const std::string& address, std::uint16_t port) {
    std::string host = address.substr(0, address.rfind(':'));
    if (host == "0.0.0.0" || host == "[::]" || host == "127.0.0.1") host = "localhost";
    return fmt::format("http://{}:{}", host, port);
}

std::string rtmp_url_of(const Settings& settings, const std::string& public_url, std::uint16_t port) {
    if (!settings.rtmp_url.empty()) return settings.rtmp_url;
    std::string host = public_url.substr(public_url.find("://") + 3);
    const auto colon = host.find(':', host.starts_with('[') ? host.find(']') : 0);
    host = host.substr(0, colon);
    constexpr std::uint16_t standard_port = 1935;
    return port == standard_port ? fmt::format("rtmp://{}/live", host)
                                 : fmt::format("rtmp://{}:{}/live", host, port);
}

media::LiveOptions live_options(const Settings& settings) {
    return {.rtmp_listen = settings.rtmp,
            .reconnect_grace = settings.reconnect_grace,
            .thumbnail_interval = settings.thumbnail_interval,
            .ffmpeg = settings.ffmpeg,
            .state_directory = (settings.data / "live").string()};
}

http::ServerOptions http_options(const Settings& settings, const std::string& listen) {
    return {.listen = listen, .public_url = settings.public_url, .trusted_proxies = settings.trusted_proxies};
}

// Does the work each time the interval has passed since it last ended. Until cancelled.
asio::awaitable<void> repeat(std::chrono::milliseconds interval, std::string_view problem,
                             std::function<asio::awaitable<void>()> work) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (;;) {
        timer.expires_after(interval);
        co_await timer.async_wait(asio::use_awaitable);
        try {
            co_await work();
        } catch (const Error& error) {
            log::error(problem, {{"error", error.message()}, {"detail", error.detail()}});
        }
    }
}

}  // namespace

// In the order of construction: each part may use those above it, and is destroyed before them.
struct Server::State {
    State(Settings given, Use use)
        : settings(std::move(given)),
          data(use == Use::node || has_embedded_engine(settings)
                   ? std::make_unique<DataDirectory>(settings.data)
                   : nullptr),
          threads(settings.threads),
          has_peers(!settings.realtime.starts_with("local:")),
          node_id(Uuid::v7(clock.now(), random).to_string()),
          database(relational::open(settings.relational, {.io_threads = settings.threads,
                                                          .replicas = settings.relational_replicas})),
          documents(document::open(settings.document)),
          realtime(
              realtime::open(settings.realtime, {.node_id = node_id, .clock = &clock, .random = &random})),
          blobs(blob::open(settings.blob)),
          sessions(realtime->key_values(), clock, random, {.public_url = settings.public_url}),
          limiter(clock, {.scale = settings.rate_limit_scale, .has_peers = has_peers}),
          http(http_options(settings, settings.http), router, &sessions, &limiter, threads),
          gateway({}, *realtime, threads, clock),
          passwords({}),
          accounts({.database = *database,
                    .realtime = *realtime,
                    .blobs = *blobs,
                    .sessions = sessions,
                    .passwords = passwords,
                    .clock = clock,
                    .random = random,
                    .process_picture = accounts::make_picture_processor(),
                    .registration = settings.registration_open ? accounts::Registration::open
                                                               : accounts::Registration::closed}),
          lease({.values = realtime->key_values(),
                 .clock = clock,
                 .executor = threads.context(0).get_executor(),
                 .name = cluster::jobs_lease,
                 .node_id = node_id}),
          nodes({.topics = realtime->topics(),
                 .executor = threads.context(0).get_executor(),
                 .node_id = node_id}),
          events({.database = *database,
                  .clock = clock,
                  .executor = threads.context(0).get_executor(),
                  .may_deliver = [this] { return lease.held(); },
                  .poke_other = [this] { return nodes.tell("events.poke", {}); }}),
          graph({.database = *database,
                 .accounts = accounts,
                 .events = events,
                 .clock = clock,
                 .random = random}),
          rooms(*database, clock),
          board(
              {.documents = *documents,
               .realtime = *realtime,
               .clock = clock,
               .random = random,
               .publish =
                   [this](std::string topic, std::string event, json::Value body) {
                       return publish(std::move(topic), std::move(event), std::move(body), {});
                   },
               .players_without_socket = [this](StreamId stream) { return hub.uncounted_players(stream); }}),
          origins({.values = realtime->key_values(), .clock = clock, .node_id = node_id}),
          streams({.database = *database,
                   .accounts = accounts,
                   .graph = graph,
                   .events = events,
                   .board = board,
                   .origins = origins,
                   .clock = clock,
                   .random = random,
                   .end_broadcast =
                       [this](StreamId stream, std::string reason) {
                           return end_broadcast(stream, std::move(reason));
                       },
                   .disconnect_publisher =
                       [this](UserId user, std::string reason) {
                           return disconnect_publisher(user, std::move(reason));
                       },
                   .take_from_others =
                       [this](StreamId stream) {
                           return nodes.tell("stream.taken", {{"stream_id", stream.to_string()}});
                       }}),
          chat({.documents = *documents,
                .accounts = accounts,
                .rooms = rooms,
                .limiter = limiter,
                .clock = clock,
                .random = random,
                .executor = threads.context(0).get_executor(),
                .announce =
                    [this](RoomId room, std::string event, json::Value body) {
                        return publish("room:" + room.to_string(), std::move(event), std::move(body),
                                       room_history);
                    },
                .check_open = [this](rooms::Room room) { return check_open(room); }}),
          ledger({.database = *database, .clock = clock, .random = random}),
          gifts({.database = *database,
                 .ledger = ledger,
                 .events = events,
                 .clock = clock,
                 .random = random,
                 .executor = threads.context(0).get_executor(),
                 .recipient = [this](StreamId stream) { return recipient_of(stream); },
                 .fee_basis_points = settings.gift_fee_basis_points,
                 .limits = settings.gift_limits}),
          leaderboards({.database = *database,
                        .rankings = realtime->rankings(),
                        .accounts = accounts,
                        .clock = clock,
                        .is_live = [this](StreamId stream) { return is_live(stream); },
                        .may_build = [this] { return lease.held(); },
                        .publish =
                            [this](std::string topic, std::string event, json::Value body) {
                                return publish(std::move(topic), std::move(event), std::move(body), {});
                            }}),
          rates({.database = *database,
                 .clock = clock,
                 .web = web,
                 .offer = settings.currencies,
                 .feed_url = settings.exchange_rates_url}),
          payouts({.database = *database,
                   .ledger = ledger,
                   .clock = clock,
                   .random = random,
                   .rules = settings.payouts}),
          oversight({.database = *database,
                     .ledger = ledger,
                     .events = events,
                     .clock = clock,
                     .random = random,
                     .flags = settings.flags}),
          hub(live_options(settings), streams, *blobs, threads, clock, random),
          background(threads.context(0).get_executor(), "background") {}

    asio::awaitable<void> publish(std::string topic, std::string event, json::Value body,
                                  realtime::HistoryLimits history) {
        co_await gateway.publish(std::move(topic), std::move(event), std::move(body), history);
    }

    // People talk before and while a stream is live; what is said afterwards belongs to its recording.
    asio::awaitable<void> check_open(rooms::Room room) {
        if (room.kind != rooms::Kind::stream) co_return;
        const auto stream = co_await streams.recent(StreamId{room.id.value});
        if (stream.status == streams::Status::ended) {
            throw Error(ErrorCode::conflict, "This stream has ended, and its chat with it.",
                        {.reason = "room_closed"});
        }
    }

    asio::awaitable<bool> is_live(StreamId id) {
        const auto stream = co_await streams.recent(id);
        co_return stream.status == streams::Status::live;
    }
    asio::awaitable<gifts::Recipient> recipient_of(StreamId id) {
        const auto stream = co_await streams.recent(id);
        co_return gifts::Recipient{.streamer = stream.user_id,
                                   .is_live = stream.status == streams::Status::live};
    }

    asio::awaitable<json::Value> live_stream(UserId user, std::optional<UserId> viewer) {
        const auto live = co_await streams.live_of(user);
        if (!live) co_return nullptr;
        co_return json::to_value(co_await streams.answer(co_await streams.recent(*live), viewer));
    }

    asio::awaitable<void> end_broadcast(StreamId stream, std::string reason) {
        co_await hub.end(stream, reason);
        co_await nodes.tell("stream.end", {{"stream_id", stream.to_string()}, {"reason", reason}});
    }
    asio::awaitable<void> disconnect_publisher(UserId user, std::string reason) {
        co_await hub.disconnect_publisher(user, reason);
        co_await nodes.tell("publisher.disconnect", {{"user_id", user.to_string()}, {"reason", reason}});
    }
    void end_session(std::string session);

    std::unique_ptr<payments::PaymentProvider> payment_provider();
    void add_routes();
    void add_realtime();
    void listen_to_nodes();
    asio::awaitable<void> prepare();
    void start_jobs();
    asio::awaitable<void> share_limits();
    asio::awaitable<void> end_abandoned();
    asio::awaitable<void> find_flags();
    asio::awaitable<void> audit();
    asio::awaitable<void> announce_left();
    asio::awaitable<void> update_rates();
    asio::awaitable<void> shut_down();

    void run(std::function<asio::awaitable<void>()> work) {
        asio::co_spawn(threads.context(0), std::move(work), asio::use_future).get();
    }

    Settings settings;
    SystemClock clock;
    SystemRandom random;
    const std::unique_ptr<DataDirectory> data;  // the lock
    IoThreads threads;
    const bool has_peers;  // or may have: other nodes over the same engines
    const std::string node_id;
    std::unique_ptr<relational::Database> database;
    std::unique_ptr<document::Store> documents;
    std::unique_ptr<realtime::Engine> realtime;
    std::unique_ptr<blob::BlobStore> blobs;
    http::Sessions sessions;
    http::RateLimiter limiter;
    http::Router router;
    http::Router metrics_router;
    http::Server http;
    gateway::Gateway gateway;
    accounts::PasswordHasher passwords;
    accounts::Service accounts;
    cluster::Lease lease;  // of the jobs that one node does for all
    cluster::NodeBus nodes;
    events::Dispatcher events;
    graph::Service graph;
    rooms::Service rooms;
    streams::LiveBoard board;
    streams::Origins origins;
    streams::Service streams;
    chat::Service chat;
    ledger::Ledger ledger;
    gifts::Service gifts;
    leaderboards::Service leaderboards;
    payments::WebClient web;
    payments::Rates rates;
    std::unique_ptr<payments::Service> payments;  // made by the start, as people come back to public_url
    payouts::Service payouts;
    oversight::Service oversight;
    media::LiveHub hub;
    TaskGroup background;
    std::unique_ptr<http::StaticFiles> page;
    std::unique_ptr<http::Server> metrics_server;
    std::string public_url;
    std::atomic<bool> stopping{false};
    bool started = false;
};

std::unique_ptr<payments::PaymentProvider> Server::State::payment_provider() {
    switch (settings.payments) {
        case Payments::off:
            return nullptr;
        case Payments::sandbox:
            return std::make_unique<payments::Sandbox>(random);
        case Payments::stripe:
            return std::make_unique<payments::Stripe>(
                payments::Stripe::Options{.web = web,
                                          .url = settings.stripe_url,
                                          .secret_key = settings.stripe_secret_key,
                                          .webhook_secret = settings.stripe_webhook_secret,
                                          .public_url = public_url,
                                          .place = settings.name});
    }
    SPAKTOK_ASSERT(false);
}

void Server::State::add_routes() {
    const std::string rtmp_url =
        settings.rtmp.empty() ? "" : rtmp_url_of(settings, public_url, hub.rtmp_port());
    accounts::add_routes(router, accounts, sessions);
    accounts::add_instance_route(
        router, accounts,
        {.name = settings.name,
         .version = std::string(version),
         .rtmp_url = rtmp_url,
         .public_url = public_url,
         .limits = {{"stream_title_length_max", streams::title_length_max},
                    {"stream_description_length_max", streams::description_length_max},
                    {"message_length_max", chat::content_length_max}}});
    graph::add_routes(
        router, graph, accounts,
        {.live_stream = [this](UserId user,
                               std::optional<UserId> viewer) { return live_stream(user, viewer); },
         .live_among = [this](std::vector<UserId> users) { return streams.live_among(std::move(users)); }});
    streams::add_routes(router, streams, accounts, rtmp_url);
    chat::add_routes(router, chat);
    gifts::add_routes(router, gifts, accounts);
    leaderboards::add_routes(router, leaderboards);
    payments =
        std::make_unique<payments::Service>(payments::Service::Options{.database = *database,
                                                                       .ledger = ledger,
                                                                       .rates = rates,
                                                                       .clock = clock,
                                                                       .provider = payment_provider(),
                                                                       .amount_min = settings.top_up_min,
                                                                       .amount_max = settings.top_up_max});
    payments::add_routes(router, *payments);
    wallet::add_routes(router, {.ledger = ledger,
                                .payments = *payments,
                                .accounts = accounts,
                                .database = *database,
                                .clock = clock});
    payouts::add_routes(router, payouts);
    oversight::add_routes(
        router, {.database = *database, .oversight = oversight, .payouts = payouts, .accounts = accounts});
    media_files::add_routes(router, *blobs);
    hub.add_routes(router);
    add_health_routes(
        router, {.relational = *database, .document = *documents, .realtime = *realtime, .blob = *blobs},
        stopping);
    add_document_routes(router);
    page = open_page(settings.web);
    if (page) router.set_fallback(page->handler());
}

void Server::State::add_realtime() {
    accounts::add_user_topic(gateway);
    streams::add_realtime(gateway, streams, board, limiter);
    chat::add_realtime(gateway, chat, rooms);
    const auto tell = [this](std::string topic, std::string event, json::Value body) {
        const auto history =
            topic.starts_with("user:") ? accounts::user_topic_history : realtime::HistoryLimits{};
        return publish(std::move(topic), std::move(event), std::move(body), history);
    };
    graph::announce_follows(events, accounts, tell);
    streams::announce_streams(events, streams, board, graph, tell);
    gifts::announce_gifts(events, gifts, chat, accounts, tell);
    leaderboards.follow(events);
    sessions.on_ended([this](UserId, const std::string& session) { end_session(session); });
    gateway.attach(http);
}

// Its sockets are closed wherever they are.
void Server::State::end_session(std::string session) {
    gateway.close_session(session);
    asio::post(threads.context(0),
               [this, session] { background.spawn(nodes.tell("session.end", {{"session_id", session}})); });
}

void Server::State::listen_to_nodes() {
    const auto stream_of = [](const json::Object& body) {
        return json::from_value<StreamId>(body.at("stream_id"));
    };
    const auto text_of = [](const json::Object& body, std::string_view member) {
        return json::from_value<std::string>(body.at(member));
    };
    nodes.on("session.end", [this, text_of](json::Object body) -> asio::awaitable<void> {
        gateway.close_session(text_of(body, "session_id"));
        co_return;
    });
    nodes.on("stream.end", [this, stream_of, text_of](json::Object body) {
        return hub.end(stream_of(body), text_of(body, "reason"));
    });
    nodes.on("publisher.disconnect", [this, text_of](json::Object body) {
        return hub.disconnect_publisher(json::from_value<UserId>(body.at("user_id")),
                                        text_of(body, "reason"));
    });
    nodes.on("stream.taken", [this, stream_of](json::Object body) -> asio::awaitable<void> {
        hub.hand_over(stream_of(body));
        board.leave(stream_of(body));
        co_return;
    });
    nodes.on("limits.spent", [this](json::Object body) -> asio::awaitable<void> {
        for (const auto& one : body.at("spent").as_array()) {
            limiter.spend({.key = std::string(one.at(0).as_string()),
                           .time = std::chrono::nanoseconds(one.at(1).to_number<std::int64_t>()),
                           .refill = std::chrono::nanoseconds(one.at(2).to_number<std::int64_t>())});
        }
        co_return;
    });
    nodes.on("events.poke", [this](json::Object) -> asio::awaitable<void> {
        if (lease.held()) events.poke();
        co_return;
    });
}

asio::awaitable<void> Server::State::prepare() {
    co_await relational::migrate(*database, clock.now(), settings.relational_partitions);
    co_await board.ensure();
    co_await chat.start();
    if (!has_peers) co_await chat.announce_left({});  // nobody else is announcing it
    co_await streams.restore_board();
}

void Server::State::start_jobs() {
    background.spawn(repeat(viewer_tick, "viewers not counted", [this] { return board.tick(); }));
    background.spawn(
        repeat(abandoned_interval, "abandoned streams not ended", [this] { return end_abandoned(); }));
    background.spawn(
        repeat(unannounced_interval, "messages not announced", [this] { return announce_left(); }));
    background.spawn(
        repeat(leaderboards_interval, "leaderboards not kept", [this] { return leaderboards.keep(); }));
    background.spawn(
        repeat(leaderboards_interval, "leaderboards not told", [this] { return leaderboards.tick(); }));
    background.spawn(repeat(rates_interval, "exchange rates not updated", [this] { return update_rates(); }));
    background.spawn(repeat(partition_interval, "partitions not made",
                            [this] { return relational::make_partitions(*database, clock.now()); }));
    background.spawn(repeat(flags_interval, "gifts not looked at", [this] { return find_flags(); }));
    background.spawn(repeat(audit_interval, "ledger not audited", [this] { return audit(); }));
    if (has_peers)
        background.spawn(repeat(limits_interval, "limits not shared", [this] { return share_limits(); }));
}

asio::awaitable<void> Server::State::share_limits() {
    json::Array spent;
    for (const auto& one : limiter.spent(limits_told_max))
        spent.push_back(json::Array{one.key, one.time.count(), one.refill.count()});
    if (spent.empty()) co_return;
    try {
        co_await nodes.tell("limits.spent", {{"spent", std::move(spent)}});
    } catch (const Error& error) {  // the other nodes let a little more through
        log::debug("limits not shared", {{"error", error.message()}});
    }
}

asio::awaitable<void> Server::State::end_abandoned() {
    if (lease.held()) co_await streams.end_abandoned(settings.reconnect_grace);
}

asio::awaitable<void> Server::State::update_rates() {
    if (lease.held()) co_await rates.update();
}

asio::awaitable<void> Server::State::find_flags() {
    if (lease.held()) co_await oversight.find_flags();
}

asio::awaitable<void> Server::State::audit() {
    if (lease.held()) co_await oversight.audit_nightly();
    co_await oversight.report_audit();
}

asio::awaitable<void> Server::State::announce_left() {
    if (lease.held()) co_await chat.announce_left(unannounced_age);
}

asio::awaitable<void> Server::State::shut_down() {
    co_await background.stop();
    co_await gifts.stop();
    co_await events.stop();
    co_await chat.stop();
    co_await nodes.stop();
    co_await lease.stop();
    co_await realtime->stop();
}

Server::Server(Settings settings, Use use) : state_(std::make_unique<State>(std::move(settings), use)) {
    state_->threads.start();
    state_->run([this] { return state_->prepare(); });
}

Server::~Server() {
    if (state_->started && !state_->stopping) stop();
    state_->threads.stop();
}

void Server::start() {
    auto& state = *state_;
    state.http.listen();
    state.public_url = state.settings.public_url.empty() ? local_url(state.settings.http, state.http.port())
                                                         : state.settings.public_url;
    state.hub.start();
    state.add_routes();
    state.add_realtime();
    state.listen_to_nodes();
    state.origins.serve_at(state.settings.node_url.empty() ? local_url(state.settings.http, state.http.port())
                                                           : state.settings.node_url);
    state.run([&state]() -> asio::awaitable<void> {
        co_await state.nodes.start();
        co_await state.lease.start();
    });
    state.events.start();
    state.http.start();
    if (!state.settings.metrics.empty()) {
        add_metrics_route(state.metrics_router);
        state.metrics_server =
            std::make_unique<http::Server>(http_options(state.settings, state.settings.metrics),
                                           state.metrics_router, nullptr, nullptr, state.threads);
        state.metrics_server->start();
    }
    state.run([&state]() -> asio::awaitable<void> {
        state.start_jobs();
        co_return;
    });
    state.started = true;
    log::info("serving", {{"page", state.public_url},
                          {"http", state.http.port()},
                          {"rtmp", state.settings.rtmp.empty() ? 0 : state.hub.rtmp_port()},
                          {"metrics", state.metrics_server ? state.metrics_server->port() : 0},
                          {"data", state.settings.data.string()}});
}

void Server::stop() {
    auto& state = *state_;
    state.stopping = true;
    log::info("stopping");
    const auto grace = state.settings.stop_grace;
    // Clients are told first, so that they are on their way back while the rest winds down.
    state.gateway.stop(grace / 4);
    state.hub.stop(grace / 4);
    state.http.stop(grace / 2);
    if (state.metrics_server) state.metrics_server->stop(std::chrono::milliseconds(0));
    state.run([&state] { return state.shut_down(); });
    log::info("stopped");
}

std::vector<std::string> Server::describe_routes() {
    auto& state = *state_;
    state.add_routes();
    state.add_realtime();
    std::vector<std::string> lines;
    for (const auto* route : state.router.routes()) {
        lines.push_back(fmt::format("{} {} {}", http::to_string(route->method), route->pattern,
                                    route->options.operation_id));
    }
    for (const auto& path : state.http.upgrade_paths())
        lines.push_back(fmt::format("GET {} websocket", path));
    std::ranges::sort(lines);
    return lines;
}

const std::string& Server::public_url() const {
    return state_->public_url;
}
std::uint16_t Server::http_port() const {
    return state_->http.port();
}
std::uint16_t Server::rtmp_port() const {
    return state_->hub.rtmp_port();
}

std::optional<std::string> Server::setup_link() {
    std::optional<std::string> token;
    run([this, &token]() -> asio::awaitable<void> {
        token = co_await state_->accounts.create_setup_token();
    });
    if (!token) return std::nullopt;
    return state_->public_url + "/setup?token=" + *token;
}

void Server::run(std::function<asio::awaitable<void>()> work) {
    state_->run(std::move(work));
}

accounts::Service& Server::accounts() {
    return state_->accounts;
}
graph::Service& Server::graph() {
    return state_->graph;
}
streams::Service& Server::streams() {
    return state_->streams;
}
chat::Service& Server::chat() {
    return state_->chat;
}
gifts::Service& Server::gifts() {
    return state_->gifts;
}
ledger::Ledger& Server::ledger() {
    return state_->ledger;
}
IoThreads& Server::threads() {
    return state_->threads;
}

}  // namespace spaktok::app
