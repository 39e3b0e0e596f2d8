#include "engines/realtime/local/local_counters.h"

#include <limits>

#include "base/error.h"
#include "engines/realtime/limits.h"

namespace spaktok::realtime::local {

namespace asio = boost::asio;

namespace {

Error full(const char* what) {
    return Error(ErrorCode::unavailable, "The server is busy. Try again in a moment.",
                 {.reason = "busy",
                  .detail = std::string("too many ") + what,
                  .retry_after = std::chrono::seconds(5)});
}

std::int64_t add_within_64_bits(std::int64_t value, std::int64_t by) {
    std::int64_t sum = 0;
    if (!__builtin_add_overflow(value, by, &sum)) return sum;
    return by > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

}  // namespace

// ---- counters ----------------------------------------------------------------------------------
bool LocalCounters::is_expired(const Counter& counter) const {
    return counter.expires_at && *counter.expires_at <= clock_.steady_now();
}

asio::awaitable<std::int64_t> LocalCounters::add(std::string key, std::int64_t by,
                                                 std::optional<std::chrono::milliseconds> expires_after) {
    check_key(key);
    check_expiry(expires_after);
    Shard& shard = shards_.of(key);
    const std::scoped_lock lock(shard.mutex);
    auto found = shard.counters.find(key);
    if (found == shard.counters.end()) {
        if (count_.load() >= counters_max) throw full("counters");
        found = shard.counters.emplace(std::move(key), Counter{}).first;
        ++count_;
    } else if (!is_expired(found->second)) {
        co_return found->second.value = add_within_64_bits(found->second.value, by);
    }
    found->second = {.value = by, .expires_at = std::nullopt};
    if (expires_after) found->second.expires_at = clock_.steady_now() + *expires_after;
    co_return by;
}

asio::awaitable<std::int64_t> LocalCounters::get(std::string key) {
    check_key(key);
    Shard& shard = shards_.of(key);
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.counters.find(key);
    co_return found == shard.counters.end() || is_expired(found->second) ? 0 : found->second.value;
}

asio::awaitable<std::int64_t> LocalCounters::take(std::string key) {
    check_key(key);
    Shard& shard = shards_.of(key);
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.counters.find(key);
    if (found == shard.counters.end()) co_return 0;
    const std::int64_t value = is_expired(found->second) ? 0 : found->second.value;
    shard.counters.erase(found);
    --count_;
    co_return value;
}

void LocalCounters::sweep() {
    for (Shard& shard : shards_) {
        const std::scoped_lock lock(shard.mutex);
        count_ -= std::erase_if(shard.counters, [this](const auto& each) { return is_expired(each.second); });
    }
}

// ---- rankings ----------------------------------------------------------------------------------
void LocalRankings::Board::put(const std::string& member, double score) {
    const auto [place, is_first] = scores.try_emplace(member, score);
    if (!is_first) {
        order.erase({.member = member, .score = place->second});
        place->second = score;
    }
    order.insert({.member = member, .score = score});
}

bool LocalRankings::Board::is_new(const std::string& event_id) {
    if (!events.insert(event_id).second) return false;
    events_by_age.push_back(event_id);
    if (events_by_age.size() > ranking_events_kept) {
        events.erase(events_by_age.front());
        events_by_age.pop_front();
    }
    return true;
}

bool LocalRankings::is_expired(const Board& board) const {
    return board.expires_at && *board.expires_at <= clock_.steady_now();
}

LocalRankings::Board* LocalRankings::find(Shard& shard, const std::string& board) {
    const auto place = shard.boards.find(board);
    if (place == shard.boards.end()) return nullptr;
    if (!is_expired(place->second)) return &place->second;
    members_ -= place->second.scores.size();
    shard.boards.erase(place);
    return nullptr;
}

LocalRankings::Board& LocalRankings::find_or_make(Shard& shard, const std::string& board) {
    auto* found = find(shard, board);
    return found != nullptr ? *found : shard.boards[board];
}

void LocalRankings::put(Board& board, const std::string& member, double score) {
    if (!board.scores.contains(member)) {
        if (members_.load() >= members_max) throw full("ranked members");
        ++members_;
    }
    board.put(member, score);
}

asio::awaitable<void> LocalRankings::set(std::string board, std::string member, double score) {
    check_key(board);
    check_key(member);
    check_score(score);
    Shard& shard = shards_.of(board);
    const std::scoped_lock lock(shard.mutex);
    put(find_or_make(shard, board), member, score);
    co_return;
}

asio::awaitable<double> LocalRankings::add(std::string board, std::string member, double by,
                                           std::string event_id) {
    check_key(board);
    check_key(member);
    check_key(event_id);
    check_score(by);
    Shard& shard = shards_.of(board);
    const std::scoped_lock lock(shard.mutex);
    Board& scores = find_or_make(shard, board);
    const auto found = scores.scores.find(member);
    const double before = found == scores.scores.end() ? 0 : found->second;
    check_score(before + by);
    if (scores.events.contains(event_id)) co_return before;
    put(scores, member, before + by);
    scores.is_new(event_id);
    co_return before + by;
}

asio::awaitable<void> LocalRankings::remove(std::string board, std::string member) {
    check_key(board);
    check_key(member);
    Shard& shard = shards_.of(board);
    const std::scoped_lock lock(shard.mutex);
    auto* place = find(shard, board);
    if (place == nullptr) co_return;
    const auto found = place->scores.find(member);
    if (found == place->scores.end()) co_return;
    place->order.erase({.member = member, .score = found->second});
    place->scores.erase(found);
    --members_;
}

asio::awaitable<std::vector<Ranked>> LocalRankings::top(std::string board, std::size_t offset,
                                                        std::size_t limit) {
    check_key(board);
    check_ranking_page(limit);
    std::vector<Ranked> page;
    Shard& shard = shards_.of(board);
    const std::scoped_lock lock(shard.mutex);
    const auto* place = find(shard, board);
    if (place == nullptr || offset >= place->order.size()) co_return page;
    auto next = std::next(place->order.begin(), static_cast<std::ptrdiff_t>(offset));
    for (; next != place->order.end() && page.size() < limit; ++next)
        page.push_back(*next);
    co_return page;
}

asio::awaitable<std::optional<double>> LocalRankings::score(std::string board, std::string member) {
    check_key(board);
    check_key(member);
    Shard& shard = shards_.of(board);
    const std::scoped_lock lock(shard.mutex);
    const auto* place = find(shard, board);
    if (place == nullptr) co_return std::nullopt;
    const auto found = place->scores.find(member);
    if (found == place->scores.end()) co_return std::nullopt;
    co_return found->second;
}

asio::awaitable<std::size_t> LocalRankings::size(std::string board) {
    check_key(board);
    Shard& shard = shards_.of(board);
    const std::scoped_lock lock(shard.mutex);
    const auto* place = find(shard, board);
    co_return place == nullptr ? 0 : place->scores.size();
}

asio::awaitable<void> LocalRankings::expire(std::string board, std::chrono::milliseconds after) {
    check_key(board);
    check_expiry(after);
    Shard& shard = shards_.of(board);
    const std::scoped_lock lock(shard.mutex);
    auto* place = find(shard, board);
    if (place != nullptr) place->expires_at = clock_.steady_now() + after;
    co_return;
}

asio::awaitable<void> LocalRankings::clear(std::string board) {
    check_key(board);
    Shard& shard = shards_.of(board);
    const std::scoped_lock lock(shard.mutex);
    const auto place = shard.boards.find(board);
    if (place == shard.boards.end()) co_return;
    members_ -= place->second.scores.size();
    shard.boards.erase(place);
}

void LocalRankings::sweep() {
    for (Shard& shard : shards_) {
        const std::scoped_lock lock(shard.mutex);
        std::erase_if(shard.boards, [this](const auto& each) {
            if (!is_expired(each.second)) return false;
            members_ -= each.second.scores.size();
            return true;
        });
    }
}

// ---- presence ----------------------------------------------------------------------------------
bool LocalPresence::is_over(const Report& report) const {
    return report.at + presence_lifetime <= clock_.steady_now();
}

asio::awaitable<void> LocalPresence::report(std::string place, std::int64_t count) {
    check_key(place);
    if (count < 0) throw Error(ErrorCode::invalid_argument, "A count cannot be negative.", {.detail = place});
    const std::scoped_lock lock(mutex_);
    if (count == 0) {
        reports_.erase(place);
        co_return;
    }
    if (reports_.size() >= places_max && !reports_.contains(place)) throw full("places");
    reports_[std::move(place)] = {.count = count, .at = clock_.steady_now()};
}

asio::awaitable<std::int64_t> LocalPresence::total(std::string place) {
    check_key(place);
    const std::scoped_lock lock(mutex_);
    const auto found = reports_.find(place);
    co_return found == reports_.end() || is_over(found->second) ? 0 : found->second.count;
}

void LocalPresence::sweep() {
    const std::scoped_lock lock(mutex_);
    std::erase_if(reports_, [this](const auto& each) { return is_over(each.second); });
}

}  // namespace spaktok::realtime::local
