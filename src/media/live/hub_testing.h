// For tests of the hub: an Authority that remembers what it was told, and a publisher without a protocol.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "engines/blob/blob_store.h"
#include "media/cmaf/testing.h"
#include "media/live/live_hub.h"
#include "media/live/publisher_gate.h"
#include "media/live/testing.h"

namespace spaktok::media::testing {

class RecordingAuthority final : public Authority {
  public:
    boost::asio::awaitable<Publication> authorize(std::string stream_key, std::string) override {
        const std::scoped_lock lock(mutex_);
        const auto it = keys_.find(stream_key);
        if (it == keys_.end()) throw Error(ErrorCode::unauthenticated, "There is no such stream key.");
        co_return it->second;
    }
    boost::asio::awaitable<void> on_air(IngestStatus status) override {
        note("on_air " + status.stream_id.to_string(), status);
        if (refuse_on_air_) throw Error(ErrorCode::conflict, "This stream has ended.");
        co_return;
    }
    boost::asio::awaitable<void> on_status(IngestStatus status) override {
        note("status " + status.stream_id.to_string(), status);
        co_return;
    }
    boost::asio::awaitable<void> off_air(StreamId stream, std::string reason) override {
        note("off_air " + stream.to_string() + " " + reason, {});
        if (off_air_failures_ > 0 && off_air_failures_-- > 0)
            throw Error(ErrorCode::unavailable, "The store is away.");
        co_return;
    }
    boost::asio::awaitable<std::optional<std::string>> origin_of(StreamId stream) override {
        const std::scoped_lock lock(mutex_);
        const auto it = origins_.find(stream);
        co_return it == origins_.end() ? std::nullopt : std::optional(it->second);
    }
    boost::asio::awaitable<void> on_thumbnail(StreamId stream, std::string blob_key) override {
        note("thumbnail " + stream.to_string() + " " + blob_key, {});
        co_return;
    }

    Publication allow(const std::string& key) {
        const auto now = SystemClock().now();
        return allow(key, {StreamId::make(now, random_), UserId::make(now, random_)});
    }
    Publication allow(const std::string& key, Publication publication) {
        const std::scoped_lock lock(mutex_);
        keys_[key] = publication;
        return publication;
    }
    void place_elsewhere(StreamId stream, std::string origin) {
        const std::scoped_lock lock(mutex_);
        origins_[stream] = std::move(origin);
    }
    void refuse_on_air() { refuse_on_air_ = true; }
    void fail_off_air(int times) { off_air_failures_ = times; }
    // How many things it was told begin so.
    int count(const std::string& prefix) const {
        const std::scoped_lock lock(mutex_);
        return static_cast<int>(
            std::ranges::count_if(told_, [&](const auto& line) { return line.starts_with(prefix); }));
    }
    std::string last(const std::string& prefix) const {
        const std::scoped_lock lock(mutex_);
        const auto it = std::find_if(told_.rbegin(), told_.rend(),
                                     [&](const auto& line) { return line.starts_with(prefix); });
        return it == told_.rend() ? "" : *it;
    }
    IngestStatus last_status() const {
        const std::scoped_lock lock(mutex_);
        return last_status_;
    }

  private:
    void note(std::string what, const IngestStatus& status) {
        const std::scoped_lock lock(mutex_);
        told_.push_back(std::move(what));
        if (!status.protocol.empty()) last_status_ = status;
    }
    mutable std::mutex mutex_;
    std::map<std::string, Publication> keys_;
    std::map<StreamId, std::string> origins_;
    std::vector<std::string> told_;
    IngestStatus last_status_;
    std::atomic<bool> refuse_on_air_{false};
    std::atomic<int> off_air_failures_{0};
    SystemRandom random_;
};

// A blob store in memory.
class MemoryBlobs final : public blob::BlobStore {
  public:
    boost::asio::awaitable<std::string> put(std::string key, std::string bytes,
                                            std::string content_type) override {
        const std::scoped_lock lock(mutex_);
        blob::Metadata metadata{.size_bytes = bytes.size(), .content_type = std::move(content_type)};
        blobs_[std::move(key)] = {metadata, std::move(bytes), 0};
        co_return "";
    }
    boost::asio::awaitable<std::optional<blob::Blob>> get(std::string key, blob::Range) override {
        const std::scoped_lock lock(mutex_);
        const auto it = blobs_.find(key);
        if (it == blobs_.end()) co_return std::nullopt;
        co_return it->second;
    }
    boost::asio::awaitable<std::optional<blob::Metadata>> stat(std::string key) override {
        const std::scoped_lock lock(mutex_);
        const auto it = blobs_.find(key);
        if (it == blobs_.end()) co_return std::nullopt;
        co_return it->second.metadata;
    }
    boost::asio::awaitable<bool> remove(std::string key) override {
        const std::scoped_lock lock(mutex_);
        co_return blobs_.erase(key) > 0;
    }
    boost::asio::awaitable<void> check() override { co_return; }
    std::optional<std::string> presigned_get(const std::string&, std::chrono::seconds) override {
        return std::nullopt;
    }
    std::vector<std::string> keys() const {
        const std::scoped_lock lock(mutex_);
        std::vector<std::string> all;
        for (const auto& [key, blob] : blobs_)
            all.push_back(key);
        return all;
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, blob::Blob> blobs_;
};

// A publisher's connection: what it pushes goes to the hub on its I/O thread.
class Publisher {
  public:
    Publisher(Threads& threads, LiveHub& hub, std::string key, std::size_t thread = 0)
        : threads_(threads), thread_(thread) {
        sink_ = threads.run(
            hub.gate().open(
                {.protocol = "test",
                 .stream_key = std::move(key),
                 .remote_address = "192.0.2.1",
                 .io_thread = thread,
                 .disconnect = [told = told_](std::string reason) { told->set(std::move(reason)); }}),
            thread);
    }
    ~Publisher() {
        threads_.on(thread_, [this] { sink_.reset(); });
    }
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    void configure(const Recording& recording) {
        threads_.on(thread_, [&] {
            if (recording.video) sink_->configure(true, *recording.video);
            if (recording.audio) sink_->configure(false, *recording.audio);
        });
    }
    // What lies in [from_ms, to_ms) of the recording, with its clock moved by `shift_ms`.
    void push(const Recording& recording, std::int64_t from_ms = 0, std::int64_t to_ms = INT64_MAX,
              std::int64_t shift_ms = 0) {
        threads_.on(thread_, [&] {
            for (auto unit : recording.units) {
                if (unit.dts_ms < from_ms || unit.dts_ms >= to_ms) continue;
                unit.dts_ms += shift_ms;
                unit.pts_ms += shift_ms;
                sink_->push(std::move(unit));
            }
        });
    }
    void publish(const Recording& recording) {
        configure(recording);
        push(recording);
    }
    void leave(const std::string& reason = "gone") {
        threads_.on(thread_, [&] { sink_->disconnected(reason); });
    }
    std::string told() const { return told_->get(); }

  private:
    struct Told {
        void set(std::string text) {
            const std::scoped_lock lock(mutex);
            reason = std::move(text);
        }
        std::string get() {
            const std::scoped_lock lock(mutex);
            return reason;
        }
        std::mutex mutex;
        std::string reason;
    };
    Threads& threads_;
    const std::size_t thread_;
    const std::shared_ptr<Told> told_ = std::make_shared<Told>();
    std::shared_ptr<PublisherSink> sink_;
};

}  // namespace spaktok::media::testing
