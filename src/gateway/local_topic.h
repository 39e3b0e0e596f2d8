// One topic on one I/O thread: its single subscription to the realtime engine and the connections that share
// it.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/event.h"
#include "engines/realtime/realtime.h"
#include "gateway/frame_queue.h"
#include "gateway/protocol.h"

namespace spaktok::gateway {

class Connection;
class LocalTopic;
class Shard;
struct Join;

// A connection's part in a topic; the connection holds a list of them.
struct Membership {
    std::shared_ptr<LocalTopic> topic;
    std::shared_ptr<Join> join;  // while it is joining; else it has a place among the members
    std::size_t place = 0;
};

// A connection on its way into a topic. What the topic carries meanwhile is held back for it, so that the
// answer to its subscription comes first, with what it missed, and everything after that comes once and in
// order.
struct Join {
    std::shared_ptr<LocalTopic> topic;
    Connection* connection = nullptr;  // nullptr once it has left
    std::size_t place = 0;             // among the topic's joins
    std::optional<realtime::Position>
        start;  // where the topic stood when holding back began; set once it is open
    bool is_answered = false;
    // Answered with messages up to here that this thread's subscription has yet to carry: those are skipped.
    std::uint64_t skip_until = 0;
    // What was held back is of no use: offsets began anew, or it became too much. It starts where the topic
    // is then.
    bool must_restart = false;
    struct Held {
        std::uint64_t offset = 0;
        Frame frame;
    };
    std::vector<Held> held;
    std::size_t held_bytes = 0;
};

// Lives on its shard's thread. Events of one turn of the loop are collected into one run of finished frames,
// which every member's queue then refers to: a member costs one reference a turn, however many events there
// were.
class LocalTopic : public std::enable_shared_from_this<LocalTopic> {
  public:
    LocalTopic(Shard& shard, std::string name);
    LocalTopic(const LocalTopic&) = delete;
    LocalTopic& operator=(const LocalTopic&) = delete;

    const std::string& name() const { return name_; }
    bool is_idle() const { return members_.empty() && joins_.empty(); }

    // Subscribes to the engine. Started once, by the shard.
    static boost::asio::awaitable<void> open(std::shared_ptr<LocalTopic> self);
    // Returns once open; throws what the engine threw.
    boost::asio::awaitable<void> opened();

    // From now on nothing of the topic is lost for the connection.
    std::shared_ptr<Join> join(Connection& connection);
    // What the answer to the joining connection says; `since`: where the client was. Asks the engine where
    // need be.
    boost::asio::awaitable<SubscribeResult> recover(std::shared_ptr<Join> join,
                                                    std::optional<realtime::Position> since);
    // Queues the answer and what was held back after it; the connection is a subscriber from then on.
    void complete(Join& join, std::int64_t id, const SubscribeResult& result);
    // Takes the membership, which its connection has forgotten already, out of the topic.
    void leave(const Membership& membership);
    // The membership has a new place in its connection's list.
    void moved(const Membership& membership, std::size_t place);

    // Hands what was collected in this turn to every member.
    void hand_over();

  private:
    struct Member {
        Connection* connection;
        std::size_t membership;  // its place in the connection's list
    };

    void begin_at(realtime::Position position);
    void on_message(const realtime::TopicMessage& message);
    void on_lost(const realtime::Position& position);
    void hold_back(const realtime::TopicMessage& message);
    static void restart(Join& join);
    void append_to_turn();
    void admit(Join& join);
    void remove_join(Join& join);

    Shard& shard_;
    std::string name_;
    std::string name_json_;
    std::unique_ptr<realtime::Subscription> subscription_;
    Event opened_;  // or failed to be
    std::exception_ptr failure_;
    std::optional<realtime::Position> position_;  // up to where this thread's subscription has carried
    std::vector<Member> members_;
    std::vector<std::shared_ptr<Join>> joins_;
    std::string turn_;  // the finished frames of this turn
    std::size_t turn_events_ = 0;
};

}  // namespace spaktok::gateway
