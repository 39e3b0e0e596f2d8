#include "engines/realtime/redis/redis_counters.h"

#include <limits>

#include "base/error.h"
#include "engines/realtime/limits.h"
#include "engines/realtime/redis/keys.h"
#include "engines/realtime/redis/redis_key_values.h"

namespace spaktok::realtime::redis {

namespace asio = boost::asio;

namespace {

// How long the events of a board are remembered after the last one.
constexpr std::chrono::milliseconds events_kept = std::chrono::hours(24);

std::int64_t count_of(const Reply& reply) {
    return reply.is_nil() ? 0 : to_integer(reply.text());
}

}  // namespace

// ---- counters ----------------------------------------------------------------------------------
asio::awaitable<std::int64_t> RedisCounters::add(std::string key, std::int64_t by,
                                                 std::optional<std::chrono::milliseconds> expires_after) {
    check_key(key);
    check_expiry(expires_after);
    using Limits = std::numeric_limits<std::int64_t>;
    const Reply sum = co_await client_.run_script(
        scripts::count, {keys::of_counter(key)},
        {std::to_string(by), std::to_string(by > 0 ? Limits::max() : Limits::min()),
         expires_after ? std::to_string(life_of(*expires_after).count()) : ""});
    co_return to_integer(sum.text());
}

asio::awaitable<std::int64_t> RedisCounters::get(std::string key) {
    check_key(key);
    const std::string name = keys::of_counter(key);
    co_return count_of(
        co_await client_.run({.name = "count_get", .key = name, .words = {"GET", name}, .reads = true}));
}

asio::awaitable<std::int64_t> RedisCounters::take(std::string key) {
    check_key(key);
    const std::string name = keys::of_counter(key);
    co_return count_of(co_await client_.run({.name = "count_take", .key = name, .words = {"GETDEL", name}}));
}

// ---- rankings ----------------------------------------------------------------------------------
asio::awaitable<void> RedisRankings::set(std::string board, std::string member, double score) {
    check_key(board);
    check_key(member);
    check_score(score);
    const std::string name = keys::of_board(board);
    co_await client_.run(
        {.name = "rank_set", .key = name, .words = {"ZADD", name, to_text(score), std::move(member)}});
}

asio::awaitable<double> RedisRankings::add(std::string board, std::string member, double by,
                                           std::string event_id) {
    check_key(board);
    check_key(member);
    check_key(event_id);
    check_score(by);
    const Reply score = co_await client_.run_script(
        scripts::rank, {keys::of_board(board), keys::of_board_events(board)},
        {std::move(member), to_text(by), std::move(event_id), std::to_string(ranking_events_kept),
         std::to_string(events_kept.count())});
    if (!score.is_text()) check_score(std::numeric_limits<double>::infinity());
    co_return to_double(score.text());
}

asio::awaitable<void> RedisRankings::remove(std::string board, std::string member) {
    check_key(board);
    check_key(member);
    const std::string name = keys::of_board(board);
    co_await client_.run({.name = "rank_remove", .key = name, .words = {"ZREM", name, std::move(member)}});
}

asio::awaitable<std::vector<Ranked>> RedisRankings::top(std::string board, std::size_t offset,
                                                        std::size_t limit) {
    check_key(board);
    check_ranking_page(limit);
    const std::string name = keys::of_board(board);
    // Redis takes signed numbers.
    constexpr std::size_t offset_max = std::numeric_limits<std::int64_t>::max() - ranking_page_max;
    const std::size_t first = std::min(offset, offset_max);
    const Reply reply =
        co_await client_.run({.name = "rank_top",
                              .key = name,
                              .words = {"ZRANGE", name, std::to_string(first),
                                        std::to_string(first + limit - 1), "REV", "WITHSCORES"},
                              .reads = true});
    std::vector<Ranked> page;
    for (std::size_t i = 0; i + 1 < reply.size(); i += 2)
        page.push_back({.member = std::string(reply[i].text()), .score = to_double(reply[i + 1].text())});
    co_return page;
}

asio::awaitable<std::optional<double>> RedisRankings::score(std::string board, std::string member) {
    check_key(board);
    check_key(member);
    const std::string name = keys::of_board(board);
    const Reply reply = co_await client_.run(
        {.name = "rank_score", .key = name, .words = {"ZSCORE", name, std::move(member)}, .reads = true});
    if (reply.is_nil()) co_return std::nullopt;
    co_return to_double(reply.text());
}

asio::awaitable<std::size_t> RedisRankings::size(std::string board) {
    check_key(board);
    const std::string name = keys::of_board(board);
    const Reply reply =
        co_await client_.run({.name = "rank_size", .key = name, .words = {"ZCARD", name}, .reads = true});
    co_return static_cast<std::size_t>(reply.integer());
}

asio::awaitable<void> RedisRankings::expire(std::string board, std::chrono::milliseconds after) {
    check_key(board);
    check_expiry(after);
    co_await client_.run_script(scripts::expire_board, {keys::of_board(board), keys::of_board_events(board)},
                                {std::to_string(life_of(after).count())});
}

asio::awaitable<void> RedisRankings::clear(std::string board) {
    check_key(board);
    const std::string name = keys::of_board(board);
    co_await client_.run(
        {.name = "rank_clear", .key = name, .words = {"DEL", name, keys::of_board_events(board)}});
}

// ---- presence ----------------------------------------------------------------------------------
asio::awaitable<void> RedisPresence::report(std::string place, std::int64_t count) {
    check_key(place);
    if (count < 0) throw Error(ErrorCode::invalid_argument, "A count cannot be negative.", {.detail = place});
    const std::string name = keys::of_place(place);
    co_await client_.run_script(
        scripts::report, {name + ":" + node_id_, name},
        {node_id_, std::to_string(count), std::to_string(life_of(presence_lifetime).count())});
}

asio::awaitable<std::int64_t> RedisPresence::total(std::string place) {
    check_key(place);
    const std::string name = keys::of_place(place);
    const Reply sum = co_await client_.run_script(scripts::total, {name}, {name + ":"});
    co_return to_integer(sum.text());
}

}  // namespace spaktok::realtime::redis
