// Requests that may be repeated: the first answer is stored in the transaction of what it answers, under the
// client's Idempotency-Key, and answers every repetition for 24 hours.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/json.h"
#include "engines/relational/database.h"

namespace spaktok::idempotency {

inline constexpr std::size_t key_length_max = 255;
inline constexpr std::chrono::hours life{24};

struct Key {
    UserId user;
    std::string text;    // the client's, 1 to 255 printable ASCII characters
    std::string digest;  // of the request: the same key with another request is refused
};

// Throws Error{invalid_argument "invalid_idempotency_key"} where the header is missing or too long, with the
// field "Idempotency-Key". `request`: whatever makes two requests the same.
Key make_key(UserId user, std::optional<std::string_view> header, std::string_view request);

// 422: the key belongs to another request.
Error key_reused();

struct Stored {
    std::string digest;
    json::Value answer;
};
// What is stored under each of the keys, by their places in the list.
boost::asio::awaitable<std::map<std::size_t, Stored>> find(relational::Transaction& tx, std::vector<Key> keys,
                                                           Timestamp now);
// The same outside of a transaction.
boost::asio::awaitable<std::optional<Stored>> find(relational::Database& database, Key key, Timestamp now);

struct Answered {
    Key key;
    json::Value answer;
};
// None of the keys may be there, but for expired ones.
boost::asio::awaitable<void> store(relational::Transaction& tx, std::vector<Answered> answered,
                                   Timestamp now);

// Deletes what has expired; so many rows at most, and returns how many.
boost::asio::awaitable<std::int64_t> sweep(relational::Database& database, Timestamp now);

}  // namespace spaktok::idempotency
