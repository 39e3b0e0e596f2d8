// For tests: the KeyValues port over a map and a clock.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/clock.h"
#include "engines/realtime/realtime.h"

namespace spaktok::http::testing {

class MemoryKeyValues final : public realtime::KeyValues {
  public:
    explicit MemoryKeyValues(const Clock& clock) : clock_(clock) {}

    boost::asio::awaitable<bool> put(std::string key, std::string value, PutOptions options) override {
        const std::lock_guard lock(mutex_);
        ++puts;
        if (options.only_if_absent && find(key) != nullptr) co_return false;
        std::optional<Timestamp> expires_at;
        if (options.expires_after) expires_at = clock_.now() + *options.expires_after;
        entries_[key] = {std::move(value), expires_at};
        co_return true;
    }
    boost::asio::awaitable<std::optional<std::string>> get(std::string key) override {
        const std::lock_guard lock(mutex_);
        const auto* entry = find(key);
        co_return entry == nullptr ? std::nullopt : std::optional(entry->value);
    }
    boost::asio::awaitable<bool> touch(std::string key, std::chrono::milliseconds expires_after) override {
        const std::lock_guard lock(mutex_);
        ++touches;
        auto* entry = find(key);
        if (entry == nullptr) co_return false;
        entry->expires_at = clock_.now() + expires_after;
        co_return true;
    }
    boost::asio::awaitable<bool> remove(std::string key) override {
        const std::lock_guard lock(mutex_);
        co_return entries_.erase(key) > 0;
    }
    boost::asio::awaitable<std::optional<std::string>> take(std::string key) override {
        const std::lock_guard lock(mutex_);
        const auto* entry = find(key);
        if (entry == nullptr) co_return std::nullopt;
        auto value = entry->value;
        entries_.erase(key);
        co_return value;
    }
    boost::asio::awaitable<void> set_add(std::string key, std::string member) override {
        const std::lock_guard lock(mutex_);
        sets_[key].insert(std::move(member));
        co_return;
    }
    boost::asio::awaitable<void> set_remove(std::string key, std::string member) override {
        const std::lock_guard lock(mutex_);
        sets_[key].erase(member);
        co_return;
    }
    boost::asio::awaitable<std::vector<std::string>> set_members(std::string key) override {
        const std::lock_guard lock(mutex_);
        const auto& members = sets_[key];
        co_return std::vector<std::string>(members.begin(), members.end());
    }

    std::vector<std::string> keys() const {
        std::vector<std::string> keys;
        for (const auto& [key, entry] : entries_)
            keys.push_back(key);
        return keys;
    }

    int puts = 0;
    int touches = 0;

  private:
    struct Entry {
        std::string value;
        std::optional<Timestamp> expires_at;
    };
    Entry* find(const std::string& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end()) return nullptr;
        if (found->second.expires_at && *found->second.expires_at <= clock_.now()) return nullptr;
        return &found->second;
    }

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    std::map<std::string, std::set<std::string>> sets_;
};

// Runs a coroutine to its end.
template <class T>
T run(boost::asio::awaitable<T> work) {
    boost::asio::io_context context;
    auto result = boost::asio::co_spawn(context, std::move(work), boost::asio::use_future);
    context.run();
    return result.get();
}

}  // namespace spaktok::http::testing
