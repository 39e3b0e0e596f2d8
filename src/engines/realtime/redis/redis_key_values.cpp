#include "engines/realtime/redis/redis_key_values.h"

#include <algorithm>

#include "base/error.h"
#include "engines/realtime/limits.h"
#include "engines/realtime/redis/failure.h"
#include "engines/realtime/redis/keys.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;
using std::chrono::milliseconds;

milliseconds life_of(milliseconds expires_after) {
    return std::max(expires_after - milliseconds(1), milliseconds(1));
}

namespace {
constexpr int scan_page_keys = 1'000;

// Where a scan stands: `<version>/<server>/<the server's own cursor>`.
struct ScanCursor {
    std::uint64_t version = 0;  // of the map that it began with
    std::size_t server = 0;
    std::string inside = "0";
};

ScanCursor parse_cursor(const std::string& text) {
    if (text.empty()) return {};
    const auto first = text.find('/');
    const auto second = text.find('/', first + 1);
    return {.version = static_cast<std::uint64_t>(to_integer(text.substr(0, first))),
            .server = static_cast<std::size_t>(to_integer(text.substr(first + 1, second - first - 1))),
            .inside = text.substr(second + 1)};
}

std::string text_of(const ScanCursor& cursor) {
    return std::to_string(cursor.version) + '/' + std::to_string(cursor.server) + '/' + cursor.inside;
}

void check_same(const Masters& masters, const ScanCursor& cursor) {
    if (masters.version != cursor.version)
        throw unavailable("the cluster's servers have changed during a scan; begin it anew");
}

std::optional<std::string> optional_text(const Reply& reply) {
    if (reply.is_nil()) return std::nullopt;
    return std::string(reply.text());
}
}  // namespace

asio::awaitable<bool> RedisKeyValues::put(std::string key, std::string value, PutOptions options) {
    check_key(key);
    check_value(value);
    check_expiry(options.expires_after);
    const std::string name = keys::of_value(key);
    std::vector<std::string> words{"SET", name, std::move(value)};
    if (options.expires_after) {
        words.insert(words.end(), {"PX", std::to_string(life_of(*options.expires_after).count())});
    }
    if (options.only_if_absent) words.push_back("NX");
    const Reply reply = co_await client_.run({.name = "put", .key = name, .words = std::move(words)});
    co_return !reply.is_nil();
}

asio::awaitable<std::optional<std::string>> RedisKeyValues::get(std::string key) {
    check_key(key);
    const std::string name = keys::of_value(key);
    co_return optional_text(
        co_await client_.run({.name = "get", .key = name, .words = {"GET", name}, .reads = true}));
}

asio::awaitable<bool> RedisKeyValues::touch(std::string key, milliseconds expires_after) {
    check_key(key);
    check_expiry(expires_after);
    const Reply reply = co_await client_.run_script(scripts::touch, {keys::of_value(key)},
                                                    {std::to_string(life_of(expires_after).count())});
    co_return reply.integer() == 1;
}

asio::awaitable<bool> RedisKeyValues::remove(std::string key) {
    check_key(key);
    const std::string name = keys::of_value(key);
    const Reply reply = co_await client_.run({.name = "remove", .key = name, .words = {"DEL", name}});
    co_return reply.integer() == 1;
}

asio::awaitable<std::optional<std::string>> RedisKeyValues::take(std::string key) {
    check_key(key);
    const std::string name = keys::of_value(key);
    co_return optional_text(co_await client_.run({.name = "take", .key = name, .words = {"GETDEL", name}}));
}

// ---- sets --------------------------------------------------------------------------------------
asio::awaitable<void> RedisKeyValues::set_add(std::string key, std::string member) {
    check_key(key);
    check_set_member(member);
    const Reply reply = co_await client_.run_script(scripts::set_add, {keys::of_set(key)},
                                                    {std::move(member), std::to_string(set_members_max)});
    if (reply.integer() == 0) {
        throw Error(ErrorCode::conflict, "There are too many of these already.",
                    {.reason = "set_full", .detail = key});
    }
}

asio::awaitable<void> RedisKeyValues::set_remove(std::string key, std::string member) {
    check_key(key);
    check_set_member(member);
    const std::string name = keys::of_set(key);
    co_await client_.run({.name = "set_remove", .key = name, .words = {"SREM", name, std::move(member)}});
}

asio::awaitable<std::vector<std::string>> RedisKeyValues::set_members(std::string key) {
    check_key(key);
    const std::string name = keys::of_set(key);
    const Reply reply = co_await client_.run(
        {.name = "set_members", .key = name, .words = {"SMEMBERS", name}, .reads = true});
    std::vector<std::string> members;
    members.reserve(reply.size());
    for (std::size_t i = 0; i < reply.size(); ++i)
        members.emplace_back(reply[i].text());
    co_return members;
}

// https://redis.io/commands/scan: each key that is there from the first page to the last comes at least once.
// In a cluster one master is scanned after the other, which finds all only where no slot moves meanwhile.
asio::awaitable<ScanPage> RedisKeyValues::scan(std::string cursor) {
    ScanCursor at = parse_cursor(cursor);
    const auto masters = co_await client_.masters(at.inside == "0");
    if (cursor.empty()) at.version = masters.version;
    check_same(masters, at);
    const Reply reply =
        co_await client_.run({.name = "scan",
                              .key = "",
                              .words = {"SCAN", at.inside, "COUNT", std::to_string(scan_page_keys)},
                              .reads = true,
                              .server = masters.servers[at.server]});
    ScanPage page;
    at.inside = reply[0].text();
    if (at.inside == "0") ++at.server;
    if (at.server < masters.servers.size()) {
        page.next = text_of(at);
    } else {
        check_same(co_await client_.masters(true), at);
    }
    const Reply names = reply[1];
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string_view name = names[i].text();
        if (name.starts_with(keys::set_prefix)) {
            const std::string key(name.substr(keys::set_prefix.size()));
            page.sets.push_back({.key = key, .members = co_await set_members(key)});
        } else if (const auto key = keys::value_of(name)) {
            auto value = co_await stored_value(*key);
            if (value) page.values.push_back(*std::move(value));
        }
    }
    co_return page;
}

asio::awaitable<std::optional<StoredValue>> RedisKeyValues::stored_value(std::string key) {
    const std::string name = keys::of_value(key);
    auto value = co_await get(key);
    const Reply left =
        co_await client_.run({.name = "scan_life", .key = name, .words = {"PTTL", name}, .reads = true});
    constexpr std::int64_t is_gone = -2;
    constexpr std::int64_t has_no_end = -1;
    if (!value || left.integer() == is_gone) co_return std::nullopt;
    StoredValue stored{.key = std::move(key), .value = *std::move(value)};
    if (left.integer() != has_no_end) stored.expires_after = milliseconds(left.integer() + 1);  // life_of's
    co_return stored;
}

}  // namespace spaktok::realtime::redis
