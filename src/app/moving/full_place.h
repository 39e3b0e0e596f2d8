// For tests: a place in which every table and every collection has rows of awkward values.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/moving/documents.h"
#include "app/moving/tables.h"
#include "base/random.h"
#include "engines/blob/blob_store.h"
#include "engines/realtime/realtime.h"
#include "engines/testing/testing.h"

namespace spaktok::moving::testing {

inline constexpr std::size_t rows_a_table = 3;
inline const std::string awkward_text = "'\"\\\n😀%";

// Rows are made by the types of the columns; what a CHECK asks for stands in two lists. In the first row all
// that may be is NULL.
class FullTables {
  public:
    static std::vector<TableRow> rows_of(const relational::Table& table) {
        std::vector<TableRow> rows;
        for (std::size_t row = 0; row < rows_a_table; ++row) {
            TableRow values;
            for (const auto& column : table.columns)
                values.push_back(value(table, column, row));
            rows.push_back(std::move(values));
        }
        return rows;
    }

    // In the second row's year there is a partition, before it none.
    static Uuid id(const std::string& table, std::size_t row) {
        constexpr std::array<std::int64_t, rows_a_table> made_at{1'500'000'000'000, 1'795'000'000'000,
                                                                 1'800'000'000'000};
        SeededRandom random(std::hash<std::string>{}(table) + row);
        return Uuid::v7(from_unix_milliseconds(made_at[row]), random);
    }

  private:
    using Values = std::array<relational::Value, rows_a_table>;

    static relational::Value value(const relational::Table& table, const relational::Column& column,
                                   std::size_t row) {
        const auto name = table.name + "." + column.name;
        if (const auto found = given().find(name); found != given().end()) return found->second[row];
        if (const auto found = only_in_row().find(name); found != only_in_row().end()) {
            if (found->second != row) return {};
        } else if (!column.required && row == 0) {
            return {};
        }
        if (column.type == relational::ColumnType::uuid) return reference(table, column, row);
        return plain(table, column, row);
    }

    // The second reference to a table is to another row than the first; one to the same table is to the next
    // row, which is copied later.
    static relational::Value reference(const relational::Table& table, const relational::Column& column,
                                       std::size_t row) {
        std::size_t before = 0;
        for (const auto& reference : table.references) {
            if (reference.column != column.name) continue;
            for (const auto& other : table.references) {
                if (other.column == column.name) break;
                if (other.table == reference.table) ++before;
            }
            const bool is_own = reference.table == table.name;
            const auto target = (row + before + (is_own ? 1 : 0)) % rows_a_table;
            return id(reference.table, target);
        }
        return id(column.name == "id" ? table.name : table.name + column.name, row);
    }

    static relational::Value plain(const relational::Table& table, const relational::Column& column,
                                   std::size_t row) {
        using relational::ColumnType;
        using relational::Value;
        switch (column.type) {
            case ColumnType::text:
                return awkward_text + std::to_string(row);
            case ColumnType::json:
                return json::parse(
                    R"({"b": [1, 2.5, null, true, 1e2], "a": "é\"\\", "n": {"z": -0.5, "y": 9007199254740993}})");
            case ColumnType::boolean:
                return row % 2 == 0;
            case ColumnType::integer:
                return static_cast<std::int64_t>(row) + 1;
            case ColumnType::money:
                return Values{Money::from_minor(1), Money::from_minor(9'999'999'999),
                              Money::from_minor(250)}[row];
            case ColumnType::rate:
                return Values{std::int64_t{1}, std::int64_t{9'999'999'999}, std::int64_t{12'345}}[row];
            case ColumnType::timestamp:
                return Values{from_unix_milliseconds(0), from_unix_milliseconds(253'402'300'799'999),
                              from_unix_milliseconds(1'700'000'000'123)}[row];
            case ColumnType::date:
                return Values{std::string("1999-12-31"), std::string("2024-02-29"),
                              std::string("2026-01-01")}[row];
            case ColumnType::uuid:
                break;
        }
        throw std::logic_error(table.name + "." + column.name);
    }

    static Values words(const char* first, const char* second, const char* third) {
        return {std::string(first), std::string(second), std::string(third)};
    }
    static Values numbers(std::int64_t first, std::int64_t second, std::int64_t third) {
        return {first, second, third};
    }
    static Values amounts(std::int64_t first, std::int64_t second, std::int64_t third) {
        return {Money::from_minor(first), Money::from_minor(second), Money::from_minor(third)};
    }

    static const std::map<std::string, Values>& given() {
        static const std::map<std::string, Values> values{
            {"users.role", words("user", "moderator", "admin")},
            {"users.status", words("active", "suspended", "deleted")},
            {"streams.status", words("scheduled", "live", "ended")},
            {"rooms.kind", words("stream", "group", "direct")},
            {"rooms.direct_key", {relational::Value{}, relational::Value{}, std::string(73, 'd')}},
            {"room_members.role", words("owner", "moderator", "member")},
            {"posts.source", words("user", "news", "user")},
            {"videos.status", words("processing", "ready", "failed")},
            {"challenges.status", words("upcoming", "active", "completed")},
            {"challenges.start_date",
             {from_unix_milliseconds(0), from_unix_milliseconds(1), from_unix_milliseconds(2)}},
            {"challenges.end_date",
             {from_unix_milliseconds(1), from_unix_milliseconds(2), from_unix_milliseconds(3)}},
            {"code_suggestions.status", words("pending", "accepted", "rejected")},
            {"suggestion_votes.value", numbers(1, -1, 1)},
            {"transactions.transaction_type", words("top_up", "gift_sent", "refund")},
            {"transactions.status", words("pending", "completed", "failed")},
            {"transactions.currency", words("EUR", "usd", "JPY")},
            {"transactions.amount", amounts(1, 9'999'999'999, 500)},
            {"transactions.platform_fee", amounts(0, 9'999'999'900, 0)},
            {"transactions.streamer_payout", amounts(0, 99, 0)},
            {"ledger_accounts.kind", words("platform_revenue", "wallet", "earnings")},
            {"ledger_accounts.balance_minor", numbers(-5, 9'000'000'000'000'000'000, 7)},
            {"payment_intents.status", words("pending", "refunded", "disputed")},
            {"payouts.status", words("requested", "approved", "paid")},
            {"money_flags.kind", words("burst", "circle", "circle")},
            {"money_flags.status", words("open", "dismissed", "open")},
            {"exchange_rates.currency", words("usd", "EUR", "JPY")},
        };
        return values;
    }
    static const std::map<std::string, std::size_t>& only_in_row() {
        static const std::map<std::string, std::size_t> rows{
            {"comments.post_id", 0}, {"comments.video_id", 1}, {"comments.stream_id", 2},
            {"likes.post_id", 0},    {"likes.video_id", 1},    {"likes.comment_id", 2}};
        return rows;
    }
};

inline boost::asio::awaitable<void> fill(relational::Database& database) {
    co_await remove_catalogue(database);
    for (const auto& table : relational::all_tables()) {
        auto rows = FullTables::rows_of(table);
        std::vector<TableRow> links;
        if (const auto own = table.own_reference()) {
            for (const auto& row : rows) {
                const auto at = [&](const std::string& name) {
                    return row[static_cast<std::size_t>(&table.column(name) - table.columns.data())];
                };
                links.push_back({at(table.key.front()), at(*own)});
            }
        }
        co_await insert_rows(database, table, std::move(rows));
        if (!links.empty()) co_await link_rows(database, table, std::move(links));
    }
}

inline boost::asio::awaitable<void> fill(document::Store& store) {
    co_await ensure_collections(store);
    const auto add = [&store](const char* collection, const char* text) {
        return store.insert(collection, json::parse(text).as_object());
    };
    co_await add("chats",
                 R"({"_id": "0000000000000000000000ff", "room_id": "0199a0a0-0000-7000-8000-000000000001",
        "seq": 1, "sender_id": "0199a0a0-0000-7000-8000-000000000002", "client_id": "'\"\\😀", "content": "a\nb",
        "created_at": "2026-01-31T08:09:10.123Z", "reads": [], "n": {"x": [1, 2.5, null, true]}})");
    co_await add("chats",
                 R"({"_id": "ffffffffffffffffffffffff", "room_id": "0199a0a0-0000-7000-8000-000000000001",
        "seq": 9007199254740993, "sender_id": "0199a0a0-0000-7000-8000-000000000002", "client_id": "b", "content": "",
        "created_at": "1970-01-01T00:00:00.000Z", "announced": false})");
    co_await add("room_counters", R"({"_id": "000000000000000000000001",
        "room_id": "0199a0a0-0000-7000-8000-000000000001", "seq": 9007199254740993})");
    co_await add("room_counters", R"({"_id": "000000000000000000000002",
        "room_id": "0199a0a0-0000-7000-8000-000000000003", "seq": 0})");
    co_await add("live_streams",
                 R"({"_id": "0123456789abcdef01234567", "stream_id": "0199a0a0-0000-7000-8000-000000000004",
        "streamer_id": "0199a0a0-0000-7000-8000-000000000002", "status": "live", "viewer_count": 3, "title": "é",
        "start_time": "9999-12-31T23:59:59.999Z", "end_time": null})");
    co_await add("live_streams",
                 R"({"_id": "0123456789abcdef01234568", "stream_id": "0199a0a0-0000-7000-8000-000000000005",
        "streamer_id": "0199a0a0-0000-7000-8000-000000000002", "status": "ended", "viewer_count": 0})");
}

inline boost::asio::awaitable<void> fill(realtime::KeyValues& values) {
    co_await values.put("session:a", std::string("\0'\xff", 3), {.expires_after = std::chrono::hours(24)});
    co_await values.put("value:b", "", {});
    co_await values.put("soon over", "left behind", {.expires_after = std::chrono::seconds(30)});
    co_await values.set_add("user_sessions:1", "a");
    co_await values.set_add("user_sessions:1", "b");
    co_await values.set_add("user_sessions:2", "c");
}

inline boost::asio::awaitable<void> fill(blob::BlobStore& store) {
    co_await store.put("pictures/a.webp", std::string("\0\xff\n", 3), "image/webp");
    co_await store.put("pictures/a-b.webp", "", "text/plain; charset=utf-8");
    co_await store.put("thumbnails/x/0.jpg", std::string(100'000, 'x'), "image/jpeg");
}

}  // namespace spaktok::moving::testing
