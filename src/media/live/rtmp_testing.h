// For tests: a listener with a gate that writes down what is published, and a plain socket that publishes by
// hand.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <poll.h>

#include "base/error.h"
#include "base/io_threads.h"
#include "base/random.h"
#include "media/live/rtmp_listener.h"
#include "media/rtmp/testing.h"

namespace spaktok::media::testing {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using rtmp::testing::Bytes;
using rtmp::testing::ClientBytes;

// What one publish left, readable from any thread.
struct Publish {
    PublisherRequest request;
    std::map<bool, std::vector<TrackConfig>> configs;  // by `video`
    std::map<bool, std::vector<AccessUnit>> units;
    std::string ended;  // the reason; empty while it goes on
};

// Knows every key but "unknown"; "full" is unavailable, "slow" is never answered, "hevc-only" refuses other
// video.
class FakeGate final : public PublisherGate {
  public:
    asio::awaitable<std::shared_ptr<PublisherSink>> open(PublisherRequest request) override;

    // The publish of that key, once `ready` holds for it; fails the test after ten seconds.
    Publish await(const std::string& key, const std::function<bool(const Publish&)>& ready) {
        std::unique_lock lock(mutex_);
        const bool in_time = changed_.wait_for(
            lock, 10s, [&] { return publishes_.contains(key) && ready(publishes_.at(key)); });
        EXPECT_TRUE(in_time) << "publish of " << key;
        return publishes_[key];
    }
    Publish await_end(const std::string& key) {
        return await(key, [](const Publish& publish) { return !publish.ended.empty(); });
    }
    std::size_t count() {
        const std::lock_guard lock(mutex_);
        return publishes_.size();
    }

    template <class Change>
    void change(const std::string& key, Change change) {
        {
            const std::lock_guard lock(mutex_);
            change(publishes_[key]);
        }
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Publish> publishes_;
};

class CollectingSink final : public PublisherSink {
  public:
    CollectingSink(FakeGate& gate, std::string key, std::size_t io_thread)
        : gate_(gate), key_(std::move(key)), io_thread_(io_thread) {}

    void configure(bool video, TrackConfig config) override {
        EXPECT_EQ(IoThreads::current(), io_thread_);
        if (key_ == "hevc-only" && video && config.codec != Codec::hevc) {
            throw Error(ErrorCode::unsupported_media, "Only HEVC is carried here.");
        }
        gate_.change(key_, [&](Publish& publish) { publish.configs[video].push_back(std::move(config)); });
    }
    void push(AccessUnit unit) override {
        EXPECT_EQ(IoThreads::current(), io_thread_);
        const bool video = unit.video;
        gate_.change(key_, [&](Publish& publish) { publish.units[video].push_back(std::move(unit)); });
    }
    void disconnected(std::string reason) override {
        EXPECT_EQ(IoThreads::current(), io_thread_);
        gate_.change(key_, [&](Publish& publish) {
            EXPECT_EQ(publish.ended, "") << "told once";
            publish.ended = std::move(reason);
        });
    }

  private:
    FakeGate& gate_;
    std::string key_;
    std::size_t io_thread_;
};

inline asio::awaitable<std::shared_ptr<PublisherSink>> FakeGate::open(PublisherRequest request) {
    EXPECT_EQ(IoThreads::current(), request.io_thread);
    const std::string key = request.stream_key;
    if (key == "unknown") throw Error(ErrorCode::unauthenticated, "This stream key is not known.");
    if (key == "full") throw Error(ErrorCode::unavailable, "Too many people are live.");
    if (key == "broken") throw std::runtime_error("no such luck");
    if (key == "slow") {
        asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
        co_await never.async_wait(asio::use_awaitable);
    }
    const std::size_t io_thread = request.io_thread;
    change(key, [&](Publish& publish) { publish.request = std::move(request); });
    co_return std::make_shared<CollectingSink>(*this, key, io_thread);
}

// Blocking, with a deadline on every read.
class Client {
  public:
    explicit Client(std::uint16_t port) : socket_(*context_) {
        socket_.connect({asio::ip::address_v4::loopback(), port});
    }

    Client& send(const Bytes& bytes) {
        boost::system::error_code ignored;  // the server may have closed already
        asio::write(socket_, asio::buffer(bytes), ignored);
        return *this;
    }
    // Reads until `text` has come, or the connection ended; false where it ended or ten seconds passed first.
    bool reads(std::string_view text) {
        while (received_.find(text) == std::string::npos) {
            if (!read_some(10s)) return false;
        }
        return true;
    }
    // True once the server has closed.
    bool is_closed(std::chrono::milliseconds within = 10s) {
        const auto until = std::chrono::steady_clock::now() + within;
        while (!closed_) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
            if (left <= 0ms || (!read_some(left) && !closed_)) return false;
        }
        return true;
    }
    const std::string& received() const { return received_; }
    asio::ip::tcp::socket& socket() { return socket_; }

  private:
    bool read_some(std::chrono::milliseconds within) {
        pollfd waiting{socket_.native_handle(), POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(within.count())) <= 0) return false;
        std::array<char, 4'096> buffer;
        boost::system::error_code error;
        const std::size_t size = socket_.read_some(asio::buffer(buffer), error);
        received_.append(buffer.data(), size);
        closed_ = closed_ || error.failed();
        return !error;
    }

    std::unique_ptr<asio::io_context> context_ = std::make_unique<asio::io_context>();
    asio::ip::tcp::socket socket_;
    std::string received_;
    bool closed_ = false;
};

class RtmpListenerFixture : public ::testing::Test {
  protected:
    RtmpListenerFixture() { threads_.start(); }
    ~RtmpListenerFixture() override {
        if (listener_) listener_->stop(2s);
        threads_.stop();
    }

    RtmpListener& listen(RtmpListenerOptions options = {}) {
        options.listen = "127.0.0.1:0";
        listener_ = std::make_unique<RtmpListener>(std::move(options), gate_, threads_, random_);
        listener_->start();
        return *listener_;
    }
    Client connect() { return Client(listener_->port()); }
    // A publisher whose publish was accepted.
    Client publish(const std::string& key) {
        Client client(listener_->port());
        client.send(ClientBytes{}.begin(key).bytes);
        EXPECT_TRUE(client.reads("NetStream.Publish.Start"));
        return client;
    }
    // After ClientBytes::begin, whose chunks are of the first size still.
    static Bytes some_media(std::uint32_t frames = 3) {
        ClientBytes client;
        client.set_chunk_size(4'096)
            .video(0, rtmp::testing::avc_config())
            .audio(0, rtmp::testing::aac_config());
        for (std::uint32_t i = 0; i < frames; ++i) {
            client.video(i * 40, rtmp::testing::avc_frame(i == 0)).audio(i * 40, rtmp::testing::aac_frame());
        }
        return client.bytes;
    }
    void await_connections(std::size_t count) {
        const auto until = std::chrono::steady_clock::now() + 10s;
        while (listener_->connections() != count && std::chrono::steady_clock::now() < until)
            std::this_thread::yield();
        EXPECT_EQ(listener_->connections(), count);
    }

    IoThreads threads_{2};
    SystemRandom random_;
    FakeGate gate_;
    std::unique_ptr<RtmpListener> listener_;
};

}  // namespace spaktok::media::testing
