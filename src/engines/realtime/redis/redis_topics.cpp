#include "engines/realtime/redis/redis_topics.h"

#include <utility>

#include <boost/asio/post.hpp>

#include "engines/realtime/limits.h"
#include "engines/realtime/redis/failure.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;

// Ends on its executor at once, and at the hub when that comes round to it.
class RedisTopics::RedisSubscription final : public Subscription {
  public:
    RedisSubscription(std::shared_ptr<asio::io_context> context, std::weak_ptr<TopicHub> hub,
                      std::string topic, std::shared_ptr<Listeners> listeners,
                      std::shared_ptr<Listener> listener)
        : context_(std::move(context)),
          hub_(std::move(hub)),
          topic_(std::move(topic)),
          listeners_(std::move(listeners)),
          listener_(std::move(listener)) {}
    ~RedisSubscription() override {
        listeners_->leave(listener_);
        asio::post(*context_,
                   [hub = std::move(hub_), topic = std::move(topic_), listeners = std::move(listeners_)] {
                       if (const auto alive = hub.lock()) alive->leave(topic, listeners);
                   });
    }
    RedisSubscription(const RedisSubscription&) = delete;
    RedisSubscription& operator=(const RedisSubscription&) = delete;

  private:
    const std::shared_ptr<asio::io_context> context_;
    std::weak_ptr<TopicHub> hub_;
    std::string topic_;
    std::shared_ptr<Listeners> listeners_;
    std::shared_ptr<Listener> listener_;
};

RedisTopics::RedisTopics(Client& client, Random& random)
    : client_(client), hub_(std::make_shared<TopicHub>(client, random)) {
    asio::post(*client.context(), [hub = hub_] { hub->start(); });
    client.on_end([hub = hub_.get()] { hub->close(); });
}

asio::awaitable<Position> RedisTopics::publish(std::string topic, std::string payload,
                                               HistoryLimits history) {
    check_publish(topic, payload, history);
    if (is_closed_) throw busy("topics are closed");
    co_return co_await client_.on_engine(hub_->publish(std::move(topic), std::move(payload), history));
}

asio::awaitable<Topics::Subscribed> RedisTopics::subscribe(std::string topic, std::optional<Position> since,
                                                           asio::any_io_executor executor,
                                                           OnMessage on_message) {
    check_topic(topic);
    auto listener = std::make_shared<Listener>(Listener{.on_message = std::move(on_message)});
    auto member =
        co_await client_.on_engine(hub_->join(topic, std::move(since), mailboxes_.of(executor), listener));
    Subscribed subscribed{.subscription = nullptr, .recovered = std::move(member.recovered)};
    subscribed.subscription = std::make_unique<RedisSubscription>(
        client_.context(), hub_, std::move(topic), std::move(member.listeners), std::move(listener));
    co_return subscribed;
}

}  // namespace spaktok::realtime::redis
