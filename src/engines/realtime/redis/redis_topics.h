// Topics over Redis' publish/subscribe, their histories in streams. One subscription a topic and node,
// however many subscribers the node has.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/random.h"
#include "engines/realtime/mailbox.h"
#include "engines/realtime/realtime.h"
#include "engines/realtime/redis/client.h"
#include "engines/realtime/redis/topic_hub.h"

namespace spaktok::realtime::redis {

class RedisTopics final : public Topics {
  public:
    RedisTopics(Client& client, Random& random);

    boost::asio::awaitable<Position> publish(std::string topic, std::string payload,
                                             HistoryLimits history) override;
    boost::asio::awaitable<Subscribed> subscribe(std::string topic, std::optional<Position> since,
                                                 boost::asio::any_io_executor executor,
                                                 OnMessage on_message) override;
    // Refuses publishing from now on.
    void close() { is_closed_ = true; }

  private:
    class RedisSubscription;

    Client& client_;
    std::shared_ptr<TopicHub> hub_;  // shared with the subscriptions, which may end after the engine
    Mailboxes mailboxes_;
    std::atomic<bool> is_closed_{false};
};

}  // namespace spaktok::realtime::redis
