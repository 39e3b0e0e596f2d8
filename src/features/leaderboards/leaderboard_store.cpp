#include "features/leaderboards/leaderboard_store.h"

#include <array>

namespace spaktok::leaderboards {

namespace asio = boost::asio;
using relational::Statement;

namespace {

// Ids tell when something was booked, so they bound it without an index of their own. Of what was taken back
// nothing is left.
#define SPAKTOK_GIFTS_UNTIL                                                                        \
    "t.transaction_type = 'gift_sent' AND t.id >= $1 AND t.id < $2 AND NOT EXISTS (SELECT 1 FROM " \
    "transactions AS r WHERE r.reverses_id = t.id AND r.id < $2)"

constexpr Statement sums_of_senders{
    .name = "leaderboard_senders",
    .sql =
        "SELECT t.sender_user_id AS member, SUM(t.amount) AS amount FROM transactions AS t "
        "WHERE " SPAKTOK_GIFTS_UNTIL
        " AND t.sender_user_id > $3 GROUP BY t.sender_user_id ORDER BY t.sender_user_id LIMIT $4"};
constexpr Statement sums_of_streamers{
    .name = "leaderboard_streamers",
    .sql =
        "SELECT t.receiver_user_id AS member, SUM(t.amount) AS amount FROM transactions AS t "
        "WHERE " SPAKTOK_GIFTS_UNTIL
        " AND t.receiver_user_id > $3 GROUP BY t.receiver_user_id ORDER BY t.receiver_user_id LIMIT $4"};
constexpr Statement sums_of_stream{
    .name = "leaderboard_stream_senders",
    .sql =
        "SELECT t.sender_user_id AS member, SUM(t.amount) AS amount FROM transactions AS t "
        "WHERE " SPAKTOK_GIFTS_UNTIL
        " AND t.sender_user_id > $3 AND t.stream_id = $4 "
        "GROUP BY t.sender_user_id ORDER BY t.sender_user_id LIMIT $5"};
#undef SPAKTOK_GIFTS_UNTIL

// The second part: what was taken back, with the time of the gift. Its sign is the reader's.
constexpr Statement recent_gifts{
    .name = "leaderboard_recent",
    .sql =
        "SELECT id, 'sent' AS what, sender_user_id, receiver_user_id, stream_id, amount, NULL AS payload "
        "FROM transactions WHERE transaction_type = 'gift_sent' AND id >= $1 "
        "UNION ALL SELECT g.id, 'reversed', g.sender_user_id, g.receiver_user_id, g.stream_id, g.amount, "
        "NULL FROM transactions AS r JOIN transactions AS g ON g.id = r.reverses_id "
        "WHERE r.id >= $1 AND g.transaction_type = 'gift_sent' "
        "UNION ALL SELECT id, event_type, NULL, NULL, NULL, NULL, payload FROM outbox "
        "WHERE event_type IN ('gifts.sent', 'gifts.reversed')",
    .postgres_sql =
        "SELECT id, CAST('sent' AS TEXT) AS what, sender_user_id, receiver_user_id, stream_id, amount, "
        "CAST(NULL AS JSONB) AS payload FROM transactions WHERE transaction_type = 'gift_sent' AND id >= $1 "
        "UNION ALL SELECT g.id, 'reversed', g.sender_user_id, g.receiver_user_id, g.stream_id, g.amount, "
        "NULL FROM transactions AS r JOIN transactions AS g ON g.id = r.reverses_id "
        "WHERE r.id >= $1 AND g.transaction_type = 'gift_sent' "
        "UNION ALL SELECT id, event_type, NULL, NULL, NULL, NULL, payload FROM outbox "
        "WHERE event_type IN ('gifts.sent', 'gifts.reversed')"};
constexpr Statement top_of{
    .name = "leaderboard_of_stream",
    .sql =
        "SELECT t.sender_user_id AS member, SUM(t.amount) AS amount FROM transactions AS t "
        "WHERE t.stream_id = $1 AND t.transaction_type = 'gift_sent' AND NOT EXISTS (SELECT 1 FROM "
        "transactions AS r WHERE r.reverses_id = t.id) "
        "GROUP BY t.sender_user_id ORDER BY amount DESC, member DESC LIMIT $2",
    .list = true};
constexpr Statement streams_since{
    .name = "leaderboard_streams",
    .sql =
        "SELECT DISTINCT stream_id FROM transactions WHERE transaction_type = 'gift_sent' AND id >= $1 "
        "AND stream_id IS NOT NULL"};

constexpr std::chrono::days stream_boards_of{30};

// The least id of the millisecond.
Uuid first_id(Timestamp at) {
    std::array<std::uint8_t, 16> bytes{};
    const auto milliseconds = static_cast<std::uint64_t>(to_unix_milliseconds(at));
    for (std::size_t i = 0; i < 6; ++i)
        bytes[i] = static_cast<std::uint8_t>(milliseconds >> (8 * (5 - i)));
    return Uuid(bytes);
}

Uuid predecessor(const Uuid& id) {
    auto bytes = id.bytes();
    for (std::size_t i = bytes.size(); i-- > 0;)
        if (bytes[i]-- != 0) break;
    return Uuid(bytes);
}

std::vector<LeaderboardStore::Sum> read(const relational::Result& rows) {
    std::vector<LeaderboardStore::Sum> sums;
    for (const auto row : rows)
        sums.push_back({.member = row.get<UserId>("member"), .amount = row.get<Money>("amount").minor()});
    return sums;
}

}  // namespace

asio::awaitable<std::vector<LeaderboardStore::Sum>> LeaderboardStore::page(Sums sums,
                                                                           std::optional<UserId> after,
                                                                           std::int64_t limit) {
    const auto from = first_id(sums.from);
    const auto until = first_id(sums.until);
    const Uuid last = after ? after->value : Uuid{};
    if (sums.stream)
        co_return read(co_await database_.query(sums_of_stream, from, until, last, *sums.stream, limit));
    const auto& statement = sums.side == Side::senders ? sums_of_senders : sums_of_streamers;
    co_return read(co_await database_.query(statement, from, until, last, limit));
}

asio::awaitable<LeaderboardStore::Recent> LeaderboardStore::recent(Timestamp since) {
    Recent recent;
    for (const auto row : co_await database_.query(recent_gifts, first_id(since))) {
        const auto what = row.get<std::string>("what");
        const auto id = row.get<Uuid>("id");
        if (what != "sent" && what != "reversed") {
            recent.waiting.push_back(
                {.event_id = id,
                 .gifts = gifts_of(what, row.get<boost::json::value>("payload").as_object())});
            continue;
        }
        const auto amount = row.get<Money>("amount").minor();
        recent.gifts.push_back({.sender = row.get<UserId>("sender_user_id"),
                                .receiver = row.get<UserId>("receiver_user_id"),
                                .stream = row.get<std::optional<StreamId>>("stream_id"),
                                .amount = what == "sent" ? amount : -amount,
                                .sent_at = id.timestamp()});
    }
    co_return recent;
}

asio::awaitable<std::vector<LeaderboardStore::Sum>> LeaderboardStore::top_of_stream(StreamId stream,
                                                                                    std::int64_t limit) {
    co_return read(co_await database_.query(top_of, stream, limit));
}

asio::awaitable<std::int64_t> LeaderboardStore::sum_of(Sums sums, UserId member) {
    const auto found = co_await page(sums, UserId{predecessor(member.value)}, 1);
    co_return found.empty() || found.front().member != member ? 0 : found.front().amount;
}

asio::awaitable<std::vector<LeaderboardStore::Summed>> LeaderboardStore::boards(Timestamp now,
                                                                                Timestamp until) {
    std::vector<Summed> all;
    for (const auto side : {Side::senders, Side::streamers}) {
        for (const auto period : {Period::day, Period::week, Period::all}) {
            all.push_back({.board = board_of(side, period, now),
                           .sums = {.side = side, .from = begin_of(period, now), .until = until}});
        }
    }
    for (const auto stream : co_await streams(now - stream_boards_of))
        all.push_back({.board = board_of(stream, now), .sums = {.stream = stream, .until = until}});
    co_return all;
}

asio::awaitable<std::vector<StreamId>> LeaderboardStore::streams(Timestamp since) {
    std::vector<StreamId> streams;
    for (const auto row : co_await database_.query(streams_since, first_id(since)))
        streams.push_back(row.get<StreamId>("stream_id"));
    co_return streams;
}

}  // namespace spaktok::leaderboards
