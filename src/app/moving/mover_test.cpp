#include "app/moving/mover.h"

#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <unistd.h>

#include "app/moving/blobs.h"
#include "app/moving/full_place.h"
#include "app/moving/key_values.h"
#include "app/testing/places.h"
#include "engines/realtime/scan.h"
#include "engines/relational/migrations.h"
#include "features/cluster/lease.h"

namespace spaktok::moving {
namespace {

using app::testing::Embedded;
using app::testing::ScaleOut;
using app::testing::Urls;
using engines::testing::run;
using ::testing::HasSubstr;

constexpr std::size_t tables_min = 30;
const Progress no_progress = [](const std::string&, std::int64_t) {};

class Move : public ::testing::Test {
  protected:
    void SetUp() override { fill_place(source_.urls()); }

    void fill_place(const Urls& urls) {
        const auto database = relational::open(urls.relational, {});
        run(relational::migrate(*database, clock_.now()));
        run(testing::fill(*database));
        run(testing::fill(*document::open(urls.document)));
        const auto realtime = open_realtime(urls.realtime);
        run(testing::fill(realtime->key_values()));
        run(realtime->stop());
        run(testing::fill(*blob::open(urls.blob)));
    }

    std::unique_ptr<realtime::Engine> open_realtime(const std::string& url) {
        return realtime::open(url, {.node_id = "test", .clock = &clock_, .random = &random_});
    }

    MoveOptions options(const Urls& from, const Urls& to, Progress progress = no_progress) {
        return {.relational = Way{.from = from.relational, .to = to.relational},
                .document = Way{.from = from.document, .to = to.document},
                .realtime = Way{.from = from.realtime, .to = to.realtime},
                .blob = Way{.from = from.blob, .to = to.blob},
                .realtime_in_use = from.realtime,
                .journal = journal(),
                .clock = clock_,
                .random = random_,
                .progress = std::move(progress),
                .batch_rows = 2,
                .batch_documents = 1};
    }
    std::filesystem::path journal() const { return source_.folder() / "move.json"; }

    std::string refusal_of(MoveOptions options) {
        try {
            run(move_place(std::move(options)));
        } catch (const Error& error) {
            return error.message();
        }
        return "moved";
    }

    // Of each table, collection and the files.
    std::map<std::string, Checksum> checksums(const Urls& urls) {
        std::map<std::string, Checksum> sums;
        const auto database = relational::open(urls.relational, {});
        for (const auto& table : relational::all_tables())
            sums[table.name] = run(checksum_of(*database, table, 100, no_progress));
        const auto store = document::open(urls.document);
        run(ensure_collections(*store));
        for (const auto& collection : all_collections())
            sums[collection.name] = run(checksum_of(*store, collection, 100, no_progress));
        sums["files"] = run(checksum_of(*blob::open(urls.blob), no_progress));
        return sums;
    }

    std::string read(const Urls& urls, std::string_view sql) {
        const auto database = relational::open(urls.relational, {});
        const auto result = run(database->query(
            relational::Statement{.name = "move_test", .sql = sql, .mode = relational::Mode::read}));
        return result.empty() ? "none" : result[0].get<std::string>("value");
    }
    void write(const Urls& urls, std::string_view sql) {
        const auto database = relational::open(urls.relational, {});
        run(database->query(
            relational::Statement{.name = "move_test", .sql = sql, .mode = relational::Mode::write}));
    }

    ManualClock clock_{std::chrono::sys_days(std::chrono::year(2026) / 11 / 23)};
    SystemRandom random_;
    Embedded source_;
};

TEST_F(Move, ToEnginesAndBackKeepsEverything) {
    const ScaleOut engines;
    const Embedded back;
    const auto moved = run(move_place(options(source_.urls(), engines.urls())));
    EXPECT_FALSE(std::filesystem::exists(journal()));
    EXPECT_EQ(moved.rows, static_cast<std::int64_t>(relational::all_tables().size() * testing::rows_a_table));
    EXPECT_EQ(moved.documents, 6);
    EXPECT_EQ(moved.key_values, 4);
    EXPECT_EQ(moved.files, 3);
    EXPECT_EQ(run(move_place(options(engines.urls(), back.urls()))).rows, moved.rows);
    const auto before = checksums(source_.urls());
    EXPECT_EQ(checksums(engines.urls()), before);
    EXPECT_EQ(checksums(back.urls()), before);
    for (const auto& [name, sum] : before)
        EXPECT_GE(sum.count(), 2) << name;
    EXPECT_GT(before.size(), tables_min);
    EXPECT_EQ(engines.redis().ask("EXISTS value:value:b"), "1");
}

TEST_F(Move, ValuesHaveTheTypesOfTheirEngines) {
    const ScaleOut engines;
    const auto urls = engines.urls();
    run(move_place(options(source_.urls(), urls)));
    EXPECT_EQ(read(urls, "SELECT amount::text AS value FROM transactions ORDER BY amount DESC LIMIT 1"),
              "99999999.99");
    EXPECT_EQ(read(urls, "SELECT string_agg(rate::text, ' ' ORDER BY rate) AS value FROM exchange_rates"),
              "0.0001 1.2345 999999.9999");
    EXPECT_EQ(read(urls, "SELECT day::text AS value FROM exchange_rates WHERE currency = 'EUR'"),
              "2024-02-29");
    EXPECT_EQ(read(urls,
                   "SELECT to_char(max(ends_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS value "
                   "FROM stream_polls"),
              "9999-12-31 23:59:59.999");
    EXPECT_EQ(read(urls, "SELECT skills -> 'n' ->> 'y' AS value FROM users LIMIT 1"), "9007199254740993");
    EXPECT_EQ(read(urls, "SELECT min(title) AS value FROM streams"), testing::awkward_text + "0");
    EXPECT_EQ(read(urls, "SELECT count(parent_id)::text AS value FROM comments"), "2");
    EXPECT_EQ(read(urls, "SELECT count(*)::text AS value FROM streams_past"), "1");
    const auto realtime = open_realtime(urls.realtime);
    auto& values = realtime->key_values();
    EXPECT_EQ(run(values.get("session:a")), std::string("\0'\xff", 3));
    EXPECT_EQ(run(values.get("soon over")), std::nullopt);
    EXPECT_EQ(run(values.set_members("user_sessions:1")).size(), 2U);
    const auto life = run(realtime::scanner_of(values).scan("")).values;
    const auto session = std::ranges::find(life, std::string("session:a"), &realtime::StoredValue::key);
    ASSERT_NE(session, life.end());
    EXPECT_LE(*session->expires_after, std::chrono::hours(24));
    EXPECT_GT(*session->expires_after, std::chrono::hours(23));
    const auto blob = run(blob::open(urls.blob)->get("pictures/a.webp"));
    ASSERT_TRUE(blob);
    EXPECT_EQ(blob->bytes, std::string("\0\xff\n", 3));
    EXPECT_EQ(blob->metadata.content_type, "image/webp");
}

// It stands still after so many steps, and so each time at the same place: a batch is written, and the
// journal does not know of it.
TEST_F(Move, LeavesPartitionsOutWhereTheTargetHasNone) {
    const ScaleOut engines;
    auto only = options(source_.urls(), engines.urls());
    only.document = only.realtime = only.blob = std::nullopt;
    only.partitioning = relational::Partitioning::none;
    EXPECT_GT(run(move_place(only)).rows, 0);
    EXPECT_EQ(read(engines.urls(),
                   "SELECT string_agg(relkind::text, '') AS value FROM pg_class WHERE relname IN ('posts', "
                   "'streams') AND relnamespace = current_schema()::regnamespace"),
              "rr");
}

TEST_F(Move, GoesOnWhereItWasKilled) {
    const auto before = checksums(source_.urls());
    for (const std::size_t steps : {1U, 3U, 30U, 74U, 110U, 143U, 160U}) {
        const ScaleOut engines;
        const auto way = options(source_.urls(), engines.urls());
        engines::testing::reported_before_kill(steps, [&](const std::function<void(std::int64_t)>& report) {
            auto killed = way;
            std::size_t left = steps;
            killed.progress = [&](const std::string&, std::int64_t things) {
                report(things);
                if (--left == 0) ::pause();
            };
            run(move_place(std::move(killed)));
        });
        EXPECT_TRUE(std::filesystem::exists(journal())) << steps;
        run(move_place(way));
        EXPECT_EQ(checksums(engines.urls()), before) << steps;
        EXPECT_FALSE(std::filesystem::exists(journal())) << steps;
    }
}

TEST_F(Move, FindsWhatDiffersInTheTarget) {
    const struct {
        const char* part;
        std::function<void(const Urls&)> change;
    } changes[] = {
        {"table users", [this](const Urls& to) { write(to, "UPDATE users SET points = points + 1"); }},
        {"table likes (3 here, 0 there)", [this](const Urls& to) { write(to, "DELETE FROM likes"); }},
        {"collection chats",
         [](const Urls& to) {
             const auto store = document::open(to.document);
             run(ensure_collections(*store));
             run(store->update_one("chats", {document::eq("client_id", std::string("b"))},
                                   {document::set("content", std::string("x"))}, false));
         }},
        {"collection room_counters (2 here, 1 there)",
         [](const Urls& to) {
             const auto store = document::open(to.document);
             run(ensure_collections(*store));
             run(store->remove("room_counters", {document::eq("seq", std::int64_t{0})}));
         }},
        {"files",
         [](const Urls& to) { run(blob::open(to.blob)->put("pictures/a-b.webp", "x", "text/plain")); }},
    };
    for (const auto& [part, change] : changes) {
        const Embedded target;
        bool is_changed = false;
        const auto refusal =
            refusal_of(options(source_.urls(), target.urls(), [&](const std::string& doing, std::int64_t) {
                if (is_changed || !doing.starts_with("comparing")) return;
                is_changed = true;
                change(target.urls());
            }));
        EXPECT_THAT(refusal, HasSubstr(std::string("The copy differs from its source: ") + part + "."))
            << part;
        std::filesystem::remove(journal());
    }
}

TEST_F(Move, FindsWhatDiffersAmongKeyValues) {
    const ScaleOut engines;
    auto only = options(source_.urls(), engines.urls());
    only.relational = only.document = only.blob = std::nullopt;
    for (const char* command : {"DEL set:user_sessions:2", "SET session:a x", "SET session:more x"}) {
        bool is_changed = false;
        only.progress = [&](const std::string& doing, std::int64_t) {
            if (is_changed || !doing.starts_with("comparing")) return;
            is_changed = true;
            engines.redis().ask(command);
        };
        EXPECT_THAT(refusal_of(only), HasSubstr("The copy differs from its source: key-values (")) << command;
        engines.redis().ask("FLUSHALL");
        std::filesystem::remove(journal());
    }
}

TEST_F(Move, LeavesAnEngineThatIsNotNamed) {
    const Embedded target;
    auto only = options(source_.urls(), target.urls());
    only.document = only.realtime = only.blob = std::nullopt;
    EXPECT_EQ(run(move_place(only)).documents, 0);
    EXPECT_FALSE(std::filesystem::exists(target.folder() / "media"));
}

TEST_F(Move, BeginsWithEmptyEnginesOnly) {
    const char* parts[] = {"table users", "collection chats", "key-values", "files"};
    for (std::size_t i = 0; i < std::size(parts); ++i) {
        const Embedded target;
        auto only = options(source_.urls(), target.urls());
        if (i != 0) only.relational = std::nullopt;
        if (i != 1) only.document = std::nullopt;
        if (i != 2) only.realtime = std::nullopt;
        if (i != 3) only.blob = std::nullopt;
        run(move_place(only));
        EXPECT_THAT(refusal_of(only), HasSubstr("holds something already (" + std::string(parts[i]) + ")"));
    }
}

TEST_F(Move, RefusesWhatCannotBeMoved) {
    const Embedded target;
    const auto way = options(source_.urls(), target.urls());
    auto nowhere = way;
    nowhere.blob->to = nowhere.blob->from;
    EXPECT_THAT(refusal_of(nowhere), HasSubstr("The blob engine is there already."));
    const Embedded bare;
    auto old = way;
    old.relational->from = bare.urls().relational;
    EXPECT_THAT(refusal_of(old), HasSubstr("run `spaktok migrate` first"));
    std::ofstream(journal()) << "{";
    EXPECT_THAT(refusal_of(way), HasSubstr("move.json cannot be used"));
    std::filesystem::remove(journal());
    Journal other(journal(), "another move");
    other.begin();
    EXPECT_THAT(refusal_of(way), HasSubstr("Another move was begun"));
    other.end();
    EXPECT_EQ(refusal_of(way), "moved");
}

TEST_F(Move, RefusesAPlaceThatANodeServes) {
    const ScaleOut engines;
    const auto realtime = open_realtime(engines.urls().realtime);
    engines::testing::ContextThread thread;
    cluster::Lease lease({.values = realtime->key_values(),
                          .clock = clock_,
                          .executor = thread.context().get_executor(),
                          .name = cluster::jobs_lease,
                          .node_id = "node"});
    thread.run(lease.start());
    const auto way = options(source_.urls(), engines.urls());
    EXPECT_THAT(refusal_of(way), HasSubstr("A node serves this place"));
    const Embedded back;
    auto only = options(engines.urls(), back.urls());
    only.relational = only.document = only.realtime = std::nullopt;
    EXPECT_THAT(refusal_of(only), HasSubstr("A node serves this place"));
    thread.run(lease.stop());
    EXPECT_EQ(refusal_of(way), "moved");
}

}  // namespace
}  // namespace spaktok::moving
