#include <atomic>
#include <future>
#include <iostream>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/commands/stop_signal.h"
#include "app/demo/audience.h"
#include "app/demo/broadcast.h"
#include "app/demo/seed.h"
#include "app/demo/settings.h"
#include "app/server.h"
#include "base/error.h"
#include "base/io_threads.h"
#include "base/log.h"
#include "features/gifts/gift_service.h"

namespace spaktok::app {

namespace asio = boost::asio;

namespace {

// The demo's parts over a server that runs, in the order in which they are made; they end in the other one.
class Demo {
  public:
    Demo(Server& server, Settings settings)
        : server_(server),
          settings_(std::move(settings)),
          seed_({.accounts = server.accounts(),
                 .graph = server.graph(),
                 .streams = server.streams(),
                 .chat = server.chat(),
                 .ledger = server.ledger(),
                 .clock = clock_,
                 .random = random_}) {}

    void look_around() {
        server_.run([this] { return seed_.look_around(); });
    }

    // The hosts come first, so that their broadcasts are on the way while the others move in.
    void start() {
        for (const auto& show : demo::shows())
            start_show(show);
        const auto everyone = demo::people();
        server_.run([this, everyone]() -> asio::awaitable<void> {
            for (const auto& person : everyone) {
                if (!is_host(person)) co_await seed_.settle({&person, 1});
            }
            co_await seed_.bring_to_life();
        });
        audience_.emplace(demo::Audience::Options{
            .server = demo::reachable(settings_.http, server_.http_port()),
            .password_of = [this](std::string_view username) { return seed_.resident(username).password; },
            .live_stream_of = [this](std::string_view host) { return live_stream_of(host); },
            .give = [this](std::string_view username, StreamId stream) { return give(username, stream); }});
        // Drawn while the place is alive already: each takes a process of its own.
        portraits_ = asio::co_spawn(server_.threads().context(0), seed_.portray(everyone, stopping_),
                                    asio::use_future);
    }

    void stop() {
        stopping_ = true;
        if (portraits_.valid()) portraits_.wait();
        audience_.reset();
        broadcasts_.clear();
    }

  private:
    static bool is_host(const demo::Person& person) {
        return std::ranges::any_of(demo::shows(),
                                   [&](const demo::Show& show) { return show.host == person.username; });
    }

    void start_show(const demo::Show& show) {
        const auto* person = &*std::ranges::find(demo::people(), show.host, &demo::Person::username);
        std::string key;
        server_.run([this, &show, &key, person]() -> asio::awaitable<void> {
            co_await seed_.settle({person, 1});
            co_await seed_.prepare(show);
            key = co_await server_.streams().rotate_key(seed_.resident(show.host).id);
        });
        if (settings_.rtmp.empty()) {
            log::warning("no demo broadcast: the setting `rtmp` is empty");
            return;
        }
        const auto rtmp = demo::reachable(settings_.rtmp, server_.rtmp_port());
        const bool is_ipv6 = rtmp.host.find(':') != std::string::npos;
        broadcasts_.push_back(std::make_unique<demo::Broadcast>(
            demo::broadcast_arguments({.ffmpeg = settings_.ffmpeg,
                                       .picture = std::string(show.picture),
                                       .sound = std::string(show.sound),
                                       .url = fmt::format("rtmp://{}{}{}:{}/live/{}", is_ipv6 ? "[" : "",
                                                          rtmp.host, is_ipv6 ? "]" : "", rtmp.port, key)})));
    }

    // The services live on the server's threads, the audience on its own.
    asio::awaitable<std::optional<StreamId>> live_stream_of(std::string_view host) {
        co_return co_await asio::co_spawn(server_.threads().context(0),
                                          server_.streams().live_of(seed_.resident(host).id),
                                          asio::use_awaitable);
    }

    // Small ones mostly; what cannot be sent (the show is over, the wallet is empty) is left.
    asio::awaitable<void> give(std::string_view username, StreamId stream) {
        co_await asio::co_spawn(server_.threads().context(0), give_some(seed_.resident(username).id, stream),
                                asio::use_awaitable);
    }
    asio::awaitable<void> give_some(UserId sender, StreamId stream) {
        auto catalogue = co_await server_.gifts().catalogue();
        std::erase_if(catalogue, [](const gifts::Gift& gift) { return !gift.is_active; });
        if (catalogue.empty()) co_return;
        const auto choice = std::min(random_.below(catalogue.size()), random_.below(catalogue.size()));
        const auto times = random_.below(3) == 0 ? 1 + random_.below(4) : 1;
        for (std::uint64_t i = 0; i < times; ++i) {
            const auto key = Uuid::v7(clock_.now(), random_).to_string();
            try {
                co_await server_.gifts().send({.sender = sender,
                                               .stream = stream,
                                               .gift = catalogue[choice].id,
                                               .key = idempotency::make_key(sender, key, key)});
            } catch (const Error& error) {
                log::debug("a gift of the demo was not sent", {{"error", error.message()}});
                co_return;
            }
        }
    }

    Server& server_;
    Settings settings_;
    SystemClock clock_;
    SystemRandom random_;
    demo::Seed seed_;
    std::vector<std::unique_ptr<demo::Broadcast>> broadcasts_;
    std::optional<demo::Audience> audience_;
    std::atomic<bool> stopping_{false};
    std::future<void> portraits_;
};

void tell(const Server& server) {
    std::cout << "\nSpaktok's demo is at      " << server.public_url() << "\n"
              << "Sign in with username     " << demo::people().front().username << "\n"
              << "and password              " << demo::visitor_password << "\n"
              << "Ctrl+C ends it.\n"
              << std::endl;
}

}  // namespace

int demo(Settings settings) {
    const StopSignal stop;
    settings = demo::demo_settings(std::move(settings));
    Server server(settings);
    Demo demo(server, std::move(settings));
    demo.look_around();
    server.start();
    demo.start();
    tell(server);
    log::info("signal received", {{"signal", stop.wait()}});
    demo.stop();
    server.stop();
    return 0;
}

}  // namespace spaktok::app
