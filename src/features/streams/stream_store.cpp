#include "features/streams/stream_store.h"

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>

#include "base/assert.h"
#include "features/rooms/room_service.h"

namespace spaktok::streams {

namespace asio = boost::asio;
using relational::Mode;
using relational::Result;
using relational::Row;
using relational::Statement;

namespace {

// A macro, so that each statement stays one literal.
#define STREAM_COLUMNS                          \
    "id, user_id, title, description, status, " \
    "scheduled_for, started_at, ended_at, viewers_count, created_at, updated_at"

constexpr Statement select_stream{.name = "streams_find",
                                  .sql = "SELECT " STREAM_COLUMNS " FROM streams WHERE id = $1",
                                  .mode = Mode::point_read};
constexpr Statement select_streams{
    .name = "streams_find_all",
    .sql = "SELECT " STREAM_COLUMNS " FROM streams WHERE id IN (SELECT value FROM json_each($1))",
    .postgres_sql =
        "SELECT " STREAM_COLUMNS
        " FROM streams WHERE id IN (SELECT CAST(value AS UUID) FROM jsonb_array_elements_text($1))"};
constexpr Statement select_not_ended{
    .name = "streams_not_ended_of_user",
    .sql = "SELECT " STREAM_COLUMNS
           " FROM streams WHERE user_id = $1 AND status IN ('scheduled', 'live') ORDER BY id DESC LIMIT 100"};
constexpr Statement page_user_newest{
    .name = "streams_page_of_user",
    .sql = "SELECT " STREAM_COLUMNS " FROM streams WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    .list = true};
constexpr Statement page_ended_newest{
    .name = "streams_page_ended",
    .sql =
        "SELECT " STREAM_COLUMNS " FROM streams WHERE status = 'ended' AND id < $1 ORDER BY id DESC LIMIT $2",
    .list = true};
constexpr Statement page_scheduled_soonest{.name = "streams_page_scheduled",
                                           .sql =
                                               "SELECT " STREAM_COLUMNS
                                               " FROM streams WHERE status = 'scheduled' AND (scheduled_for, "
                                               "id) > ($1, $2) ORDER BY scheduled_for, id LIMIT $3",
                                           .list = true};
constexpr Statement page_streams_by_id{
    .name = "streams_page_by_id",
    .sql = "SELECT " STREAM_COLUMNS " FROM streams WHERE id > $1 ORDER BY id LIMIT $2"};
constexpr Statement select_all_live{
    .name = "streams_all_live",
    .sql = "SELECT " STREAM_COLUMNS " FROM streams WHERE status = 'live' ORDER BY id DESC LIMIT 10000"};
constexpr Statement select_live_of_user{
    .name = "streams_live_of_user",
    .sql = "SELECT id FROM streams WHERE user_id = $1 AND status = 'live' ORDER BY id DESC LIMIT 1",
    .mode = Mode::point_read};
constexpr Statement select_live_users{
    .name = "streams_live_users",
    .sql =
        "SELECT DISTINCT user_id FROM streams WHERE status = 'live' AND user_id IN (SELECT value FROM "
        "json_each($1))",
    .postgres_sql =
        "SELECT DISTINCT user_id FROM streams WHERE status = 'live' "
        "AND user_id IN (SELECT CAST(value AS UUID) FROM jsonb_array_elements_text($1))"};
constexpr Statement select_last_title{
    .name = "streams_last_title",
    .sql = "SELECT title FROM streams WHERE user_id = $1 ORDER BY id DESC LIMIT 1",
    .mode = Mode::point_read};
constexpr Statement insert_stream{.name = "streams_insert",
                                  .sql = "INSERT INTO streams (" STREAM_COLUMNS
                                         ") "
                                         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                                  .mode = Mode::write};
constexpr Statement count_waiting{
    .name = "streams_count_not_yet_live",
    .sql = "SELECT count(*) AS waiting FROM streams WHERE user_id = $1 AND status = 'scheduled'"};
constexpr Statement update_stream{.name = "streams_update",
                                  .sql =
                                      "UPDATE streams SET title = $1, description = $2, status = $3, "
                                      "scheduled_for = $4, started_at = $5, ended_at = $6, "
                                      "viewers_count = $7, updated_at = $8 WHERE id = $9",
                                  .mode = Mode::write};
constexpr Statement delete_stream{
    .name = "streams_delete", .sql = "DELETE FROM streams WHERE id = $1", .mode = Mode::write};
constexpr Statement select_key{.name = "stream_keys_find",
                               .sql = "SELECT key_hash, last_used_at FROM stream_keys WHERE user_id = $1",
                               .mode = Mode::point_read};
constexpr Statement select_key_owner{.name = "stream_keys_find_owner",
                                     .sql = "SELECT user_id FROM stream_keys WHERE key_hash = $1",
                                     .mode = Mode::point_read};
constexpr Statement upsert_key{
    .name = "stream_keys_put",
    .sql =
        "INSERT INTO stream_keys (user_id, key_hash, created_at, updated_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (user_id) DO UPDATE SET key_hash = excluded.key_hash, last_used_at = NULL, updated_at = "
        "excluded.updated_at",
    .mode = Mode::write};
constexpr Statement delete_key{
    .name = "stream_keys_delete", .sql = "DELETE FROM stream_keys WHERE user_id = $1", .mode = Mode::write};
constexpr Statement touch_stream_key{.name = "stream_keys_touch",
                                     .sql = "UPDATE stream_keys SET last_used_at = $1 WHERE user_id = $2",
                                     .mode = Mode::write};

// Sorts after every identifier that is made.
const Uuid last_uuid = *Uuid::parse("ffffffff-ffff-ffff-ffff-ffffffffffff");

std::string word_of(Status status) {
    return boost::describe::enum_to_string(status, "");
}

Stream read(const Row& row) {
    Stream stream{.id = row.get<StreamId>("id"),
                  .user_id = row.get<UserId>("user_id"),
                  .title = row.get<std::string>("title"),
                  .description = row.get<std::optional<std::string>>("description").value_or(""),
                  .scheduled_for = row.get<std::optional<Timestamp>>("scheduled_for"),
                  .started_at = row.get<std::optional<Timestamp>>("started_at"),
                  .ended_at = row.get<std::optional<Timestamp>>("ended_at"),
                  .viewers_count = row.get<std::int64_t>("viewers_count"),
                  .created_at = row.get<Timestamp>("created_at"),
                  .updated_at = row.get<Timestamp>("updated_at")};
    SPAKTOK_ASSERT(boost::describe::enum_from_string(row.get<std::string>("status").c_str(), stream.status));
    return stream;
}

std::vector<Stream> read_all(const Result& result) {
    std::vector<Stream> streams;
    streams.reserve(result.size());
    for (const auto row : result)
        streams.push_back(read(row));
    return streams;
}

std::optional<Stream> read_first(const Result& result) {
    if (result.empty()) return std::nullopt;
    return read(result[0]);
}

template <class IdType>
boost::json::value as_json(const std::vector<IdType>& ids) {
    return json::to_value(ids);
}

}  // namespace

asio::awaitable<std::optional<Stream>> StreamStore::find(StreamId id) {
    co_return read_first(co_await database_.query(select_stream, id));
}

asio::awaitable<std::vector<Stream>> StreamStore::find_all(std::vector<StreamId> ids) {
    if (ids.empty()) co_return std::vector<Stream>{};
    co_return read_all(co_await database_.query(select_streams, as_json(ids)));
}

asio::awaitable<std::vector<Stream>> StreamStore::not_ended_of(UserId user) {
    co_return read_all(co_await database_.query(select_not_ended, user));
}

asio::awaitable<std::vector<Stream>> StreamStore::page_of_user(UserId user, std::optional<StreamId> before,
                                                               std::int64_t limit) {
    co_return read_all(
        co_await database_.query(page_user_newest, user, before.value_or(StreamId{last_uuid}), limit));
}

asio::awaitable<std::vector<Stream>> StreamStore::page_ended(std::optional<StreamId> before,
                                                             std::int64_t limit) {
    co_return read_all(
        co_await database_.query(page_ended_newest, before.value_or(StreamId{last_uuid}), limit));
}

asio::awaitable<std::vector<Stream>> StreamStore::page_scheduled(ScheduledPosition after,
                                                                 std::int64_t limit) {
    co_return read_all(
        co_await database_.query(page_scheduled_soonest, after.scheduled_for, after.id, limit));
}

asio::awaitable<std::vector<Stream>> StreamStore::page_by_id(std::optional<StreamId> after,
                                                             std::int64_t limit) {
    co_return read_all(co_await database_.query(page_streams_by_id, after.value_or(StreamId{}), limit));
}

asio::awaitable<std::vector<Stream>> StreamStore::all_live() {
    co_return read_all(co_await database_.query(select_all_live));
}

asio::awaitable<std::optional<StreamId>> StreamStore::live_stream_of(UserId user) {
    const auto result = co_await database_.query(select_live_of_user, user);
    if (result.empty()) co_return std::nullopt;
    co_return result[0].get<StreamId>("id");
}

asio::awaitable<std::vector<UserId>> StreamStore::live_users(std::vector<UserId> users) {
    std::vector<UserId> live;
    if (users.empty()) co_return live;
    const auto result = co_await database_.query(select_live_users, as_json(users));
    for (const auto row : result)
        live.push_back(row.get<UserId>("user_id"));
    co_return live;
}

asio::awaitable<std::string> StreamStore::last_title_of(UserId user) {
    const auto result = co_await database_.query(select_last_title, user);
    co_return result.empty() ? std::string() : result[0].get<std::string>("title");
}

asio::awaitable<void> StreamStore::insert(relational::Transaction& tx, Stream stream) {
    co_await tx.query(insert_stream, stream.id, stream.user_id, stream.title, stream.description,
                      word_of(stream.status), stream.scheduled_for, stream.started_at, stream.ended_at,
                      stream.viewers_count, stream.created_at, stream.updated_at);
    co_await rooms::create_stream_room(tx, RoomId{stream.id.value}, stream.user_id, stream.created_at);
}

asio::awaitable<std::optional<Stream>> StreamStore::find_in(relational::Transaction& tx, StreamId id) {
    co_return read_first(co_await tx.query(select_stream, id));
}

asio::awaitable<std::int64_t> StreamStore::count_not_yet_live(relational::Transaction& tx, UserId user) {
    const auto result = co_await tx.query(count_waiting, user);
    co_return result[0].get<std::int64_t>("waiting");
}

asio::awaitable<void> StreamStore::update(relational::Transaction& tx, Stream stream) {
    co_await tx.query(update_stream, stream.title, stream.description, word_of(stream.status),
                      stream.scheduled_for, stream.started_at, stream.ended_at, stream.viewers_count,
                      stream.updated_at, stream.id);
}

asio::awaitable<void> StreamStore::remove(relational::Transaction& tx, StreamId id) {
    co_await rooms::remove_room(tx, RoomId{id.value});
    co_await tx.query(delete_stream, id);
}

asio::awaitable<std::optional<StreamStore::Key>> StreamStore::find_key(UserId user) {
    const auto result = co_await database_.query(select_key, user);
    if (result.empty()) co_return std::nullopt;
    co_return Key{.key_hash = result[0].get<std::string>("key_hash"),
                  .last_used_at = result[0].get<std::optional<Timestamp>>("last_used_at")};
}

asio::awaitable<std::optional<UserId>> StreamStore::find_key_owner(std::string key_hash) {
    const auto result = co_await database_.query(select_key_owner, std::move(key_hash));
    if (result.empty()) co_return std::nullopt;
    co_return result[0].get<UserId>("user_id");
}

asio::awaitable<void> StreamStore::put_key(UserId user, std::string key_hash, Timestamp now) {
    co_await database_.query(upsert_key, user, std::move(key_hash), now, now);
}

asio::awaitable<bool> StreamStore::remove_key(UserId user) {
    const auto result = co_await database_.query(delete_key, user);
    co_return result.affected() > 0;
}

asio::awaitable<void> StreamStore::touch_key(UserId user, Timestamp now) {
    co_await database_.query(touch_stream_key, now, user);
}

}  // namespace spaktok::streams
