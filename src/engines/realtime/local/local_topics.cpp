#include "engines/realtime/local/local_topics.h"

#include <algorithm>
#include <limits>

#include <boost/container/small_vector.hpp>

#include "base/assert.h"
#include "base/error.h"
#include "engines/realtime/limits.h"

namespace spaktok::realtime::local {

namespace asio = boost::asio;

namespace {

Error busy(std::string detail) {
    return Error(ErrorCode::unavailable, "The server is busy. Try again in a moment.",
                 {.reason = "busy", .detail = std::move(detail), .retry_after = std::chrono::seconds(1)});
}

// The subscribers of a topic on one executor, and how many they are.
struct Group {
    std::shared_ptr<Mailbox> mailbox;
    std::shared_ptr<Listeners> listeners;
    std::size_t count = 0;
};

struct Topic {
    std::string name;
    std::string epoch;
    std::uint64_t offset = 0;
    HistoryLimits limits;
    std::optional<std::deque<KeptMessage>> history;  // an empty deque takes half a kilobyte
    std::vector<Group> groups;
    Timestamp used_at{};

    void keep(std::shared_ptr<const std::string> payload, const HistoryLimits& now_in_force, Timestamp now) {
        limits = now_in_force;
        if (!history) history.emplace();
        history->push_back({.offset = offset, .at = now, .payload = std::move(payload)});
        trim(now);
    }
    void trim(Timestamp now) {
        if (!history) return;
        while (!history->empty() &&
               (history->size() > limits.messages_max || history->front().at + limits.age_max <= now)) {
            history->pop_front();
        }
        if (history->empty()) history.reset();
    }
    bool is_idle() const { return groups.empty() && !history; }
    std::uint64_t oldest_kept() const { return history ? history->front().offset : offset + 1; }
    std::size_t kept() const { return history ? history->size() : 0; }

    Recovered recover(const std::optional<Position>& since) const {
        Recovered recovered{
            .complete = !since, .position = {.epoch = epoch, .offset = offset}, .messages = {}};
        if (!since || since->epoch != epoch || since->offset > offset || since->offset + 1 < oldest_kept())
            return recovered;
        recovered.complete = true;
        const std::size_t first = kept() - static_cast<std::size_t>(offset - since->offset);
        for (std::size_t i = first; i < kept(); ++i) {
            const KeptMessage& message = (*history)[i];
            recovered.messages.push_back({{.epoch = epoch, .offset = message.offset}, message.payload});
        }
        return recovered;
    }
};

struct Shard {
    std::mutex mutex;
    StringMap<std::shared_ptr<Topic>> topics;
    bool closed = false;
};

// Posts to the mailboxes that need it when destroyed: declared before the lock, so after it is released.
class ScheduleLater {
  public:
    ~ScheduleLater() {
        for (const auto& mailbox : mailboxes_)
            mailbox->schedule();
    }
    void push(const std::shared_ptr<Mailbox>& mailbox, Delivery delivery) {
        if (mailbox->push(std::move(delivery))) mailboxes_.push_back(mailbox);
    }

  private:
    boost::container::small_vector<std::shared_ptr<Mailbox>, 16> mailboxes_;
};

std::string to_base36(std::uint64_t number) {
    std::string text;
    do {
        text.push_back("0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
        number /= 36;
    } while (number > 0);
    return text;
}

}  // namespace

struct LocalTopics::State {
    State(const Clock& time, std::string run) : clock(time), run_id(std::move(run)) {}

    const Clock& clock;
    const std::string run_id;
    std::atomic<std::uint64_t> next_epoch{0};
    std::atomic<std::size_t> topics_count{0};
    Sharded<Shard> shards;
    Mailboxes mailboxes;

    // Under the shard's lock, as is what follows.
    const std::shared_ptr<Topic>& ensure(Shard& shard, std::string_view name) {
        if (const auto found = shard.topics.find(name); found != shard.topics.end()) return found->second;
        if (topics_count.load() >= topics_max) throw busy("too many topics");
        auto topic = std::make_shared<Topic>();
        topic->name = std::string(name);
        // Short enough to stay inside std::string: positions are copied with every message.
        topic->epoch = run_id + to_base36(next_epoch++);
        ++topics_count;
        return shard.topics.emplace(topic->name, topic).first->second;
    }
    Group& group_of(Topic& topic, const std::shared_ptr<Mailbox>& mailbox) {
        for (auto& group : topic.groups) {
            if (group.mailbox == mailbox) return group;
        }
        return topic.groups.emplace_back(
            Group{.mailbox = mailbox, .listeners = std::make_shared<Listeners>()});
    }

    Position publish(std::string_view name, std::string payload, const HistoryLimits& history);
    struct Joined {
        std::shared_ptr<Topic> topic;
        std::shared_ptr<Listeners> listeners;
        Recovered recovered;
    };
    Joined join(const std::string& name, const std::optional<Position>& since,
                const std::shared_ptr<Mailbox>& mailbox, std::shared_ptr<Listener> listener);
    void leave(Topic& topic, const std::shared_ptr<Listeners>& listeners);
};

class LocalTopics::LocalSubscription final : public Subscription {
  public:
    LocalSubscription(std::shared_ptr<State> state, std::shared_ptr<Topic> topic,
                      std::shared_ptr<Listeners> listeners, std::shared_ptr<Listener> listener)
        : state_(std::move(state)),
          topic_(std::move(topic)),
          listeners_(std::move(listeners)),
          listener_(std::move(listener)) {}
    ~LocalSubscription() override {
        listeners_->leave(listener_);
        state_->leave(*topic_, listeners_);
    }
    LocalSubscription(const LocalSubscription&) = delete;
    LocalSubscription& operator=(const LocalSubscription&) = delete;

  private:
    std::shared_ptr<State> state_;
    std::shared_ptr<Topic> topic_;
    std::shared_ptr<Listeners> listeners_;
    std::shared_ptr<Listener> listener_;
};

Position LocalTopics::State::publish(std::string_view name, std::string payload,
                                     const HistoryLimits& history) {
    const bool kept = history.messages_max > 0;
    auto shared = std::make_shared<const std::string>(std::move(payload));
    const Timestamp now = clock.now();
    ScheduleLater later;
    Shard& shard = shards.of(name);
    const std::scoped_lock lock(shard.mutex);
    if (shard.closed) throw busy("topics are closed");
    const auto found = shard.topics.find(name);
    if (!kept && found == shard.topics.end()) return {};  // nobody listens, and nothing is kept
    Topic& topic = found != shard.topics.end() ? *found->second : *ensure(shard, name);
    for (const auto& group : topic.groups) {
        if (group.mailbox->is_full()) throw busy("a subscribers' thread is behind: " + topic.name);
    }
    topic.used_at = now;
    Position position{.epoch = topic.epoch, .offset = kept ? ++topic.offset : 0};
    if (kept) topic.keep(shared, history, now);
    for (const auto& group : topic.groups) {
        later.push(group.mailbox,
                   {.listeners = group.listeners, .message = {position, shared}, .joining = nullptr});
    }
    return position;
}

LocalTopics::State::Joined LocalTopics::State::join(const std::string& name,
                                                    const std::optional<Position>& since,
                                                    const std::shared_ptr<Mailbox>& mailbox,
                                                    std::shared_ptr<Listener> listener) {
    const Timestamp now = clock.now();
    ScheduleLater later;
    Shard& shard = shards.of(name);
    const std::scoped_lock lock(shard.mutex);
    const std::shared_ptr<Topic>& topic = ensure(shard, name);
    topic->used_at = now;
    topic->trim(now);
    Group& group = group_of(*topic, mailbox);
    ++group.count;
    later.push(mailbox, {.listeners = group.listeners, .message = {}, .joining = std::move(listener)});
    return {.topic = topic, .listeners = group.listeners, .recovered = topic->recover(since)};
}

void LocalTopics::State::leave(Topic& topic, const std::shared_ptr<Listeners>& listeners) {
    const Timestamp now = clock.now();
    const std::scoped_lock lock(shards.of(topic.name).mutex);
    const auto group = std::find_if(topic.groups.begin(), topic.groups.end(),
                                    [&](const Group& each) { return each.listeners == listeners; });
    SPAKTOK_ASSERT(group != topic.groups.end());
    if (--group->count == 0) topic.groups.erase(group);
    topic.used_at = now;
}

LocalTopics::LocalTopics(const Clock& clock, std::string run_id)
    : state_(std::make_shared<State>(clock, std::move(run_id))) {}

asio::awaitable<Position> LocalTopics::publish(std::string topic, std::string payload,
                                               HistoryLimits history) {
    check_publish(topic, payload, history);
    co_return state_->publish(topic, std::move(payload), history);
}

asio::awaitable<Topics::Subscribed> LocalTopics::subscribe(std::string name, std::optional<Position> since,
                                                           asio::any_io_executor executor,
                                                           OnMessage on_message) {
    check_topic(name);
    auto listener = std::make_shared<Listener>(Listener{.on_message = std::move(on_message)});
    State::Joined joined = state_->join(name, since, state_->mailboxes.of(executor), listener);
    Subscribed subscribed{.subscription = nullptr, .recovered = std::move(joined.recovered)};
    subscribed.subscription = std::make_unique<LocalSubscription>(
        state_, std::move(joined.topic), std::move(joined.listeners), std::move(listener));
    co_return subscribed;
}

void LocalTopics::sweep() {
    const Timestamp now = state_->clock.now();
    for (Shard& shard : state_->shards) {
        const std::scoped_lock lock(shard.mutex);
        const auto forgotten = std::erase_if(shard.topics, [&](const auto& each) {
            each.second->trim(now);
            return each.second->is_idle() && each.second->used_at + idle_max <= now;
        });
        state_->topics_count -= forgotten;
    }
}

void LocalTopics::restore(std::vector<SavedTopic> topics) {
    const Timestamp now = state_->clock.now();
    for (auto& saved : topics) {
        Shard& shard = state_->shards.of(saved.name);
        const std::scoped_lock lock(shard.mutex);
        Topic& topic = *state_->ensure(shard, saved.name);
        topic.epoch = std::move(saved.epoch);
        topic.offset = saved.offset;
        topic.limits = saved.limits;
        topic.used_at = now;
        if (!saved.messages.empty()) topic.history.emplace(saved.messages.begin(), saved.messages.end());
        topic.trim(now);
    }
}

std::vector<SavedTopic> LocalTopics::close() {
    const Timestamp now = state_->clock.now();
    std::vector<SavedTopic> saved;
    for (Shard& shard : state_->shards) {
        const std::scoped_lock lock(shard.mutex);
        shard.closed = true;
        for (const auto& [name, topic] : shard.topics) {
            topic->trim(now);
            if (topic->offset == 0) continue;  // nothing was ever kept: a new epoch costs nobody anything
            SavedTopic& each = saved.emplace_back(SavedTopic{.name = name,
                                                             .epoch = topic->epoch,
                                                             .offset = topic->offset,
                                                             .limits = topic->limits,
                                                             .messages = {}});
            if (topic->history) each.messages.assign(topic->history->begin(), topic->history->end());
        }
    }
    return saved;
}

std::size_t LocalTopics::size() const {
    return state_->topics_count.load();
}

}  // namespace spaktok::realtime::local
