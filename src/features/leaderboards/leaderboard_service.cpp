#include "features/leaderboards/leaderboard_service.h"

#include <algorithm>
#include <set>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "base/park.h"
#include "features/cache/expiring_cache.h"
#include "features/leaderboards/leaderboard_store.h"

namespace spaktok::leaderboards {

namespace asio = boost::asio;

namespace {

// How many changes of a board are on their way at once.
constexpr std::size_t changes_at_once = 500;
// What was booked longer ago than this is committed or never will be.
constexpr std::chrono::minutes settled_after{10};
// A board remembers its last 10,000 events: so many may be under way when it is built, and come meanwhile.
constexpr std::size_t waiting_events_max = 2'000;
constexpr std::size_t held_events_max = 5'000;
constexpr std::int64_t told_places = 10;
constexpr std::chrono::milliseconds look_again{5};
// Of a stream that is over; nothing changes it but a gift that is taken back.
constexpr std::chrono::seconds past_life{5};

// Does all at once, on the caller's thread. Throws what the first failure was, once all have ended.
asio::awaitable<void> all_of(std::vector<asio::awaitable<void>> work) {
    const auto executor = co_await asio::this_coro::executor;
    std::size_t left = work.size() + 1;
    std::exception_ptr failure;
    co_await park([&](Resume resume) {
        const auto done = [&left, resume] {
            if (--left == 0) resume();
        };
        for (auto& one : work) {
            asio::co_spawn(executor, std::move(one), [&failure, done](std::exception_ptr error) {
                if (error && !failure) failure = error;
                done();
            });
        }
        done();
    });
    if (failure) std::rethrow_exception(failure);
}

std::string event_on_board(const Uuid& event, UserId member) {
    return event.to_string() + ":" + member.to_string();
}

}  // namespace

struct Service::State {
    explicit State(Options given)
        : options(std::move(given)),
          store(options.database),
          past(options.clock, {.life = past_life, .entries_max = 1'000}) {}

    struct Arrived {
        Uuid id;
        std::vector<Gift> gifts;
    };

    asio::awaitable<void> arrived(const events::Event& event) {
        Arrived arrived{.id = event.id, .gifts = gifts_of(event.type, event.payload)};
        for (const auto& gift : arrived.gifts)
            if (gift.stream) changed.insert(*gift.stream);
        if (building) {
            // In memory alone: what builds the boards reads it from the database if this process ends first.
            if (held.size() >= held_events_max)
                throw Error(ErrorCode::unavailable, "The leaderboards are being built.");
            held.push_back(std::move(arrived));
            co_return;
        }
        ++counting;
        std::exception_ptr failure;
        try {
            co_await count(std::move(arrived));
        } catch (...) {
            failure = std::current_exception();
        }
        --counting;
        if (failure) std::rethrow_exception(failure);
    }

    asio::awaitable<void> add(std::string board, UserId member, std::int64_t by, Uuid event) {
        co_await options.rankings.add(std::move(board), member.to_string(), static_cast<double>(by),
                                      event_on_board(event, member));
    }
    asio::awaitable<void> set(std::string board, UserId member, std::int64_t score) {
        co_await options.rankings.set(std::move(board), member.to_string(), static_cast<double>(score));
    }
    asio::awaitable<void> count(Arrived arrived) {
        const auto now = options.clock.now();
        for (const auto& [board, scores] : scores_of(arrived.gifts, now)) {
            co_await change(board.name, scores, arrived.id);
            if (board.over_at) co_await options.rankings.expire(board.name, *board.over_at - now);
        }
    }
    asio::awaitable<void> change(std::string board, Scores scores, Uuid event) {
        std::vector<asio::awaitable<void>> changes;
        for (const auto& [member, by] : scores) {
            changes.push_back(add(board, member, by, event));
            if (changes.size() == changes_at_once) co_await all_of(std::exchange(changes, {}));
        }
        co_await all_of(std::move(changes));
    }

    asio::awaitable<bool> is_built() {
        const auto mark =
            co_await options.rankings.score(std::string(built_board), std::string(built_member));
        co_return mark.has_value();
    }
    asio::awaitable<void> keep();
    asio::awaitable<void> build();
    asio::awaitable<void> build_board(LeaderboardStore::Summed wanted, Scores recent, Timestamp now);
    asio::awaitable<void> set_all(std::string board, Scores scores);
    asio::awaitable<void> pause() {
        asio::steady_timer timer(co_await asio::this_coro::executor, look_again);
        co_await timer.async_wait(asio::use_awaitable);
    }

    asio::awaitable<std::vector<Place>> places(std::vector<LeaderboardStore::Sum> sums) {
        std::vector<UserId> members;
        members.reserve(sums.size());
        for (const auto& sum : sums)
            members.push_back(sum.member);
        const auto users = co_await options.accounts.summaries(std::move(members));
        std::vector<Place> places;
        for (const auto& sum : sums) {
            const auto user = users.find(sum.member);
            if (sum.amount <= 0 || user == users.end()) continue;
            places.push_back({.rank = static_cast<std::int64_t>(places.size()) + 1,
                              .user = user->second,
                              .amount = Money::from_minor(sum.amount)});
        }
        co_return places;
    }
    asio::awaitable<std::vector<Place>> top_of(std::string board, std::int64_t limit) {
        std::vector<LeaderboardStore::Sum> sums;
        for (const auto& ranked :
             co_await options.rankings.top(std::move(board), 0, static_cast<std::size_t>(limit))) {
            if (const auto member = UserId::parse(ranked.member))
                sums.push_back({.member = *member, .amount = static_cast<std::int64_t>(ranked.score)});
        }
        co_return co_await places(std::move(sums));
    }

    Options options;
    LeaderboardStore store;
    cache::ExpiringCache<StreamId, std::vector<LeaderboardStore::Sum>> past;
    std::set<StreamId> changed;
    bool building = false;
    std::size_t counting = 0;
    std::vector<Arrived> held;
};

asio::awaitable<void> Service::State::keep() {
    if (building || !options.may_build() || co_await is_built()) co_return;
    building = true;
    std::exception_ptr failure;
    try {
        co_await build();
    } catch (...) {
        failure = std::current_exception();
    }
    building = false;
    held.clear();
    if (failure) std::rethrow_exception(failure);
}

// Of what was booked until some minutes ago the sums stand still and are read in pages. What came since, and
// the events that are still to be delivered, are read in one step: those are in the sums already, and are
// remembered by the boards as counted. What is delivered meanwhile is held and counted at the end.
asio::awaitable<void> Service::State::build() {
    while (counting > 0)
        co_await pause();
    const auto now = options.clock.now();
    const auto settled = std::chrono::floor<std::chrono::seconds>(now - settled_after);
    const auto recent = co_await store.recent(settled);
    if (recent.waiting.size() > waiting_events_max) co_return;  // they are being delivered; soon again
    auto recent_scores = scores_of(recent.gifts, now);
    std::map<std::string, Scores> by_name;
    for (auto& [board, scores] : recent_scores)
        for (const auto& [member, amount] : scores)
            by_name[board.name][member] += amount;
    for (auto& one : co_await store.boards(now, settled)) {
        auto scores = std::move(by_name[one.board.name]);
        co_await build_board(std::move(one), std::move(scores), now);
        if (!options.may_build()) co_return;
    }
    for (const auto& waiting : recent.waiting) {
        for (auto& [board, scores] : scores_of(waiting.gifts, now)) {
            for (auto& score : scores)
                score.second = 0;
            co_await change(board.name, std::move(scores), waiting.event_id);
        }
    }
    for (std::size_t i = 0; i < held.size(); ++i)  // more may come meanwhile
        co_await count(Arrived(held[i]));
    if (!options.may_build()) co_return;
    co_await options.rankings.set(std::string(built_board), std::string(built_member), 1);
    log::info("leaderboards built");
}

asio::awaitable<void> Service::State::build_board(LeaderboardStore::Summed wanted, Scores recent,
                                                  Timestamp now) {
    const auto& name = wanted.board.name;
    co_await options.rankings.clear(name);
    std::optional<UserId> after;
    do {
        const auto page = co_await store.page(wanted.sums, after, changes_at_once);
        Scores scores;
        for (const auto& sum : page) {
            scores[sum.member] = sum.amount;
            if (const auto newer = recent.find(sum.member); newer != recent.end()) {
                scores[sum.member] += newer->second;
                recent.erase(newer);
            }
        }
        co_await set_all(name, std::move(scores));
        after = page.size() == changes_at_once ? std::optional(page.back().member) : std::nullopt;
    } while (after && options.may_build());
    co_await set_all(name, std::move(recent));
    if (wanted.board.over_at) co_await options.rankings.expire(name, *wanted.board.over_at - now);
}

asio::awaitable<void> Service::State::set_all(std::string board, Scores scores) {
    std::vector<asio::awaitable<void>> changes;
    for (const auto& [member, score] : scores) {
        changes.push_back(set(board, member, score));
        if (changes.size() == changes_at_once) co_await all_of(std::exchange(changes, {}));
    }
    co_await all_of(std::move(changes));
}

Service::Service(Options options) : state_(std::make_shared<State>(std::move(options))) {}
Service::~Service() = default;

void Service::follow(events::Dispatcher& events) {
    for (const auto* type : {"gifts.sent", "gifts.reversed"}) {
        events.subscribe(type,
                         [state = state_](const events::Event& event) { return state->arrived(event); });
    }
}

asio::awaitable<void> Service::tick() {
    auto changed = std::exchange(state_->changed, {});
    for (const auto stream : changed) {
        const auto places = co_await top_of_stream(stream, told_places);
        co_await state_->options.publish("stream:" + stream.to_string(), "leaderboard",
                                         json::Object{{"items", json::to_value(places)}});
    }
}

asio::awaitable<void> Service::keep() {
    return state_->keep();
}

asio::awaitable<std::vector<Place>> Service::top(Side side, Period period, std::int64_t limit) {
    return state_->top_of(board_of(side, period, state_->options.clock.now()).name, limit);
}

asio::awaitable<std::vector<Place>> Service::top_of_stream(StreamId stream, std::int64_t limit) {
    if (co_await state_->options.is_live(stream))
        co_return co_await state_->top_of(board_of(stream, Timestamp{}).name, limit);
    auto sums = state_->past.get(stream);
    if (!sums) {
        const auto ticket = state_->past.ticket(stream);
        sums = co_await state_->store.top_of_stream(stream, places_max);
        state_->past.put(stream, *sums, ticket);
    }
    if (std::cmp_greater(sums->size(), limit)) sums->resize(static_cast<std::size_t>(limit));
    co_return co_await state_->places(std::move(*sums));
}

}  // namespace spaktok::leaderboards
