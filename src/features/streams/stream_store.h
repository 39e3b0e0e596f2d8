// Queries of streams, their keys and rooms. Rows here, rules in stream.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "features/streams/stream.h"

namespace spaktok::streams {

class StreamStore {
  public:
    explicit StreamStore(relational::Database& database) : database_(database) {}

    boost::asio::awaitable<std::optional<Stream>> find(StreamId id);
    boost::asio::awaitable<std::vector<Stream>> find_all(std::vector<StreamId> ids);
    boost::asio::awaitable<std::vector<Stream>> not_ended_of(UserId user);
    // Newest first, before `before` (exclusive).
    boost::asio::awaitable<std::vector<Stream>> page_of_user(UserId user, std::optional<StreamId> before,
                                                             std::int64_t limit);
    boost::asio::awaitable<std::vector<Stream>> page_ended(std::optional<StreamId> before,
                                                           std::int64_t limit);
    struct ScheduledPosition {
        Timestamp scheduled_for;
        StreamId id;
    };
    // Soonest first, those whose time is after `from`.
    boost::asio::awaitable<std::vector<Stream>> page_scheduled(ScheduledPosition after, std::int64_t limit);
    // All of them by id.
    boost::asio::awaitable<std::vector<Stream>> page_by_id(std::optional<StreamId> after, std::int64_t limit);
    boost::asio::awaitable<std::vector<Stream>> all_live();
    boost::asio::awaitable<std::optional<StreamId>> live_stream_of(UserId user);
    boost::asio::awaitable<std::vector<UserId>> live_users(std::vector<UserId> users);
    boost::asio::awaitable<std::string> last_title_of(UserId user);  // empty where there is none

    // In a transaction of the caller.
    static boost::asio::awaitable<void> insert(relational::Transaction& tx, Stream stream);
    static boost::asio::awaitable<std::optional<Stream>> find_in(relational::Transaction& tx, StreamId id);
    static boost::asio::awaitable<std::int64_t> count_not_yet_live(relational::Transaction& tx, UserId user);
    static boost::asio::awaitable<void> update(relational::Transaction& tx, Stream stream);
    static boost::asio::awaitable<void> remove(relational::Transaction& tx, StreamId id);

    struct Key {
        std::string key_hash;
        std::optional<Timestamp> last_used_at;
    };
    boost::asio::awaitable<std::optional<Key>> find_key(UserId user);
    boost::asio::awaitable<std::optional<UserId>> find_key_owner(std::string key_hash);
    boost::asio::awaitable<void> put_key(UserId user, std::string key_hash, Timestamp now);
    boost::asio::awaitable<bool> remove_key(UserId user);
    boost::asio::awaitable<void> touch_key(UserId user, Timestamp now);

  private:
    relational::Database& database_;
};

}  // namespace spaktok::streams
