#include "features/idempotency/idempotency.h"

#include <algorithm>
#include <array>

#include <sodium.h>

#include "base/hex.h"

namespace spaktok::idempotency {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

constexpr std::int64_t sweep_rows_max = 5'000;

// `place` is the place in the list that was asked for.
constexpr Statement find_keys{
    .name = "idempotency_keys_find",
    .sql =
        "SELECT e.key AS place, k.request_digest, k.answer FROM json_each($1) e "
        "JOIN idempotency_keys k ON k.user_id = e.value->>'user' AND k.key = e.value->>'key' "
        "WHERE k.expires_at > $2",
    // Each by the primary key, whatever the planner thinks of the list's length: another plan reads, and in a
    // serializable transaction locks, the whole table.
    .postgres_sql =
        "SELECT e.place, k.request_digest, k.answer "
        "FROM jsonb_to_recordset($1) AS e (place BIGINT, \"user\" UUID, key VARCHAR) "
        "CROSS JOIN LATERAL (SELECT request_digest, answer FROM idempotency_keys "
        "WHERE user_id = e.\"user\" AND key = e.key AND expires_at > $2 OFFSET 0) k",
    .mode = Mode::point_read};
// What has expired may still be there.
constexpr Statement insert_keys{
    .name = "idempotency_keys_insert",
    .sql =
        "INSERT INTO idempotency_keys (user_id, key, request_digest, answer, created_at, expires_at) "
        "SELECT value->>0, value->>1, value->>2, value->3, $1, $2 FROM json_each($3) "
        "WHERE TRUE ON CONFLICT (user_id, key) DO UPDATE SET request_digest = excluded.request_digest, "
        "answer = excluded.answer, created_at = excluded.created_at, expires_at = excluded.expires_at "
        "WHERE idempotency_keys.expires_at <= excluded.created_at",
    .postgres_sql =
        "INSERT INTO idempotency_keys (user_id, key, request_digest, answer, created_at, expires_at) "
        "SELECT CAST(value->>0 AS UUID), value->>1, value->>2, value->3, "
        "CAST($1 AS TIMESTAMP WITH TIME ZONE), CAST($2 AS TIMESTAMP WITH TIME ZONE) "
        "FROM jsonb_array_elements($3) "
        "ON CONFLICT (user_id, key) DO UPDATE SET request_digest = excluded.request_digest, "
        "answer = excluded.answer, created_at = excluded.created_at, expires_at = excluded.expires_at "
        "WHERE idempotency_keys.expires_at <= excluded.created_at",
    .mode = Mode::write};
constexpr Statement delete_expired{
    .name = "idempotency_keys_delete_expired",
    .sql =
        "DELETE FROM idempotency_keys WHERE (user_id, key) IN (SELECT user_id, key FROM idempotency_keys "
        "WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    .mode = Mode::write};

std::map<std::size_t, Stored> read(const relational::Result& rows) {
    std::map<std::size_t, Stored> found;
    for (const auto row : rows) {
        found.emplace(static_cast<std::size_t>(row.get<std::int64_t>("place")),
                      Stored{.digest = row.get<std::string>("request_digest"),
                             .answer = row.get<boost::json::value>("answer")});
    }
    return found;
}

json::Array described(const std::vector<Key>& keys) {
    json::Array list;
    for (const auto& key : keys)
        list.push_back(
            json::Object{{"place", list.size()}, {"user", key.user.to_string()}, {"key", key.text}});
    return list;
}

bool is_visible_ascii(char c) {
    return c > ' ' && c <= '~';
}

}  // namespace

Key make_key(UserId user, std::optional<std::string_view> header, std::string_view request) {
    if (!header || header->empty() || header->size() > key_length_max ||
        !std::ranges::all_of(*header, is_visible_ascii)) {
        throw Error(ErrorCode::invalid_argument,
                    "This request moves money or creates something: name it by the header Idempotency-Key, "
                    "1 to 255 visible ASCII characters, a new one for each new request.",
                    {.field = "Idempotency-Key", .reason = "invalid_idempotency_key"});
    }
    std::array<std::uint8_t, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(request.data()), request.size());
    return {.user = user, .text = std::string(*header), .digest = hex::encode(digest)};
}

Error key_reused() {
    return Error(ErrorCode::unprocessable, "This Idempotency-Key was used for another request.",
                 {.field = "Idempotency-Key", .reason = "idempotency_key_reused"});
}

asio::awaitable<std::map<std::size_t, Stored>> find(relational::Transaction& tx, std::vector<Key> keys,
                                                    Timestamp now) {
    if (keys.empty()) co_return std::map<std::size_t, Stored>{};
    co_return read(co_await tx.query(find_keys, json::Value(described(keys)), now));
}

asio::awaitable<std::optional<Stored>> find(relational::Database& database, Key key, Timestamp now) {
    auto found = read(co_await database.query(find_keys, json::Value(described({std::move(key)})), now));
    if (found.empty()) co_return std::nullopt;
    co_return std::move(found.begin()->second);
}

asio::awaitable<void> store(relational::Transaction& tx, std::vector<Answered> answered, Timestamp now) {
    if (answered.empty()) co_return;
    json::Array rows;
    for (auto& one : answered)
        rows.push_back(
            json::Array{one.key.user.to_string(), one.key.text, one.key.digest, std::move(one.answer)});
    const auto stored = co_await tx.query(insert_keys, now, now + life, json::Value(std::move(rows)));
    if (stored.affected() == static_cast<std::int64_t>(answered.size())) co_return;
    // Its first request is being carried out at this moment; the next attempt finds the answer.
    throw Error(ErrorCode::unavailable, "This request is being carried out already. Try again in a moment.",
                {.detail = "an idempotency key was there", .retry_after = std::chrono::seconds(1)});
}

asio::awaitable<std::int64_t> sweep(relational::Database& database, Timestamp now) {
    const auto deleted = co_await database.query(delete_expired, now, sweep_rows_max);
    co_return deleted.affected();
}

}  // namespace spaktok::idempotency
