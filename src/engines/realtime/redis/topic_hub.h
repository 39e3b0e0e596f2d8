// The topics that this node's subscribers listen to, on the engine's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/event.h"
#include "base/metrics.h"
#include "base/random.h"
#include "engines/realtime/mailbox.h"
#include "engines/realtime/realtime.h"
#include "engines/realtime/redis/client.h"
#include "engines/realtime/redis/servers.h"

namespace spaktok::realtime::redis {

// How a subscriber comes in without a gap and without a repetition: the node's connection is subscribed to
// the topic; then one script reads the history and says a word on a channel of the node's own, which the same
// connection hears. What comes before that word is in the history that was read, what comes after it is not:
// that is held until the answer is here, and added to it. The same reading brings a topic up to date after
// the connection was lost; what the history no longer has is told to its subscribers.
//
// In a cluster there is one such connection with each master, the channels are sharded ones
// (https://redis.io/docs/manual/pubsub/#sharded-pubsub), and the node has a channel of its own for each
// topic, where the topic is. A topic whose slot has another master is brought up there.
//
// Lives on the client's thread.
class TopicHub : public std::enable_shared_from_this<TopicHub> {
  public:
    // A topic without subscribers and messages is remembered this long, so that who comes back is not told to
    // reload.
    static constexpr std::chrono::minutes idle_max{15};
    static constexpr std::size_t topics_max = 200'000;  // subscribed to by this node

    TopicHub(Client& client, Random& random);
    void start();
    void close();

    boost::asio::awaitable<Position> publish(std::string topic, std::string payload, HistoryLimits history);

    struct Member {
        std::shared_ptr<Mailbox> mailbox;
        std::shared_ptr<Listeners> listeners;  // of the topic on the mailbox's executor
        Recovered recovered;
    };
    // The listener hears what comes after `recovered`. Throws Error{unavailable} after two seconds.
    boost::asio::awaitable<Member> join(std::string topic, std::optional<Position> since,
                                        std::shared_ptr<Mailbox> mailbox, std::shared_ptr<Listener> listener);
    void leave(const std::string& topic, const std::shared_ptr<Listeners>& listeners);

  private:
    struct Reading;
    // The subscribers of a topic on one executor, and how many they are.
    struct Group {
        std::shared_ptr<Mailbox> mailbox;
        std::shared_ptr<Listeners> listeners;
        std::size_t count = 0;
        bool has_lost = false;  // its executor was behind; not told yet
    };
    // What is asked of the server by the listening connection: it confirms each channel, in order.
    struct Request {
        explicit Request(boost::asio::io_context& context) : done(context) {}
        bool subscribes = false;
        std::vector<std::string> unconfirmed{};
        bool is_refused = false;
        Event done;  // also set when the connection ends
    };
    // The listening connection with one master.
    struct Ear {
        Endpoint server;
        std::shared_ptr<Line> line;
        std::deque<std::shared_ptr<Request>> requests{};
    };
    struct Topic {
        Topic(boost::asio::io_context& context, std::string topic_name, std::size_t topic_slot)
            : name(std::move(topic_name)), slot(topic_slot), live(std::make_shared<Event>(context)) {}
        const std::string name;
        const std::size_t slot;
        std::shared_ptr<Ear> ear;  // nullptr while nobody has its slot
        std::vector<Group> groups;
        std::size_t users = 0;             // subscribers, and those on their way
        std::optional<Position> position;  // up to where its subscribers have been served
        std::shared_ptr<Event> live;       // set while what comes is handed on
        std::uint64_t generation = 0;      // how often it stopped being live
        std::vector<Reading*> readings;
    };
    class Use;
    // ---- the listening connections
    void listen_to_servers();
    std::shared_ptr<Ear> open_ear(const Endpoint& server);
    std::shared_ptr<Ear> ear_of(std::size_t slot) const;
    void on_open(Ear& ear);
    void on_close(Ear& ear);
    void on_push(Ear& ear, const Reply& push);
    void on_channel_message(std::string_view channel, std::string_view text);
    void on_confirmation(Ear& ear, bool subscribes, std::string_view channel);
    void on_refusal(Ear& ear, std::string_view error);
    std::shared_ptr<Request> ask(Ear& ear, bool subscribes, std::vector<std::string> channels);
    void serve_anew(const std::shared_ptr<Topic>& topic);
    boost::asio::awaitable<void> bring_up(std::shared_ptr<Topic> topic, std::uint64_t generation);
    boost::asio::awaitable<bool> listen(const std::shared_ptr<Topic>& topic);
    boost::asio::awaitable<bool> catch_up(const std::shared_ptr<Topic>& topic);
    void stop_serving(Topic& topic);

    // ---- topics
    std::string channel_of(std::string_view topic) const;
    std::string own_channel_of(std::string_view topic) const;
    std::vector<std::string> channels_of(std::string_view topic) const;
    std::shared_ptr<Topic> topic_of(std::string_view channel) const;
    std::shared_ptr<Topic> ensure(const std::string& name);
    void release(const std::shared_ptr<Topic>& topic);
    static Group& group_of(Topic& topic, const std::shared_ptr<Mailbox>& mailbox);
    boost::asio::awaitable<Recovered> read(std::shared_ptr<Topic> topic, std::optional<Position> since);
    Recovered recovered_of(const Reply& answer, const Reading& reading, bool wants_messages) const;
    boost::asio::awaitable<Member> join_served(std::string name, std::optional<Position> since,
                                               std::shared_ptr<Mailbox> mailbox,
                                               std::shared_ptr<Listener> listener);
    boost::asio::awaitable<std::optional<Member>> try_join(const std::shared_ptr<Topic>& topic,
                                                           const std::optional<Position>& since,
                                                           const std::shared_ptr<Mailbox>& mailbox,
                                                           const std::shared_ptr<Listener>& listener);
    void on_message(const std::shared_ptr<Topic>& topic, TopicMessage message);
    bool follows(const Topic& topic, const Position& position) const;
    void deliver(Topic& topic, const TopicMessage& message);
    void tell_lost(Topic& topic, Group& group);

    boost::asio::awaitable<void> keep_up();
    void refresh(const Topic& topic);
    std::string next_epoch();

    const std::shared_ptr<boost::asio::io_context> context_;  // the client's; subscriptions may outlive that
    Client& client_;
    Servers& servers_;
    const std::string instance_;     // random, new at every start
    const std::string own_channel_;  // where there is no cluster
    const std::string channel_prefix_;
    std::vector<std::shared_ptr<Ear>> ears_;
    std::uint64_t next_number_ = 0;
    std::unordered_map<std::string, std::shared_ptr<Topic>> topics_;
    std::unordered_map<std::string, Reading*> marks_;  // what is to be said on the own channel
    boost::asio::steady_timer upkeep_;
    bool is_closed_ = false;
    bool has_lost_ = false;
    metrics::Gauge topics_gauge_;
    metrics::Counter lost_;
};

}  // namespace spaktok::realtime::redis
