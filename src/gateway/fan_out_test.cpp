// Many subscribers on several threads, many publishers: everyone gets everything once and in order.
#include <atomic>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/test_gateway.h"

namespace spaktok::gateway {
namespace {

// Follows a topic from its first message to the last, over as many connections as it takes.
class Follower {
  public:
    Follower(TestGateway& test, std::string topic) : test_(test), topic_(std::move(topic)) {}

    // Reads until offset `last`, breaking the connection every `breaks_after` events (0: never).
    void follow(std::uint64_t last, std::size_t breaks_after) {
        while (offset_ < last) {
            TestClient client = test_.connect();
            json::Object message{{"topic", topic_}};
            if (!epoch_.empty()) message["recover"] = {{"epoch", epoch_}, {"offset", offset_}};
            const auto result = client.ask("subscribe", std::move(message)).at("result");
            if (!epoch_.empty() && !result.at("recovered").as_bool()) {
                failure_ = "not recovered at " + std::to_string(offset_);
                return;
            }
            if (epoch_.empty()) offset_ = static_cast<std::uint64_t>(result.at("offset").as_int64());
            epoch_ = result.at("epoch").as_string().c_str();
            for (const auto& missed : result.at("messages").as_array())
                take(missed);
            for (std::size_t i = 0; offset_ < last && (breaks_after == 0 || i < breaks_after); ++i)
                take(client.read_json());
            if (!failure_.empty()) return;
        }
    }
    const std::string& failure() const { return failure_; }
    std::uint64_t offset() const { return offset_; }

  private:
    void take(const json::Value& event) {
        const auto offset = static_cast<std::uint64_t>(event.at("offset").as_int64());
        if (offset != offset_ + 1)
            failure_ = "after " + std::to_string(offset_) + " came " + std::to_string(offset);
        offset_ = offset;
    }

    TestGateway& test_;
    std::string topic_;
    std::string epoch_;
    std::uint64_t offset_ = 0;
    std::string failure_;
};

void publish_from_threads(TestGateway& test, int publishers, int messages_each) {
    std::vector<std::thread> threads;
    for (int publisher = 0; publisher < publishers; ++publisher) {
        threads.emplace_back([&test, publisher, messages_each] {
            auto& context = test.threads.context(static_cast<std::size_t>(publisher) % test.threads.size());
            for (int i = 0; i < messages_each; ++i) {
                boost::asio::co_spawn(
                    context,
                    test.gateway.publish("open:1", "said", json::Object{{"from", publisher}, {"number", i}},
                                         TestGateway::kept),
                    boost::asio::use_future)
                    .get();
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
}

TEST(FanOutConcurrent, EverySubscriberGetsEveryMessageOnceInOrder) {
    constexpr int subscribers = 24;
    constexpr int publishers = 4;
    constexpr int messages_each = 50;
    TestGateway test({.threads = 3});
    test.add_open_topic();
    std::vector<TestClient> clients;
    for (int i = 0; i < subscribers; ++i) {
        clients.push_back(test.connect());
        clients.back().ask("subscribe", {{"topic", "open:1"}});
    }
    std::thread publishing([&] { publish_from_threads(test, publishers, messages_each); });
    for (auto& client : clients) {
        std::vector<std::int64_t> next(publishers, 0);
        for (std::int64_t offset = 1; offset <= publishers * messages_each; ++offset) {
            const auto event = client.read_json();
            EXPECT_EQ(event.at("offset"), offset);
            // What one publisher sends keeps its order.
            const auto from = static_cast<std::size_t>(event.at("data").at("from").as_int64());
            EXPECT_EQ(event.at("data").at("number"), next[from]++);
        }
    }
    publishing.join();
}

TEST(FanOutConcurrent, WhoReconnectsInTheMiddleMissesNothing) {
    constexpr int followers = 6;
    constexpr int messages = 400;
    TestGateway test({.threads = 2});
    test.add_open_topic();
    test.publish("open:1", 0);
    std::vector<std::unique_ptr<Follower>> all;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < followers; ++i) {
        all.push_back(std::make_unique<Follower>(test, "open:1"));
        threads.emplace_back([&follower = *all.back(), i] { follower.follow(messages + 1, 5 + 7 * i); });
    }
    publish_from_threads(test, 2, messages / 2);
    for (auto& thread : threads)
        thread.join();
    for (const auto& follower : all) {
        EXPECT_EQ(follower->failure(), "");
        EXPECT_EQ(follower->offset(), messages + 1u);
    }
}

TEST(FanOutConcurrent, SurvivesComingAndGoingAndTheStop) {
    TestGateway test({.threads = 3});
    test.add_open_topic([](std::string, std::int64_t) {});
    std::atomic<bool> stopping = false;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&test, &stopping, i] {
            while (!stopping) {
                try {
                    TestClient client = test.connect({.session_id = "s" + std::to_string(i)});
                    for (int topic = 0; topic < 4; ++topic) {
                        client.request("subscribe", {{"topic", "open:" + std::to_string((topic + i) % 5)}});
                    }
                    client.read_json();
                    client.request("unsubscribe", {{"topic", "open:" + std::to_string(i)}});
                    client.read_json();
                } catch (const std::exception&) {
                    // Closed by the session's end or the stop, at any point.
                }
            }
        });
    }
    for (int i = 0; i < 200; ++i) {
        test.publish("open:" + std::to_string(i % 5), i,
                     i % 2 == 0 ? TestGateway::kept : realtime::HistoryLimits{});
        if (i % 20 == 0) test.gateway.close_session("s1");
    }
    test.stop(std::chrono::milliseconds(50));
    stopping = true;
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(test.gateway.subscribers("open:1"), 0);
}

}  // namespace
}  // namespace spaktok::gateway
