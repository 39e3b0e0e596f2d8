#include "engines/realtime/local/local_key_values.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "base/error.h"
#include "engines/realtime/limits.h"

namespace spaktok::realtime::local {

namespace asio = boost::asio;
using spaktok::sqlite::Bytes;
using spaktok::sqlite::Connection;
using spaktok::sqlite::Rows;

namespace {

// One job of the writer deletes so many expired values at the most, so that others' writes come between.
constexpr std::size_t sweep_batch_max = 500;

std::optional<std::int64_t> to_column(std::int64_t expires_at, std::int64_t never) {
    if (expires_at == never) return std::nullopt;
    return expires_at;
}

}  // namespace

// Marks a key as having a durable change on its way, for the life of that change.
class LocalKeyValues::QueuedMark {
  public:
    // Under the shard's lock.
    QueuedMark(std::shared_ptr<Sharded<Shard>> shards, std::string key)
        : shards_(std::move(shards)), key_(std::move(key)) {
        ++shards_->of(key_).queued[key_];
    }
    ~QueuedMark() {
        Shard& shard = shards_->of(key_);
        const std::scoped_lock lock(shard.mutex);
        const auto found = shard.queued.find(key_);
        if (--found->second == 0) shard.queued.erase(found);
    }
    QueuedMark(const QueuedMark&) = delete;
    QueuedMark& operator=(const QueuedMark&) = delete;

  private:
    std::shared_ptr<Sharded<Shard>> shards_;
    std::string key_;
};

const char* LocalKeyValues::schema() {
    return "CREATE TABLE IF NOT EXISTS realtime_values (key TEXT PRIMARY KEY, value BLOB NOT NULL, "
           "expires_at INTEGER)"
           " STRICT, WITHOUT ROWID;"
           "CREATE TABLE IF NOT EXISTS realtime_sets (key TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY "
           "(key, member))"
           " STRICT, WITHOUT ROWID;";
}

LocalKeyValues::LocalKeyValues(const Clock& clock, spaktok::sqlite::GroupWriter& writer)
    : clock_(clock), writer_(writer) {
    writer_.run_blocking([this](Connection& connection) { load(connection); });
}

void LocalKeyValues::load(Connection& connection) {
    connection.run("DELETE FROM realtime_values WHERE expires_at <= ?", now());
    Rows values = connection.query("SELECT key, value, expires_at FROM realtime_values");
    while (values.next()) {
        const std::int64_t expires_at = values.is_null(2) ? never : values.integer(2);
        Shard& shard = shards_->of(values.text(0));
        const std::scoped_lock lock(shard.mutex);
        store(shard, values.text(0),
              {.value = std::string(values.bytes(1)),
               .expires_at = expires_at,
               .stored_expires_at = expires_at,
               .durable = true});
    }
    Rows members = connection.query("SELECT key, member FROM realtime_sets");
    while (members.next()) {
        Shard& shard = shards_->of(members.text(0));
        const std::scoped_lock lock(shard.mutex);
        shard.sets[std::string(members.text(0))].emplace(members.text(1));
    }
}

std::int64_t LocalKeyValues::now() const {
    return to_unix_milliseconds(clock_.now());
}

LocalKeyValues::Entry* LocalKeyValues::find_live(Shard& shard, std::string_view key) {
    const auto found = shard.entries.find(key);
    return found != shard.entries.end() && is_live(found->second) ? &found->second : nullptr;
}

void LocalKeyValues::store(Shard& shard, std::string_view key, Entry entry) {
    const auto [place, is_new] = shard.entries.insert_or_assign(std::string(key), std::move(entry));
    if (is_new) ++count_;
}

void LocalKeyValues::erase(Shard& shard, StringMap<Entry>::iterator place) {
    shard.entries.erase(place);
    --count_;
}

asio::awaitable<bool> LocalKeyValues::put(std::string key, std::string value, PutOptions options) {
    check_key(key);
    check_value(value);
    check_expiry(options.expires_after);
    Entry entry{.value = std::move(value), .durable = options.durable};
    if (options.expires_after) entry.expires_at = now() + options.expires_after->count();
    entry.stored_expires_at = entry.expires_at;
    std::shared_ptr<QueuedMark> mark;
    {
        Shard& shard = shards_->of(key);
        const std::scoped_lock lock(shard.mutex);
        const auto found = shard.entries.find(key);
        const bool exists = found != shard.entries.end();
        if (options.only_if_absent && exists && is_live(found->second)) co_return false;
        if (!exists && count_.load() >= entries_max) {
            throw Error(
                ErrorCode::unavailable, "The server is busy. Try again in a moment.",
                {.reason = "busy", .detail = "too many key-values", .retry_after = std::chrono::seconds(5)});
        }
        const bool stays_in_memory =
            !options.durable && !shard.queued.contains(key) && !(exists && found->second.durable);
        if (stays_in_memory) {
            store(shard, key, std::move(entry));
            co_return true;
        }
        // What replaces a durable value is made durable too: a restart must not bring the old one back.
        entry.durable = true;
        mark = std::make_shared<QueuedMark>(shards_, key);
    }
    co_return co_await put_durably(std::move(key), std::move(entry), options.only_if_absent, std::move(mark));
}

asio::awaitable<bool> LocalKeyValues::put_durably(std::string key, Entry entry, bool only_if_absent,
                                                  std::shared_ptr<QueuedMark> mark) {
    auto change = std::make_shared<std::pair<std::string, Entry>>(std::move(key), std::move(entry));
    auto write = [this, change, only_if_absent](Connection& connection) {
        const auto& [name, stored] = *change;
        if (only_if_absent) {
            connection.run(
                "INSERT INTO realtime_values (key, value, expires_at) VALUES (?, ?, ?) ON CONFLICT (key) DO "
                "UPDATE SET"
                " value = excluded.value, expires_at = excluded.expires_at WHERE realtime_values.expires_at "
                "<= ?",
                name, Bytes{stored.value}, to_column(stored.expires_at, never), now());
        } else {
            connection.run(
                "INSERT INTO realtime_values (key, value, expires_at) VALUES (?, ?, ?) ON CONFLICT (key) DO "
                "UPDATE SET"
                " value = excluded.value, expires_at = excluded.expires_at",
                name, Bytes{stored.value}, to_column(stored.expires_at, never));
        }
        return connection.changes() == 1;
    };
    auto show = [this, change, mark = std::move(mark)](bool& written) {
        if (!written) return;
        Shard& shard = shards_->of(change->first);
        const std::scoped_lock lock(shard.mutex);
        shard.touched.erase(change->first);
        store(shard, change->first, std::move(change->second));
    };
    co_return co_await writer_.run(std::move(write), std::move(show));
}

asio::awaitable<std::optional<std::string>> LocalKeyValues::get(std::string key) {
    check_key(key);
    Shard& shard = shards_->of(key);
    const std::scoped_lock lock(shard.mutex);
    const Entry* entry = find_live(shard, key);
    if (entry == nullptr) co_return std::nullopt;
    co_return entry->value;
}

asio::awaitable<bool> LocalKeyValues::touch(std::string key, std::chrono::milliseconds expires_after) {
    check_key(key);
    check_expiry(expires_after);
    Shard& shard = shards_->of(key);
    const std::scoped_lock lock(shard.mutex);
    Entry* entry = find_live(shard, key);
    if (entry == nullptr) co_return false;
    const std::int64_t expires_at = now() + expires_after.count();
    if (expires_at > entry->expires_at) {
        entry->expires_at = expires_at;
        if (entry->durable) shard.touched.insert(std::move(key));
    }
    co_return true;
}

asio::awaitable<bool> LocalKeyValues::remove(std::string key) {
    const auto value = co_await take(std::move(key));
    co_return value.has_value();
}

asio::awaitable<std::optional<std::string>> LocalKeyValues::take(std::string key) {
    check_key(key);
    Shard& shard = shards_->of(key);
    std::shared_ptr<QueuedMark> mark;
    {
        const std::scoped_lock lock(shard.mutex);
        const auto found = shard.entries.find(key);
        const bool exists = found != shard.entries.end();
        const bool is_in_memory_only = !shard.queued.contains(key) && !(exists && found->second.durable);
        if (is_in_memory_only) {
            if (!exists) co_return std::nullopt;
            std::optional<std::string> value;
            if (is_live(found->second)) value = std::move(found->second.value);
            erase(shard, found);
            co_return value;
        }
        mark = std::make_shared<QueuedMark>(shards_, key);
    }
    auto write = [key](Connection& connection) {
        connection.run("DELETE FROM realtime_values WHERE key = ?", key);
        return std::optional<std::string>{};
    };
    // What was there is told by memory, which by then shows all changes before this one and knows the expiry
    // better.
    auto show = [this, &shard, key, mark = std::move(mark)](std::optional<std::string>& value) {
        const std::scoped_lock lock(shard.mutex);
        const auto found = shard.entries.find(key);
        if (found == shard.entries.end()) return;
        if (is_live(found->second)) value = std::move(found->second.value);
        shard.touched.erase(key);
        erase(shard, found);
    };
    co_return co_await writer_.run(std::move(write), std::move(show));
}

// ---- sets --------------------------------------------------------------------------------------
asio::awaitable<void> LocalKeyValues::set_add(std::string key, std::string member) {
    check_key(key);
    check_set_member(member);
    auto write = [key, member](Connection& connection) {
        Rows rows = connection.query("SELECT count(*), max(member = ?2) FROM realtime_sets WHERE key = ?1",
                                     key, member);
        rows.next();
        if (rows.integer(1) == 1) return;
        if (static_cast<std::size_t>(rows.integer(0)) >= set_members_max) {
            throw Error(ErrorCode::conflict, "There are too many of these already.",
                        {.reason = "set_full", .detail = key});
        }
        connection.run("INSERT INTO realtime_sets (key, member) VALUES (?, ?)", key, member);
    };
    auto show = [this, key, member] {
        Shard& shard = shards_->of(key);
        const std::scoped_lock lock(shard.mutex);
        shard.sets[key].insert(member);
    };
    co_await writer_.run(std::move(write), std::move(show));
}

asio::awaitable<void> LocalKeyValues::set_remove(std::string key, std::string member) {
    check_key(key);
    check_set_member(member);
    auto write = [key, member](Connection& connection) {
        connection.run("DELETE FROM realtime_sets WHERE key = ? AND member = ?", key, member);
    };
    auto show = [this, key, member] {
        Shard& shard = shards_->of(key);
        const std::scoped_lock lock(shard.mutex);
        const auto found = shard.sets.find(key);
        if (found == shard.sets.end()) return;
        found->second.erase(member);
        if (found->second.empty()) shard.sets.erase(found);
    };
    co_await writer_.run(std::move(write), std::move(show));
}

asio::awaitable<std::vector<std::string>> LocalKeyValues::set_members(std::string key) {
    check_key(key);
    Shard& shard = shards_->of(key);
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.sets.find(key);
    if (found == shard.sets.end()) co_return std::vector<std::string>{};
    co_return std::vector<std::string>(found->second.begin(), found->second.end());
}

// A shard is a page.
asio::awaitable<ScanPage> LocalKeyValues::scan(std::string cursor) {
    const auto shards = static_cast<std::size_t>(shards_->end() - shards_->begin());
    std::size_t index = 0;
    const auto read = std::from_chars(cursor.data(), cursor.data() + cursor.size(), index);
    const bool is_number =
        cursor.empty() || (read.ec == std::errc{} && read.ptr == cursor.data() + cursor.size());
    if (!is_number || index >= shards) {
        throw Error(ErrorCode::invalid_argument, "The request cannot be carried out as it is.",
                    {.detail = "scan: cursor " + cursor});
    }
    ScanPage page;
    if (index + 1 < shards) page.next = std::to_string(index + 1);
    Shard& shard = *(shards_->begin() + static_cast<std::ptrdiff_t>(index));
    const std::scoped_lock lock(shard.mutex);
    for (const auto& [key, entry] : shard.entries) {
        if (!entry.durable || !is_live(entry)) continue;
        std::optional<std::chrono::milliseconds> left;
        if (entry.expires_at != never) left.emplace(entry.expires_at - now());
        page.values.push_back({.key = key, .value = entry.value, .expires_after = left});
    }
    for (const auto& [key, members] : shard.sets)
        page.sets.push_back({.key = key, .members = {members.begin(), members.end()}});
    co_return page;
}

// ---- upkeep ------------------------------------------------------------------------------------
std::shared_ptr<const std::vector<LocalKeyValues::Expiry>> LocalKeyValues::take_touched() {
    auto touched = std::make_shared<std::vector<Expiry>>();
    for (Shard& shard : *shards_) {
        const std::scoped_lock lock(shard.mutex);
        for (const auto& key : shard.touched) {
            const auto found = shard.entries.find(key);
            if (found == shard.entries.end() || !found->second.durable) continue;
            touched->push_back({.key = key,
                                .stored = found->second.stored_expires_at,
                                .expires_at = found->second.expires_at});
        }
        shard.touched.clear();
    }
    return touched;
}

void LocalKeyValues::write_touched(Connection& connection, const std::vector<Expiry>& touched) {
    for (const auto& each : touched) {
        // A value that was put meanwhile has an expiry of its own.
        connection.run("UPDATE realtime_values SET expires_at = ? WHERE key = ? AND expires_at = ?",
                       each.expires_at, each.key, each.stored);
    }
}

void LocalKeyValues::flush_touched() {
    const auto touched = take_touched();
    if (touched->empty()) return;
    try {
        writer_.run_blocking([&touched](Connection& connection) { write_touched(connection, *touched); });
    } catch (const Error&) {
        for (const auto& each : *touched) {  // for the next flush
            Shard& shard = shards_->of(each.key);
            const std::scoped_lock lock(shard.mutex);
            shard.touched.insert(each.key);
        }
        throw;
    }
    for (const auto& each : *touched) {
        Shard& shard = shards_->of(each.key);
        const std::scoped_lock lock(shard.mutex);
        const auto found = shard.entries.find(each.key);
        if (found != shard.entries.end() && found->second.stored_expires_at == each.stored) {
            found->second.stored_expires_at = each.expires_at;
        }
    }
}

// Erases what is only in memory and returns the keys of what is on the disk too.
std::vector<std::string> LocalKeyValues::erase_expired() {
    std::vector<std::string> durable;
    for (Shard& shard : *shards_) {
        const std::scoped_lock lock(shard.mutex);
        for (auto next = shard.entries.begin(); next != shard.entries.end();) {
            const auto place = next++;
            if (is_live(place->second)) continue;
            if (place->second.durable) {
                durable.push_back(place->first);
            } else {
                erase(shard, place);
            }
        }
    }
    return durable;
}

void LocalKeyValues::sweep() {
    const auto expired = erase_expired();
    for (std::span<const std::string> left(expired); !left.empty();) {
        const auto batch = left.first(std::min(left.size(), sweep_batch_max));
        writer_.run_blocking([batch, at = now()](Connection& connection) {
            for (const auto& key : batch)
                connection.run("DELETE FROM realtime_values WHERE key = ? AND expires_at <= ?", key, at);
        });
        for (const auto& key : batch) {
            Shard& shard = shards_->of(key);
            const std::scoped_lock lock(shard.mutex);
            const auto found = shard.entries.find(key);
            if (found != shard.entries.end() && !is_live(found->second)) erase(shard, found);
        }
        left = left.subspan(batch.size());
    }
    // What was deleted is in the log too, which would keep its size as well.
    if (!expired.empty()) writer_.truncate_log();
}

}  // namespace spaktok::realtime::local
