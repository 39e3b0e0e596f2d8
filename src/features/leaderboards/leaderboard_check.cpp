#include "features/leaderboards/leaderboard_check.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "features/leaderboards/leaderboard_service.h"
#include "features/leaderboards/leaderboard_store.h"

namespace spaktok::leaderboards {

namespace asio = boost::asio;
using checking::Findings;

namespace {

constexpr std::int64_t page_members = 500;
constexpr std::size_t page_ranked = 1000;
// How often a score that differs is looked at: gifts may be booked between two looks.
constexpr int looks_max = 5;
// Later than any clock of a node.
constexpr std::chrono::hours everything{24};

class Check {
  public:
    Check(CheckOptions options, Findings& findings)
        : options_(options), findings_(findings), store_(options.database) {}

    asio::awaitable<void> run() {
        const auto mark =
            co_await options_.rankings.score(std::string(built_board), std::string(built_member));
        if (!mark) co_return;
        const auto now = options_.clock.now();
        for (const auto& summed : co_await store_.boards(now, now + everything))
            co_await check(summed);
    }

  private:
    asio::awaitable<void> check(const LeaderboardStore::Summed& summed) {
        std::set<UserId> known;
        std::optional<UserId> after;
        do {
            const auto page = co_await store_.page(summed.sums, after, page_members);
            for (const auto& sum : page) {
                known.insert(sum.member);
                if (co_await score(summed, sum.member) != sum.amount) co_await look(summed, sum.member);
            }
            findings_.compared(page.size());
            after = page.size() == page_members ? std::optional(page.back().member) : std::nullopt;
        } while (after);
        for (const auto member : co_await members(summed.board.name))
            if (!known.contains(member)) co_await look(summed, member);
    }

    asio::awaitable<std::int64_t> score(const LeaderboardStore::Summed& summed, UserId member) {
        const auto found = co_await options_.rankings.score(summed.board.name, member.to_string());
        co_return static_cast<std::int64_t>(found.value_or(0));
    }

    asio::awaitable<std::vector<UserId>> members(std::string board) {
        std::vector<UserId> members;
        for (std::size_t offset = 0;; offset += page_ranked) {
            const auto page = co_await options_.rankings.top(board, offset, page_ranked);
            for (const auto& ranked : page)
                if (const auto member = UserId::parse(ranked.member)) members.push_back(*member);
            if (page.size() < page_ranked) co_return members;
        }
    }

    // A score lies between what was delivered before it was read and what was booked after.
    asio::awaitable<void> look(const LeaderboardStore::Summed& summed, UserId member) {
        for (int turn = 1;; ++turn) {
            const auto on_their_way = co_await waiting(summed.board.name, member);
            const auto before = co_await store_.sum_of(summed.sums, member);
            const auto stored = co_await score(summed, member);
            const auto after = co_await store_.sum_of(summed.sums, member);
            const auto least = std::min(before - on_their_way, after);
            const auto most = std::max(before - on_their_way, after);
            if (least <= stored && stored <= most) co_return;
            if (turn < looks_max) continue;
            co_await findings_.differs(
                {.place = fmt::format("leaderboard {} of user {}", summed.board.name, member.to_string()),
                 .stored = std::to_string(stored),
                 .expected = std::to_string(after)},
                [&] {
                    return options_.rankings.remove(std::string(built_board), std::string(built_member));
                });
            co_return;
        }
    }

    asio::awaitable<std::int64_t> waiting(std::string board, UserId member) {
        const auto now = options_.clock.now();
        const auto recent = co_await store_.recent(now + everything);
        std::int64_t amount = 0;
        for (const auto& event : recent.waiting) {
            for (const auto& [other, scores] : scores_of(event.gifts, now)) {
                if (other.name != board) continue;
                if (const auto found = scores.find(member); found != scores.end()) amount += found->second;
            }
        }
        co_return amount;
    }

    CheckOptions options_;
    Findings& findings_;
    LeaderboardStore store_;
};

}  // namespace

asio::awaitable<void> check_boards(CheckOptions options, Findings& findings) {
    Check check(options, findings);
    co_await check.run();
}

}  // namespace spaktok::leaderboards
