// Key-values in memory, with a durable copy in SQLite. A read is a look-up in a map. A durable change is
// written first and shows in memory once it is on the disk, in the order of the disk, so that nobody sees
// what a crash could take back.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engines/realtime/local/sharded.h"
#include "engines/realtime/realtime.h"
#include "engines/realtime/scan.h"
#include "engines/sqlite/group_writer.h"

namespace spaktok::realtime::local {

class LocalKeyValues final : public KeyValues, public Scanner {
  public:
    static constexpr std::size_t entries_max = 1'000'000;  // in memory; beyond it: Error{unavailable}

    // Loads what is stored; call before any other use of the writer. The tables are the engine's.
    LocalKeyValues(const Clock& clock, spaktok::sqlite::GroupWriter& writer);
    static const char* schema();

    boost::asio::awaitable<bool> put(std::string key, std::string value, PutOptions options) override;
    boost::asio::awaitable<std::optional<std::string>> get(std::string key) override;
    boost::asio::awaitable<bool> touch(std::string key, std::chrono::milliseconds expires_after) override;
    boost::asio::awaitable<bool> remove(std::string key) override;
    boost::asio::awaitable<std::optional<std::string>> take(std::string key) override;
    boost::asio::awaitable<void> set_add(std::string key, std::string member) override;
    boost::asio::awaitable<void> set_remove(std::string key, std::string member) override;
    boost::asio::awaitable<std::vector<std::string>> set_members(std::string key) override;
    boost::asio::awaitable<ScanPage> scan(std::string cursor) override;

    // What was touched since the last call, to be written by the engine's stop.
    struct Expiry {
        std::string key;
        std::int64_t stored;
        std::int64_t expires_at;
    };
    std::shared_ptr<const std::vector<Expiry>> take_touched();
    static void write_touched(spaktok::sqlite::Connection& connection, const std::vector<Expiry>& touched);

    // These block until it is on the disk; for the sweeper's thread. New expiries of touched entries; expired
    // entries.
    void flush_touched();
    void sweep();
    std::size_t size() const { return count_.load(); }

  private:
    static constexpr std::int64_t never = INT64_MAX;
    struct Entry {
        std::string value;
        std::int64_t expires_at = never;         // Unix milliseconds
        std::int64_t stored_expires_at = never;  // what the disk says: earlier, after a touch
        bool durable = false;
    };
    struct Shard {
        std::mutex mutex;
        StringMap<Entry> entries;
        // Keys with durable changes on their way. Until those are through, every change of the key takes the
        // same way, so that they keep their order.
        StringMap<std::size_t> queued;
        std::set<std::string> touched;
        StringMap<std::set<std::string>> sets;
    };
    class QueuedMark;

    std::int64_t now() const;
    bool is_live(const Entry& entry) const { return entry.expires_at > now(); }
    Entry* find_live(Shard& shard, std::string_view key);
    void store(Shard& shard, std::string_view key, Entry entry);
    void erase(Shard& shard, StringMap<Entry>::iterator place);
    boost::asio::awaitable<bool> put_durably(std::string key, Entry entry, bool only_if_absent,
                                             std::shared_ptr<QueuedMark> mark);
    std::vector<std::string> erase_expired();
    void load(spaktok::sqlite::Connection& connection);

    const Clock& clock_;
    spaktok::sqlite::GroupWriter& writer_;
    // Shared with changes on their way, whose callers may be destroyed after the engine.
    std::shared_ptr<Sharded<Shard>> shards_ = std::make_shared<Sharded<Shard>>();
    std::atomic<std::size_t> count_{0};
};

}  // namespace spaktok::realtime::local
