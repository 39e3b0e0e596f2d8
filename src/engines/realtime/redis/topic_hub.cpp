#include "engines/realtime/redis/topic_hub.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/deadline.h"
#include "base/log.h"
#include "engines/realtime/redis/failure.h"
#include "engines/realtime/redis/keys.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// A subscriber waits this long at the most, and a reading so long for its word.
constexpr milliseconds join_max{1'900};
constexpr milliseconds step_max{1'700};
constexpr milliseconds retry_pause{100};
constexpr std::chrono::seconds upkeep_interval{1};
// Topics with subscribers are remembered however long nothing is said in them.
constexpr std::chrono::minutes refresh_interval{5};

// The message on its channel, as scripts::publish writes it: epoch, offset, payload. No epoch: not kept.
std::optional<TopicMessage> parse_message(std::string_view text) {
    const auto epoch_end = text.find('\n');
    if (epoch_end == std::string_view::npos) return std::nullopt;
    const auto offset_end = text.find('\n', epoch_end + 1);
    if (offset_end == std::string_view::npos) return std::nullopt;
    TopicMessage message{.position = {.epoch = std::string(text.substr(0, epoch_end))}, .payload = nullptr};
    const auto* end = text.data() + offset_end;
    const auto [stop, error] = std::from_chars(text.data() + epoch_end + 1, end, message.position.offset);
    if (error != std::errc{} || stop != end) return std::nullopt;
    message.payload = std::make_shared<const std::string>(text.substr(offset_end + 1));
    return message;
}

std::string verb_of_publishing(const Servers& servers) {
    return servers.is_cluster() ? "SPUBLISH" : "PUBLISH";
}

// An entry's id is `<milliseconds>-<offset>`.
std::uint64_t offset_of(std::string_view id) {
    return static_cast<std::uint64_t>(to_integer(id.substr(id.find('-') + 1)));
}

}  // namespace

// A question to the history, from its script to the word that it says.
struct TopicHub::Reading {
    Reading(TopicHub& owner, std::shared_ptr<Topic> read_topic)
        : hub(owner), topic(std::move(read_topic)), mark(owner.next_epoch()), marked(*owner.context_) {
        topic->readings.push_back(this);
        hub.marks_.emplace(mark, this);
    }
    ~Reading() {
        std::erase(topic->readings, this);
        hub.marks_.erase(mark);
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

    TopicHub& hub;
    const std::shared_ptr<Topic> topic;
    const std::string mark;
    Event marked;
    bool is_lost = false;            // the connection broke meanwhile
    std::vector<TopicMessage> held;  // what came after the mark
};

// Keeps the topic subscribed to.
class TopicHub::Use {
  public:
    Use(TopicHub& hub, std::shared_ptr<Topic> topic) : hub_(hub), topic_(std::move(topic)) {
        ++topic_->users;
    }
    ~Use() {
        if (!is_kept_) hub_.release(topic_);
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    void keep() { is_kept_ = true; }

  private:
    TopicHub& hub_;
    std::shared_ptr<Topic> topic_;
    bool is_kept_ = false;
};

TopicHub::TopicHub(Client& client, Random& random)
    : context_(client.context()),
      client_(client),
      servers_(client.servers()),
      // Six bytes are eight characters: with a number an epoch still fits into std::string itself.
      instance_(random.token(6)),
      // Channels know no database numbers, so the names do.
      own_channel_("node:" + instance_),
      channel_prefix_("db" + std::to_string(servers_.database()) + ":"),
      upkeep_(*context_),
      topics_gauge_(metrics::gauge("spaktok_redis_topics", "Topics that this node is subscribed to.")),
      lost_(metrics::counter("spaktok_redis_topics_lost_total",
                             "Times that a topic's subscribers were told to load it anew.")) {}

void TopicHub::start() {
    servers_.on_map([this] { listen_to_servers(); });
    listen_to_servers();
    asio::co_spawn(*context_, keep_up(), asio::detached);
}

void TopicHub::close() {
    is_closed_ = true;
    upkeep_.cancel();
    for (const auto& ear : ears_)
        ear->line->close();
}

std::string TopicHub::next_epoch() {
    char number[16];
    constexpr int base = 36;
    const auto [end, error] = std::to_chars(number, number + sizeof number, next_number_++, base);
    return instance_ + std::string(number, end);
}

std::string TopicHub::channel_of(std::string_view topic) const {
    return channel_prefix_ + keys::of_topic(topic);
}

std::string TopicHub::own_channel_of(std::string_view topic) const {
    return servers_.is_cluster() ? "node:" + keys::tagged(topic) + ":" + instance_ : own_channel_;
}

// Those that come and go with the topic.
std::vector<std::string> TopicHub::channels_of(std::string_view topic) const {
    if (servers_.is_cluster()) return {channel_of(topic), own_channel_of(topic)};
    return {channel_of(topic)};
}

std::shared_ptr<TopicHub::Topic> TopicHub::topic_of(std::string_view channel) const {
    const std::string topics_prefix = channel_prefix_ + std::string(keys::topic_prefix);
    if (!channel.starts_with(topics_prefix)) return nullptr;
    const auto found = topics_.find(keys::topic_of(channel.substr(channel_prefix_.size())));
    return found == topics_.end() ? nullptr : found->second;
}

// ---- Publishing

asio::awaitable<Position> TopicHub::publish(std::string name, std::string payload, HistoryLimits history) {
    const auto found = topics_.find(name);
    if (found != topics_.end()) {
        for (const auto& group : found->second->groups) {
            if (group.mailbox->is_full()) throw busy("a subscribers' thread is behind: " + name);
        }
    }
    const std::string key = keys::of_topic(name);
    if (history.messages_max == 0) {
        co_await client_.execute(
            {.name = "publish_unkept",
             .key = key,
             .words = {verb_of_publishing(servers_), channel_of(name), "\n0\n" + std::move(payload)}});
        co_return Position{};
    }
    const Reply answer = co_await client_.execute(
        scripts::publish, {key, keys::of_topic_state(name)}, [&](const std::string& run_id) {
            return std::vector<std::string>{
                run_id,
                next_epoch(),
                std::to_string(history.messages_max),
                std::to_string(milliseconds(history.age_max).count()),
                std::to_string(milliseconds(idle_max).count()),
                verb_of_publishing(servers_),
                channel_of(name),
                payload,
            };
        });
    co_return Position{.epoch = std::string(answer[0].text()),
                       .offset = static_cast<std::uint64_t>(to_integer(answer[1].text()))};
}

// ---- The listening connections

// One with each master that is known now.
void TopicHub::listen_to_servers() {
    if (is_closed_) return;
    std::vector<std::shared_ptr<Ear>> ears;
    for (const auto& server : servers_.known()) {
        const auto found = std::ranges::find(ears_, server->endpoint, &Ear::server);
        ears.push_back(found == ears_.end() ? open_ear(server->endpoint) : *found);
    }
    const auto before = std::exchange(ears_, std::move(ears));
    for (const auto& [name, topic] : topics_) {
        const auto had = topic->ear;
        if (had == ear_of(topic->slot)) continue;
        serve_anew(topic);
        if (had) ask(*had, false, channels_of(name));
    }
    for (const auto& ear : before) {
        if (std::ranges::find(ears_, ear) != ears_.end()) continue;
        ear->line->close();
        on_close(*ear);
    }
}

std::shared_ptr<TopicHub::Ear> TopicHub::open_ear(const Endpoint& server) {
    const auto ear = std::make_shared<Ear>(Ear{.server = server, .line = nullptr});
    const std::weak_ptr<Ear> weak = ear;
    const auto with_ear = [weak](auto&& work) {
        if (const auto alive = weak.lock()) work(*alive);
    };
    ear->line = servers_.listening_line(
        server,
        {.connection = {.on_push =
                            [this, with_ear](const Reply& push) {
                                with_ear([&](Ear& alive) { on_push(alive, push); });
                            }},
         .on_open = [this, with_ear](const auto&) { with_ear([this](Ear& alive) { on_open(alive); }); },
         .on_close = [this, with_ear] { with_ear([this](Ear& alive) { on_close(alive); }); }});
    ear->line->start();
    return ear;
}

std::shared_ptr<TopicHub::Ear> TopicHub::ear_of(std::size_t slot) const {
    const auto& server = servers_.current(slot);
    if (!server) return nullptr;
    const auto found = std::ranges::find(ears_, server->endpoint, &Ear::server);
    return found == ears_.end() ? nullptr : *found;
}

void TopicHub::on_open(Ear& ear) {
    if (!servers_.is_cluster()) ask(ear, true, {own_channel_});
    for (const auto& [name, topic] : topics_) {
        if (topic->ear.get() == &ear) serve_anew(topic);
    }
}

void TopicHub::on_close(Ear& ear) {
    for (const auto& [name, topic] : topics_) {
        if (topic->ear.get() == &ear) stop_serving(*topic);
    }
    for (const auto& request : std::exchange(ear.requests, {}))
        request->done.set();
}

void TopicHub::stop_serving(Topic& topic) {
    ++topic.generation;
    if (topic.live->is_set()) topic.live = std::make_shared<Event>(*context_);
    for (Reading* reading : topic.readings) {
        reading->is_lost = true;
        reading->marked.set();
    }
}

std::shared_ptr<TopicHub::Request> TopicHub::ask(Ear& ear, bool subscribes,
                                                 std::vector<std::string> channels) {
    auto request = std::make_shared<Request>(*context_);
    request->subscribes = subscribes;
    request->unconfirmed = channels;
    const auto open = ear.line->current();
    if (!open) {
        request->is_refused = true;
        request->done.set();
        return request;
    }
    ear.requests.push_back(request);
    std::string verb = subscribes ? "SUBSCRIBE" : "UNSUBSCRIBE";
    channels.insert(channels.begin(), servers_.is_cluster() ? 'S' + verb : verb);
    open->send(encode(channels));
    return request;
}

void TopicHub::on_push(Ear& ear, const Reply& push) {
    if (push.is_error()) return on_refusal(ear, push.text());
    if (!push.is_list()) return;  // it answers a PING where it is subscribed to nothing
    const auto kind = push[0].text();
    if (kind == "message" || kind == "smessage") {
        on_channel_message(push[1].text(), push[2].text());
    } else if (kind == "subscribe" || kind == "ssubscribe") {
        on_confirmation(ear, true, push[1].text());
    } else if (kind == "unsubscribe" || kind == "sunsubscribe") {
        on_confirmation(ear, false, push[1].text());
    }
}

void TopicHub::on_channel_message(std::string_view channel, std::string_view text) {
    if (channel.starts_with("node:")) {
        const auto found = marks_.find(std::string(text));
        if (found != marks_.end()) found->second->marked.set();
        return;
    }
    const auto topic = topic_of(channel);
    if (!topic) return;  // left since
    auto message = parse_message(text);
    if (message) on_message(topic, std::move(*message));
}

void TopicHub::on_confirmation(Ear& ear, bool subscribes, std::string_view channel) {
    if (!ear.requests.empty() && ear.requests.front()->subscribes == subscribes) {
        const auto request = ear.requests.front();
        if (std::erase(request->unconfirmed, channel) > 0) {
            if (!request->unconfirmed.empty()) return;
            ear.requests.pop_front();
            return request->done.set();
        }
    }
    if (subscribes) return;
    // The slot is another server's now.
    servers_.ask_again();
    const auto topic = topic_of(channel);
    if (topic && topic->ear.get() == &ear) serve_anew(topic);
}

// In a cluster the server may no longer have the slot; else it is about the whole connection.
void TopicHub::on_refusal(Ear& ear, std::string_view error) {
    if (!servers_.is_cluster() || ear.requests.empty()) {
        log::warning("Redis refuses to be listened to", {{"detail", error}});
        if (const auto open = ear.line->current()) open->close();
        return;
    }
    servers_.ask_again();
    const auto request = std::move(ear.requests.front());
    ear.requests.pop_front();
    request->is_refused = true;
    request->done.set();
}

// From the beginning, at the server that has it now.
void TopicHub::serve_anew(const std::shared_ptr<Topic>& topic) {
    stop_serving(*topic);
    topic->ear = ear_of(topic->slot);
    if (topic->ear && topic->ear->line->current())
        asio::co_spawn(*context_, bring_up(topic, topic->generation), asio::detached);
}

// Subscribes and hands on what was missed; then the topic is served.
asio::awaitable<void> TopicHub::bring_up(std::shared_ptr<Topic> topic, std::uint64_t generation) {
    const auto self = shared_from_this();
    if (topic->generation != generation) co_return;
    asio::steady_timer timer(*context_);
    while (!co_await listen(topic) || (topic->position && !co_await catch_up(topic))) {
        if (topic->generation != generation) co_return;
        timer.expires_after(retry_pause);
        co_await timer.async_wait(asio::use_awaitable);
        if (topic->generation != generation || is_closed_) co_return;
    }
    if (topic->generation == generation) topic->live->set();
}

// False where the server refused, or is gone.
asio::awaitable<bool> TopicHub::listen(const std::shared_ptr<Topic>& topic) {
    const auto request = ask(*topic->ear, true, channels_of(topic->name));
    co_await request->done.wait();
    co_return !request->is_refused;
}

// False where it did not work out.
asio::awaitable<bool> TopicHub::catch_up(const std::shared_ptr<Topic>& topic) {
    const std::uint64_t generation = topic->generation;
    Recovered missed;
    try {
        missed = co_await read(topic, topic->position);
    } catch (const Error& error) {
        log::debug("a topic could not be read again; it is tried again", {{"detail", error.detail()}});
        co_return false;
    }
    if (topic->generation != generation) co_return false;
    // Where nothing was ever kept, nothing of it can be missing.
    const bool was_empty = topic->position->offset == 0 && missed.position.offset == 0;
    for (const auto& message : missed.messages)
        deliver(*topic, message);
    topic->position = missed.position;
    if (!missed.complete && !was_empty) {
        lost_.add();
        for (auto& group : topic->groups)
            tell_lost(*topic, group);
    }
    co_return true;
}

// ---- Reading

asio::awaitable<Recovered> TopicHub::read(std::shared_ptr<Topic> topic, std::optional<Position> since) {
    Reading reading(*this, topic);
    const Reply answer = co_await client_.execute(
        scripts::read_topic, {keys::of_topic(topic->name), keys::of_topic_state(topic->name)},
        [&](const std::string& run_id) {
            std::vector<std::string> arguments{run_id,
                                               next_epoch(),
                                               std::to_string(milliseconds(idle_max).count()),
                                               verb_of_publishing(servers_),
                                               own_channel_of(topic->name),
                                               reading.mark};
            if (since) {
                arguments.push_back(since->epoch);
                arguments.push_back(std::to_string(since->offset));
            }
            return arguments;
        });
    if (!reading.marked.is_set()) {
        bool is_late = false;
        try {
            co_await with_deadline(reading.marked.wait(), step_max);
        } catch (const Error&) {
            is_late = true;
        }
        if (is_late) throw unavailable("the listening connection is behind");
    }
    if (reading.is_lost) throw unavailable("the listening connection ended");
    co_return recovered_of(answer, reading, since.has_value());
}

// What the history said, and what came since.
Recovered TopicHub::recovered_of(const Reply& answer, const Reading& reading, bool wants_messages) const {
    Recovered recovered{.complete = answer[2].integer() == 1,
                        .position = {.epoch = std::string(answer[0].text()),
                                     .offset = static_cast<std::uint64_t>(to_integer(answer[1].text()))},
                        .messages = {}};
    const Reply entries = answer[3];
    for (std::size_t i = entries.size(); i-- > 0;) {
        recovered.messages.push_back(
            {.position = {.epoch = recovered.position.epoch, .offset = offset_of(entries[i][0].text())},
             .payload = std::make_shared<const std::string>(entries[i][1][1].text())});
    }
    for (const auto& message : reading.held) {
        if (message.position.offset == 0) continue;
        if (message.position.epoch != recovered.position.epoch && wants_messages) recovered.complete = false;
        recovered.position = message.position;
        if (wants_messages) recovered.messages.push_back(message);
    }
    if (!recovered.complete) recovered.messages.clear();
    return recovered;
}

// ---- Joining and leaving

std::shared_ptr<TopicHub::Topic> TopicHub::ensure(const std::string& name) {
    const auto found = topics_.find(name);
    if (found != topics_.end()) return found->second;
    if (topics_.size() >= topics_max) throw busy("too many topics");
    const auto topic = std::make_shared<Topic>(*context_, name, servers_.slot_of(keys::of_topic(name)));
    topics_.emplace(name, topic);
    topics_gauge_.set(static_cast<double>(topics_.size()));
    serve_anew(topic);
    return topic;
}

void TopicHub::release(const std::shared_ptr<Topic>& topic) {
    if (--topic->users > 0) return;
    stop_serving(*topic);
    topics_.erase(topic->name);
    topics_gauge_.set(static_cast<double>(topics_.size()));
    if (topic->ear) ask(*topic->ear, false, channels_of(topic->name));
}

TopicHub::Group& TopicHub::group_of(Topic& topic, const std::shared_ptr<Mailbox>& mailbox) {
    for (auto& group : topic.groups) {
        if (group.mailbox == mailbox) return group;
    }
    return topic.groups.emplace_back(Group{.mailbox = mailbox, .listeners = std::make_shared<Listeners>()});
}

asio::awaitable<TopicHub::Member> TopicHub::join(std::string name, std::optional<Position> since,
                                                 std::shared_ptr<Mailbox> mailbox,
                                                 std::shared_ptr<Listener> listener) {
    try {
        co_return co_await with_deadline(
            join_served(std::move(name), std::move(since), std::move(mailbox), std::move(listener)),
            join_max);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::deadline_exceeded) throw;
    }
    throw unavailable("the topic takes too long");
}

asio::awaitable<TopicHub::Member> TopicHub::join_served(std::string name, std::optional<Position> since,
                                                        std::shared_ptr<Mailbox> mailbox,
                                                        std::shared_ptr<Listener> listener) {
    const auto topic = ensure(name);
    Use use(*this, topic);
    for (;;) {
        const auto live = topic->live;
        if (!live->is_set()) {
            co_await servers_.owner(topic->slot);  // both refuse at once where there is none
            if (const auto ear = topic->ear) co_await ear->line->connection();
            co_await live->wait();
        }
        auto member = co_await try_join(topic, since, mailbox, listener);
        if (!member) continue;
        use.keep();
        co_return std::move(*member);
    }
}

// Nothing where the topic stopped being served meanwhile.
asio::awaitable<std::optional<TopicHub::Member>> TopicHub::try_join(
    const std::shared_ptr<Topic>& topic, const std::optional<Position>& since,
    const std::shared_ptr<Mailbox>& mailbox, const std::shared_ptr<Listener>& listener) {
    const std::uint64_t generation = topic->generation;
    Recovered recovered;
    try {
        recovered = co_await read(topic, since);
    } catch (const Error&) {
        if (topic->generation == generation) throw;
        co_return std::nullopt;
    }
    if (topic->generation != generation || !topic->live->is_set()) co_return std::nullopt;
    // From here to the listener in the mailbox nothing else runs.
    if (!topic->position) topic->position = recovered.position;
    Group& group = group_of(*topic, mailbox);
    ++group.count;
    Member member{.mailbox = mailbox, .listeners = group.listeners, .recovered = std::move(recovered)};
    if (mailbox->push({.listeners = group.listeners, .message = {}, .joining = listener}))
        mailbox->schedule();
    co_return member;
}

void TopicHub::leave(const std::string& name, const std::shared_ptr<Listeners>& listeners) {
    const auto found = topics_.find(name);
    if (found == topics_.end()) return;
    const auto topic = found->second;
    const auto group = std::ranges::find(topic->groups, listeners, &Group::listeners);
    if (group == topic->groups.end()) return;
    if (--group->count == 0) topic->groups.erase(group);
    release(topic);
}

// ---- Messages

bool TopicHub::follows(const Topic& topic, const Position& position) const {
    if (!topic.position) return true;
    if (topic.position->epoch == position.epoch) return position.offset == topic.position->offset + 1;
    return position.offset == 1;
}

void TopicHub::on_message(const std::shared_ptr<Topic>& topic, TopicMessage message) {
    for (Reading* reading : topic->readings) {
        if (reading->marked.is_set()) reading->held.push_back(message);
    }
    if (!topic->live->is_set()) return;
    if (message.position.offset != 0) {
        const bool is_old = topic->position && topic->position->epoch == message.position.epoch &&
                            message.position.offset <= topic->position->offset;
        if (is_old) return;
        if (!follows(*topic, message.position)) {
            // Something between is missing: what the history has of it comes first.
            return serve_anew(topic);
        }
        topic->position = message.position;
    }
    deliver(*topic, message);
}

void TopicHub::deliver(Topic& topic, const TopicMessage& message) {
    for (auto& group : topic.groups) {
        if (group.has_lost && !group.mailbox->is_full()) tell_lost(topic, group);
        if (group.mailbox->is_full()) {
            group.has_lost = has_lost_ = true;
            continue;
        }
        if (group.mailbox->push({.listeners = group.listeners, .message = message, .joining = nullptr}))
            group.mailbox->schedule();
    }
}

void TopicHub::tell_lost(Topic& topic, Group& group) {
    group.has_lost = false;
    const TopicMessage lost{.position = *topic.position, .payload = nullptr};
    if (group.mailbox->push({.listeners = group.listeners, .message = lost, .joining = nullptr}))
        group.mailbox->schedule();
}

// ---- Upkeep

asio::awaitable<void> TopicHub::keep_up() {
    const auto self = shared_from_this();
    auto refreshed_at = steady_clock::now();
    while (!is_closed_) {
        upkeep_.expires_after(upkeep_interval);
        boost::system::error_code cancelled;
        co_await upkeep_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
        if (is_closed_) co_return;
        if (std::exchange(has_lost_, false)) {
            for (const auto& [name, topic] : topics_) {
                for (auto& group : topic->groups) {
                    if (!group.has_lost) continue;
                    if (group.mailbox->is_full()) {
                        has_lost_ = true;
                    } else {
                        tell_lost(*topic, group);
                    }
                }
            }
        }
        if (steady_clock::now() - refreshed_at < refresh_interval) continue;
        refreshed_at = steady_clock::now();
        for (const auto& [name, topic] : topics_)
            refresh(*topic);
    }
}

void TopicHub::refresh(const Topic& topic) {
    const std::string state = keys::of_topic_state(topic.name);
    asio::co_spawn(
        *context_,
        client_.execute({.name = "refresh",
                         .key = keys::of_topic(topic.name),
                         .words = {"PEXPIRE", state, std::to_string(milliseconds(idle_max).count()), "GT"}}),
        asio::detached);
}

}  // namespace spaktok::realtime::redis
