// The document port on SQLite: one STRICT table a collection, indexes on expressions over the JSON.
//
// Writes go through one group-committing writer; reads run in parallel on a small pool, each on a connection
// of its own, and see everything that was acknowledged. Callable from any thread; callers are resumed on
// their own executors. The destructor commits what is queued.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "engines/document/collection.h"
#include "engines/sqlite/group_writer.h"
#include "engines/sqlite/reader_pool.h"

namespace spaktok::document::sqlite {

class SqliteStore final : public Store {
  public:
    struct Options {
        std::string path;
        std::size_t read_threads = 2;
        std::size_t queued_reads_max = 2'000;
        std::size_t queued_writes_max = 10'000;
    };
    // One job of the writer changes so many documents at the most, so that others' writes come between.
    static constexpr std::size_t update_batch_max = 200;

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

    mutable std::shared_mutex known_mutex_;
    std::map<std::string, KnownPointer, std::less<>> known_;
    SystemRandom random_;
    spaktok::sqlite::GroupWriter writer_;
    spaktok::sqlite::ReaderPool readers_;
};

}  // namespace spaktok::document::sqlite
