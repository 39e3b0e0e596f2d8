#include "app/demo/audience.h"

#include <array>
#include <chrono>
#include <deque>
#include <set>
#include <thread>
#include <unordered_map>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/task_group.h"

namespace spaktok::demo {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

// People type at three to twelve characters a second, and think first.
constexpr milliseconds pause_min{2000};
constexpr milliseconds pause_max{12'000};
constexpr milliseconds think{1500};
constexpr milliseconds per_character{70};
constexpr milliseconds check_again{1000};
constexpr std::size_t greeted_max = 1000;  // names kept; whoever comes then is not greeted
constexpr std::size_t waiting_guests_max = 20;

// Hearts are what most people tap.
constexpr std::array<const char*, 8> reactions{"heart", "heart", "heart", "fire",
                                               "clap",  "clap",  "laugh", "wow"};

struct Guest {
    std::string name;
    std::string message;
};

}  // namespace

// One show and those who watch it; everything runs on the audience's thread.
class Room {
  public:
    Room(asio::any_io_executor executor, const Show& show, const Audience::Options& options)
        : executor_(executor), show_(show), options_(options) {
        add(show.host, [this](const json::Object& event) { heard(event); });
        for (const auto username : show.audience)
            add(username, nullptr);
    }

    std::vector<std::shared_ptr<Client>> clients() const {
        std::vector<std::shared_ptr<Client>> all;
        all.reserve(clients_.size());
        for (const auto& [username, client] : clients_)
            all.push_back(client);
        return all;
    }

    asio::awaitable<void> direct() {
        std::size_t next = 2;  // the first two were said before the show
        for (;;) {
            bool played = false;
            try {
                played = co_await gather();
                if (played) co_await play(show_.conversations[order(next++)]);
            } catch (const Error& error) {
                log::warning("demo audience interrupted", {{"host", show_.host}, {"error", error.message()}});
                played = false;
            }
            if (!played) co_await pause(check_again);
        }
    }

  private:
    void add(std::string_view username, std::function<void(const json::Object&)> on_event) {
        clients_[std::string(username)] =
            std::make_shared<Client>(executor_, Client::Options{.server = options_.server,
                                                                .username = std::string(username),
                                                                .password = options_.password_of(username),
                                                                .on_event = std::move(on_event)});
    }

    // Once through in the order written, then in a random one, never the same twice in a row.
    std::size_t order(std::size_t turn) {
        const std::size_t count = show_.conversations.size();
        if (turn < count) return last_ = turn;
        last_ = (last_ + 1 + static_cast<std::size_t>(random_.below(count - 1))) % count;
        return last_;
    }

    asio::awaitable<void> pause(milliseconds time) {
        asio::steady_timer timer(executor_, time);
        co_await timer.async_wait(asio::use_awaitable);
    }
    asio::awaitable<void> pause_for(std::string_view text) {
        const auto jitter = milliseconds(static_cast<std::int64_t>(random_.below(2500)));
        co_await pause(std::clamp(think + per_character * static_cast<std::int64_t>(text.size()) + jitter,
                                  pause_min, pause_max));
    }

    // Everyone joins what is live; false where nothing is, or nobody could.
    asio::awaitable<bool> gather() {
        const auto live = co_await options_.live_stream_of(show_.host);
        if (!live) co_return false;
        stream_ = live->to_string();
        bool anyone = false;
        for (const auto& client : clients()) {
            if (co_await client->join(stream_)) anyone = true;
        }
        co_return anyone;
    }

    asio::awaitable<void> play(const Conversation& conversation) {
        std::vector<std::optional<std::string>> said;
        for (const auto& line : conversation) {
            co_await greet_guests();
            co_await pause_for(line.text);
            const auto reply_to = line.reply_to ? said.at(*line.reply_to) : std::nullopt;
            const auto& speaker = clients_.at(std::string(line.speaker));
            said.push_back(co_await speaker->say(stream_, std::string(line.text), reply_to));
            if (!said.back()) co_return;  // the stream is over or the connection is lost: gather again
            if (random_.below(3) == 0) co_await applaud();
            if (random_.below(4) == 0) co_await give();
        }
    }

    // A few of the audience tap, some of them more than once.
    asio::awaitable<void> applaud() {
        const auto taps = 1 + random_.below(4);
        for (std::uint64_t i = 0; i < taps; ++i) {
            const auto who = show_.audience[random_.below(show_.audience.size())];
            co_await clients_.at(std::string(who))
                ->react(stream_, reactions[random_.below(reactions.size())]);
            co_await pause(milliseconds(200 + static_cast<std::int64_t>(random_.below(600))));
        }
    }

    // One of the audience sends a gift, now and then the same a few times in a row.
    asio::awaitable<void> give() {
        const auto stream = StreamId::parse(stream_);
        if (!stream) co_return;
        co_await options_.give(show_.audience[random_.below(show_.audience.size())], *stream);
    }

    // Someone who is none of us spoke: the host answers once.
    void heard(const json::Object& event) {
        const auto* name = event.if_contains("event");
        if (name == nullptr || !name->is_string() || name->as_string() != "message.created") return;
        const auto& message = event.at("data").at("message");
        const std::string username(message.at("sender").at("username").as_string());
        if (clients_.contains(username) || greeted_.size() >= greeted_max ||
            guests_.size() >= waiting_guests_max || !greeted_.insert(username).second)
            return;
        guests_.push_back({.name = std::string(message.at("sender").at("display_name").as_string()),
                           .message = std::string(message.at("id").as_string())});
    }

    asio::awaitable<void> greet_guests() {
        while (!guests_.empty()) {
            const Guest guest = guests_.front();
            guests_.pop_front();
            std::string text(show_.greetings[greetings_++ % show_.greetings.size()]);
            text.replace(text.find("{}"), 2, guest.name);
            co_await pause_for("hello");
            co_await clients_.at(std::string(show_.host))->say(stream_, std::move(text), guest.message);
        }
    }

    asio::any_io_executor executor_;
    const Show& show_;
    const Audience::Options& options_;
    std::unordered_map<std::string, std::shared_ptr<Client>> clients_;
    std::string stream_;
    std::set<std::string> greeted_;
    std::deque<Guest> guests_;
    std::size_t greetings_ = 0;
    std::size_t last_ = 0;
    SystemRandom random_;
};

struct Audience::State {
    explicit State(Options given)
        : options(std::move(given)), tasks(context.get_executor(), "demo audience") {}

    Options options;
    asio::io_context context{1};
    TaskGroup tasks;
    std::vector<std::unique_ptr<Room>> rooms;
    std::thread thread;
};

Audience::Audience(Options options) : state_(std::make_unique<State>(std::move(options))) {
    auto& state = *state_;
    for (const auto& show : shows()) {
        state.rooms.push_back(std::make_unique<Room>(state.context.get_executor(), show, state.options));
        for (const auto& client : state.rooms.back()->clients())
            state.tasks.spawn(client->run());
        state.tasks.spawn(state.rooms.back()->direct());
    }
    state.thread = std::thread([&state] { state.context.run(); });
}

Audience::~Audience() {
    auto& state = *state_;
    asio::co_spawn(state.context, state.tasks.stop(), asio::use_future).get();
    state.thread.join();
}

}  // namespace spaktok::demo
