// The document port on SQLite: one STRICT table a collection, indexes on expressions over the JSON.
//
// Writes go through one group-committing writer; reads run in parallel on a small pool, each on a connection
// of its own, and see everything that was acknowledged. Callable from any thread; callers are resumed on
// their own executors. The destructor commits what is queued.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/worker_pool.h"
#include "engines/document/collection.h"
#include "engines/sqlite/group_writer.h"

namespace spaktok::document::sqlite {

class SqliteStore final : public Store {
  public:
    struct Options {
        std::string path;
        std::size_t read_threads = 2;
        std::size_t queued_reads_max = 2'000;
        std::size_t queued_writes_max = 10'000;
    };
    // Throws Error{unavailable} where the file cannot be opened.
    explicit SqliteStore(Options options);

    boost::asio::awaitable<void> ensure(std::string collection, DocumentShape shape,
                                        std::vector<Index> indexes) override;
    boost::asio::awaitable<void> insert(std::string_view collection, json::Object document) override;
    boost::asio::awaitable<std::vector<std::optional<std::string>>> insert_many(
        std::string_view collection, std::vector<json::Object> documents) override;
    boost::asio::awaitable<std::vector<json::Object>> find(std::string_view collection, Filter filter,
                                                           FindOptions options) override;
    boost::asio::awaitable<std::optional<json::Object>> update_one(std::string_view collection, Filter filter,
                                                                   Update update, bool upsert) override;
    boost::asio::awaitable<std::int64_t> update_many(std::string_view collection, Filter filter,
                                                     Update update) override;
    boost::asio::awaitable<std::int64_t> remove(std::string_view collection, Filter filter) override;
    boost::asio::awaitable<std::int64_t> count(std::string_view collection, Filter filter) override;
    boost::asio::awaitable<void> check() override;

  private:
    // Never changes once ensured, so that readers share it without a lock.
    struct Known {
        std::string name;
        std::string table;
        DocumentShape shape;
    };
    using KnownPointer = std::shared_ptr<const Known>;
    KnownPointer known(std::string_view collection) const;

    // Runs `job` (Connection&) on a read thread.
    template <class Job>
    boost::asio::awaitable<std::invoke_result_t<Job, spaktok::sqlite::Connection&>> read(Job job);

    mutable std::shared_mutex known_mutex_;
    std::map<std::string, KnownPointer, std::less<>> known_;
    SystemRandom random_;
    spaktok::sqlite::GroupWriter writer_;
    std::mutex idle_mutex_;
    std::vector<std::unique_ptr<spaktok::sqlite::Connection>> idle_;  // as many as the pool has threads
    WorkerPool readers_;  // last: its threads end before what they use
};

}  // namespace spaktok::document::sqlite
