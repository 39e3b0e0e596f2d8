// The document port on MongoDB, or what speaks its protocol: version 4.4 or later; needs no transactions and
// no change streams.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/random.h"
#include "base/worker_pool.h"
#include "engines/document/collection.h"
#include "engines/document/mongo/clients.h"
#include "engines/document/mongo/requests.h"

namespace spaktok::document::mongo {

// Callable from any thread; callers are resumed on their own executors. The driver blocks, so it runs on
// threads of its own, one a connection, behind a bounded queue. A server that is down at the start is an
// Error{unavailable} of the first request. The destructor ends what is queued.
class MongoStore final : public Store {
  public:
    struct Options {
        Limits limits{};
        std::size_t waiting_max = 2'000;  // beyond it a caller hears Error{unavailable} at once
    };
    // One request changes or removes so many documents at the most, so that it ends in time.
    static constexpr std::size_t batch_max = 200;

    // Throws Error{invalid_argument} for a URL that is none.
    MongoStore(const std::string& url, Options options);
    explicit MongoStore(const std::string& url) : MongoStore(url, Options{}) {}

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
    // Never changes once ensured, so that threads share it without a lock.
    struct Known {
        std::string name;
        DocumentShape shape;
    };
    using KnownPointer = std::shared_ptr<const Known>;
    enum class Operation { insert, find, update, remove, count, check };
    struct Measures {
        explicit Measures(const char* operation);
        metrics::Histogram seconds;
        metrics::Counter errors;
    };

    KnownPointer known(std::string_view collection) const;
    template <class Job>
    boost::asio::awaitable<std::invoke_result_t<Job, mongoc_client_t&>> on_client(Operation operation,
                                                                                  Job job);
    static void check_growth(Requests& requests, const Known& in, const bson_t& where, const Update& update,
                             std::int64_t limit);
    static std::optional<json::Object> change_or_create(Requests& requests, const Known& in,
                                                        const Filter& filter, const Update& update,
                                                        const std::optional<json::Object>& fresh);
    boost::asio::awaitable<std::int64_t> update_batch(KnownPointer in, Filter filter, Update update);
    boost::asio::awaitable<std::int64_t> remove_batch(KnownPointer in, Filter filter);
    boost::asio::awaitable<std::vector<Value>> matching_ids(KnownPointer in, Filter filter,
                                                            std::int64_t limit, Operation purpose);

    mutable std::shared_mutex known_mutex_;
    std::map<std::string, KnownPointer, std::less<>> known_;
    SystemRandom random_;
    std::array<Measures, 6> measures_;  // by Operation
    metrics::Gauge under_way_;
    Clients clients_;
    WorkerPool pool_;  // last: its threads end before what they use
};

}  // namespace spaktok::document::mongo
