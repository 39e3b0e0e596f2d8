#include "app/checker.h"

#include <exception>
#include <memory>

#include <fmt/format.h>

#include "engines/relational/derived.h"
#include "engines/relational/migrations.h"
#include "features/chat/chat_check.h"
#include "features/leaderboards/leaderboard_check.h"
#include "features/ledger/audit.h"
#include "features/streams/stream_check.h"

namespace spaktok::app {

namespace asio = boost::asio;
using checking::Findings;

namespace {

asio::awaitable<void> check_counts(relational::Database& database, Findings& findings) {
    for (const auto& column : relational::derived_columns()) {
        std::optional<Uuid> after;
        do {
            const auto page = co_await relational::compare_counts(database, column, after);
            findings.compared(page.rows);
            for (const auto& count : page.wrong) {
                co_await findings.differs(
                    {.place = fmt::format("{}.{} of {}", column.table, column.column, count.id.to_string()),
                     .stored = std::to_string(count.stored),
                     .expected = std::to_string(count.counted)},
                    [&] { return relational::recount(database, column, count.id); });
            }
            after = page.last;
        } while (after);
    }
}

asio::awaitable<void> check_books(relational::Database& database, Findings& findings) {
    const auto result = co_await ledger::audit(database);
    findings.compared(static_cast<std::size_t>(result.compared));
    for (const auto& difference : result.differences) {
        findings.differs({.place = difference.id.empty()
                                       ? difference.what
                                       : fmt::format("{} {}", difference.what, difference.id),
                          .stored = std::to_string(difference.stored),
                          .expected = std::to_string(difference.expected)});
    }
}

asio::awaitable<std::unique_ptr<relational::Database>> open_migrated(const std::string& url) {
    auto database = relational::open(url, {});
    const auto plan = co_await relational::plan_migrations(*database);
    if (!plan.pending.empty())
        throw Error(ErrorCode::conflict, "The schema is not up to date: run `spaktok migrate` first.");
    co_return database;
}

}  // namespace

asio::awaitable<void> check_ledger(Settings settings, Findings& findings) {
    const auto database = co_await open_migrated(settings.relational);
    co_await check_books(*database, findings);
}

asio::awaitable<void> check_place(Settings settings, Findings& findings) {
    SystemClock clock;
    SystemRandom random;
    const auto database = co_await open_migrated(settings.relational);
    const auto documents = document::open(settings.document);
    const auto realtime =
        realtime::open(settings.realtime, {.node_id = "check", .clock = &clock, .random = &random});
    std::exception_ptr failure;
    try {
        co_await check_counts(*database, findings);
        co_await check_books(*database, findings);
        co_await streams::check_streams({.database = *database,
                                         .documents = *documents,
                                         .realtime = *realtime,
                                         .has_ranking = !settings.realtime.starts_with("local:"),
                                         .clock = clock,
                                         .random = random},
                                        findings);
        co_await chat::check_counters(*documents, findings);
        co_await leaderboards::check_boards(
            {.database = *database, .rankings = realtime->rankings(), .clock = clock}, findings);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await realtime->stop();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace spaktok::app
