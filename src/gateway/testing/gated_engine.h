// The embedded realtime engine behind gates: a test decides when a subscription is answered and when messages
// arrive, and so brings about each order of events that could go wrong.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engines/realtime/realtime.h"

namespace spaktok::gateway {

class GatedTopics final : public realtime::Topics {
  public:
    explicit GatedTopics(realtime::Topics& inner) : inner_(inner) {}

    std::atomic<bool> hold_opening{false};   // answers to subscriptions without a position
    std::atomic<bool> hold_recovery{false};  // answers to subscriptions with one
    std::atomic<bool> refuse{false};
    std::atomic<int> waiting{0};  // answers that are held
    std::atomic<int> delivered{0};

    // Holds messages back from the subscribers; letting them through again delivers in order.
    void hold_delivery() {
        const std::lock_guard lock(mutex_);
        holding_delivery_ = true;
    }
    void release_delivery() {
        std::vector<std::pair<boost::asio::any_io_executor, std::function<void()>>> held;
        {
            const std::lock_guard lock(mutex_);
            holding_delivery_ = false;
            held.swap(held_);
        }
        for (auto& [executor, deliver] : held)
            boost::asio::post(executor, std::move(deliver));
    }
    // Tells a topic's subscribers that what came up to the position is lost.
    void lose(const std::string& topic, const realtime::Position& position) {
        const std::lock_guard lock(mutex_);
        for (const auto& subscriber : subscribers_) {
            if (subscriber.topic != topic) continue;
            boost::asio::post(subscriber.executor, [tell = subscriber.tell, position] {
                tell({.position = position, .payload = nullptr});
            });
        }
    }
    std::size_t held_deliveries() const {
        const std::lock_guard lock(mutex_);
        return held_.size();
    }

    boost::asio::awaitable<realtime::Position> publish(std::string topic, std::string payload,
                                                       realtime::HistoryLimits history) override {
        return inner_.publish(std::move(topic), std::move(payload), history);
    }
    boost::asio::awaitable<Subscribed> subscribe(std::string topic, std::optional<realtime::Position> since,
                                                 boost::asio::any_io_executor executor,
                                                 realtime::OnMessage on_message) override {
        if (refuse) throw Error(ErrorCode::unavailable, "The engine is gone.");
        auto& gate = since ? hold_recovery : hold_opening;
        auto alive = std::make_shared<bool>(true);
        {
            const std::lock_guard lock(mutex_);
            subscribers_.push_back(
                {topic, executor, [alive, on_message](const realtime::TopicMessage& message) {
                     if (*alive) on_message(message);
                 }});
        }
        auto subscribed =
            co_await inner_.subscribe(std::move(topic), std::move(since), executor,
                                      [this, executor, alive, on_message = std::move(on_message)](
                                          const realtime::TopicMessage& message) {
                                          deliver(executor, [this, alive, on_message, message] {
                                              if (!*alive) return;
                                              on_message(message);
                                              ++delivered;
                                          });
                                      });
        subscribed.subscription = std::make_unique<Gated>(std::move(subscribed.subscription), alive);
        ++waiting;
        boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
        while (gate) {
            timer.expires_after(std::chrono::milliseconds(1));
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        --waiting;
        co_return subscribed;
    }

  private:
    struct Subscriber {
        std::string topic;
        boost::asio::any_io_executor executor;
        realtime::OnMessage tell;
    };
    struct Gated final : realtime::Subscription {
        Gated(std::unique_ptr<realtime::Subscription> subscription, std::shared_ptr<bool> is_alive)
            : inner(std::move(subscription)), alive(std::move(is_alive)) {}
        ~Gated() override { *alive = false; }
        std::unique_ptr<realtime::Subscription> inner;
        std::shared_ptr<bool> alive;
    };

    void deliver(const boost::asio::any_io_executor& executor, std::function<void()> message) {
        {
            const std::lock_guard lock(mutex_);
            if (holding_delivery_) {
                held_.emplace_back(executor, std::move(message));
                return;
            }
        }
        message();
    }

    realtime::Topics& inner_;
    mutable std::mutex mutex_;
    bool holding_delivery_ = false;
    std::vector<std::pair<boost::asio::any_io_executor, std::function<void()>>> held_;
    std::vector<Subscriber> subscribers_;  // of all times
};

class GatedEngine final : public realtime::Engine {
  public:
    explicit GatedEngine(realtime::Engine& inner) : inner_(inner), topics_(inner.topics()) {}
    GatedTopics& topics() override { return topics_; }
    realtime::KeyValues& key_values() override { return inner_.key_values(); }
    realtime::Counters& counters() override { return inner_.counters(); }
    realtime::Rankings& rankings() override { return inner_.rankings(); }
    realtime::Presence& presence() override { return inner_.presence(); }
    boost::asio::awaitable<void> check() override { return inner_.check(); }
    boost::asio::awaitable<void> stop() override { return inner_.stop(); }

  private:
    realtime::Engine& inner_;
    GatedTopics topics_;
};

}  // namespace spaktok::gateway
