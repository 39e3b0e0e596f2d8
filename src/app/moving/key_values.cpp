#include "app/moving/key_values.h"

#include <algorithm>

#include "engines/realtime/scan.h"

namespace spaktok::moving {

namespace asio = boost::asio;
using realtime::KeyValues;

namespace {

constexpr const char* part = "key-values";

bool stays(const realtime::StoredValue& value) {
    return !value.expires_after || *value.expires_after > life_min;
}

asio::awaitable<bool> has_set(KeyValues& values, realtime::StoredSet set) {
    auto members = co_await values.set_members(set.key);
    std::ranges::sort(members);
    std::ranges::sort(set.members);
    co_return members == set.members;
}

}  // namespace

asio::awaitable<bool> is_empty(KeyValues& values) {
    std::string cursor;
    do {
        auto page = co_await scanner_of(values).scan(cursor);
        if (!page.sets.empty() || std::ranges::any_of(page.values, stays)) co_return false;
        cursor = std::move(page.next);
    } while (!cursor.empty());
    co_return true;
}

// A scan cannot go on in another process: what was copied is copied again.
asio::awaitable<void> copy_key_values(KeyValues& source, KeyValues& target, Journal& journal,
                                      const Progress& progress) {
    if (!journal.position(part).is_null()) co_return;
    std::int64_t copied = 0;
    std::string cursor;
    do {
        auto page = co_await scanner_of(source).scan(cursor);
        for (auto& value : page.values) {
            if (!stays(value)) continue;
            co_await target.put(std::move(value.key), std::move(value.value),
                                {.expires_after = value.expires_after});
            ++copied;
        }
        for (const auto& set : page.sets) {
            for (const auto& member : set.members)
                co_await target.set_add(set.key, member);
            ++copied;
        }
        cursor = std::move(page.next);
        progress("copying key-values", copied);
    } while (!cursor.empty());
    journal.record(part, "done");
}

asio::awaitable<KeyValuesCompared> compare_with(KeyValues& from, KeyValues& other, const Progress& progress) {
    KeyValuesCompared result;
    std::string cursor;
    do {
        auto page = co_await scanner_of(from).scan(cursor);
        for (const auto& value : page.values) {
            if (!stays(value)) continue;
            const auto found = co_await other.get(value.key);
            ++result.compared;
            if (found != value.value) ++result.missing;
        }
        for (auto& set : page.sets) {
            const bool found = co_await has_set(other, std::move(set));
            ++result.compared;
            if (!found) ++result.missing;
        }
        cursor = std::move(page.next);
        progress("comparing key-values", result.compared);
    } while (!cursor.empty());
    co_return result;
}

}  // namespace spaktok::moving
