#include "engines/document/mongo/mongo_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "engines/document/limits.h"
#include "engines/document/mongo/indexes.h"
#include "engines/document/mongo/requests.h"
#include "engines/document/mongo/translate.h"
#include "engines/document/shape.h"
#include "engines/document/update.h"

namespace spaktok::document::mongo {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

// An upsert that finds nothing inserts; where another was faster, there is something to change now.
constexpr int upsert_attempts_max = 3;
// A value of an update that is no longer than this is not counted against the document's size: the names that
// an update sets are the program's, so they are few.
constexpr std::size_t small_value_bytes_max = 1024;

// Whether a document could become too large by it.
bool may_grow(const Update& update) {
    return std::ranges::any_of(update, [](const Change& change) {
        return change.op == Change::Operator::push || change.op == Change::Operator::add_to_set ||
               json::serialize(to_json(change.value)).size() > small_value_bytes_max;
    });
}

// Whether it is about a limited number of documents, named by their ids.
bool names_documents(const Filter& filter) {
    return std::ranges::any_of(filter, [](const Condition& condition) {
        return condition.field == "_id" &&
               (condition.op == Condition::Operator::equal || condition.op == Condition::Operator::in);
    });
}

Filter narrowed(Filter filter, std::vector<Value> ids) {
    filter.push_back(in("_id", std::move(ids)));
    return filter;
}

std::vector<std::vector<Value>> in_batches(std::vector<Value> ids) {
    std::vector<std::vector<Value>> batches;
    for (auto& id : ids) {
        if (batches.empty() || batches.back().size() == MongoStore::batch_max) batches.emplace_back();
        batches.back().push_back(std::move(id));
    }
    return batches;
}

}  // namespace

MongoStore::Measures::Measures(const char* operation)
    : seconds(metrics::histogram("spaktok_mongo_seconds", "Time of a request to MongoDB.",
                                 {{"operation", operation}})),
      errors(metrics::counter("spaktok_mongo_errors_total",
                              "Requests to MongoDB that failed or were refused.",
                              {{"operation", operation}})) {}

MongoStore::MongoStore(const std::string& url, Options options)
    : measures_{Measures("insert"), Measures("find"),  Measures("update"),
                Measures("remove"), Measures("count"), Measures("check")},
      under_way_(metrics::gauge("spaktok_mongo_under_way", "Requests to MongoDB that wait or run.")),
      clients_(url, options.limits),
      pool_({.name = "mongo",
             .threads = options.limits.connections_max,
             .queue_jobs_max = options.waiting_max}) {}

MongoStore::KnownPointer MongoStore::known(std::string_view collection) const {
    const std::shared_lock lock(known_mutex_);
    const auto found = known_.find(collection);
    SPAKTOK_ASSERT(found != known_.end());  // ensure() comes before use
    return found->second;
}

template <class Job>
asio::awaitable<std::invoke_result_t<Job, mongoc_client_t&>> MongoStore::on_client(Operation operation,
                                                                                   Job job) {
    struct Counted {
        explicit Counted(metrics::Gauge which) : gauge(which) { gauge.add(1); }
        ~Counted() { gauge.add(-1); }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        metrics::Gauge gauge;
    };
    const Counted counted(under_way_);
    Measures measures = measures_[static_cast<std::size_t>(operation)];
    try {
        co_return co_await pool_.run([this, measures, work = std::move(job)]() mutable {
            struct Timed {
                metrics::Histogram seconds;
                steady_clock::time_point begun = steady_clock::now();
                ~Timed() {
                    seconds.observe(std::chrono::duration<double>(steady_clock::now() - begun).count());
                }
            };
            const Timed timed{.seconds = measures.seconds};
            return clients_.run(work);
        });
    } catch (const Error&) {
        measures.errors.add();
        throw;
    }
}

asio::awaitable<void> MongoStore::ensure(std::string collection, DocumentShape shape,
                                         std::vector<Index> indexes) {
    check_collection_name(collection);
    for (const auto& index : indexes)
        check_index(index);
    auto entry = std::make_shared<const Known>(Known{.name = collection, .shape = std::move(shape)});
    co_await pool_.run([this, entry, declared = std::move(indexes)] {
        clients_.run_long([&](mongoc_client_t& client) {
            for (const auto& index : declared)
                ensure_index(client, clients_.database(), entry->name, index);
        });
    });
    const std::scoped_lock lock(known_mutex_);
    known_.insert_or_assign(std::move(collection), std::move(entry));
}

asio::awaitable<void> MongoStore::insert(std::string_view collection, json::Object document) {
    const auto in = known(collection);
    make_storable(document, in->shape);
    co_await on_client(Operation::insert,
                       [this, in, bson = encode(document, in->shape)](mongoc_client_t& client) {
                           Requests(client, clients_, in->name).insert(*bson);
                       });
}

asio::awaitable<std::vector<std::optional<std::string>>> MongoStore::insert_many(
    std::string_view collection, std::vector<json::Object> documents) {
    const auto in = known(collection);
    if (documents.size() > insert_many_max) {
        throw Error(ErrorCode::invalid_argument, "Too many at once.",
                    {.detail = "insert_many: too many documents"});
    }
    std::vector<Bson> encoded;
    encoded.reserve(documents.size());
    for (auto& document : documents) {
        make_storable(document, in->shape);
        encoded.push_back(encode(document, in->shape));
    }
    if (encoded.empty()) co_return std::vector<std::optional<std::string>>{};
    co_return co_await on_client(Operation::insert,
                                 [this, in, all = std::move(encoded)](mongoc_client_t& client) {
                                     return Requests(client, clients_, in->name).insert_many(all);
                                 });
}

asio::awaitable<std::vector<json::Object>> MongoStore::find(std::string_view collection, Filter filter,
                                                            FindOptions options) {
    const auto in = known(collection);
    check_filter(filter);
    check_find_options(options);
    co_return co_await on_client(
        Operation::find, [this, in, where = translate(filter, in->shape), order = translate(options.sort),
                          limit = options.limit](mongoc_client_t& client) {
            std::vector<json::Object> found;
            Requests(client, clients_, in->name)
                .find(*where, {.sort = order.get(), .limit = limit},
                      [&](const bson_t& document) { found.push_back(decode(document, in->shape)); });
            return found;
        });
}

// Throws where the update would not fit, or make one of the documents too large. What others add meanwhile is
// not seen, and of several matches another one may be changed than was measured: the limit keeps documents
// small, and the server's own is sixteen times as large.
void MongoStore::check_growth(Requests& requests, const Known& in, const bson_t& where, const Update& update,
                              std::int64_t limit) {
    if (!may_grow(update)) return;
    requests.find(where, {.limit = limit}, [&](const bson_t& document) {
        json::Object grown = apply(decode(document, in.shape), update);
        make_storable(grown, in.shape);
    });
}

std::optional<json::Object> MongoStore::change_or_create(Requests& requests, const Known& in,
                                                         const Filter& filter, const Update& update,
                                                         const std::optional<json::Object>& fresh) {
    const Bson where = translate(filter, in.shape);
    const Bson changes = translate(update, in.shape);
    for (int attempt = 1;; ++attempt) {
        check_growth(requests, in, *where, update, 1);
        if (const Bson changed = requests.change_first(*where, *changes)) return decode(*changed, in.shape);
        if (!fresh) return std::nullopt;
        json::Object created = apply(*fresh, update);
        make_storable(created, in.shape);
        const Bson document = encode(created, in.shape);
        try {
            requests.insert(*document);
            return decode(*document, in.shape);
        } catch (const DuplicateKey&) {
            if (attempt == upsert_attempts_max) throw;
        }
    }
}

asio::awaitable<std::optional<json::Object>> MongoStore::update_one(std::string_view collection,
                                                                    Filter filter, Update update,
                                                                    bool upsert) {
    const auto in = known(collection);
    check_filter(filter);
    check_update(update);
    std::optional<json::Object> fresh;
    if (upsert) {
        fresh = from_equal_conditions(filter);
        if (!fresh->contains("_id"))
            fresh->emplace("_id", ObjectId::make(SystemClock().now(), random_).to_string());
    }
    co_return co_await on_client(Operation::update,
                                 [this, in, filter = std::move(filter), update = std::move(update),
                                  fresh = std::move(fresh)](mongoc_client_t& client) {
                                     Requests requests(client, clients_, in->name);
                                     return change_or_create(requests, *in, filter, update, fresh);
                                 });
}

asio::awaitable<std::vector<Value>> MongoStore::matching_ids(KnownPointer in, Filter filter,
                                                             std::int64_t limit, Operation purpose) {
    co_return co_await on_client(
        purpose, [this, in, where = translate(filter, in->shape), limit](mongoc_client_t& client) {
            std::vector<Value> ids;
            Requests(client, clients_, in->name)
                .find(*where, {.limit = limit, .only_ids = true}, [&](const bson_t& document) {
                    ids.push_back(json::from_value<ObjectId>(decode(document, {}).at("_id")));
                });
            return ids;
        });
}

asio::awaitable<std::int64_t> MongoStore::update_batch(KnownPointer in, Filter filter, Update update) {
    co_return co_await on_client(Operation::update,
                                 [this, in, where = translate(filter, in->shape),
                                  changes = translate(update, in->shape), update](mongoc_client_t& client) {
                                     Requests requests(client, clients_, in->name);
                                     check_growth(requests, *in, *where, update, no_limit);
                                     return requests.update_many(*where, *changes);
                                 });
}

asio::awaitable<std::int64_t> MongoStore::update_many(std::string_view collection, Filter filter,
                                                      Update update) {
    const auto in = known(collection);
    check_filter(filter);
    check_update(update);
    if (names_documents(filter)) co_return co_await update_batch(in, std::move(filter), std::move(update));
    // The ids first: a document that was changed may match again, further on in an index.
    auto batches = in_batches(co_await matching_ids(in, filter, no_limit, Operation::update));
    std::int64_t changed = 0;
    for (auto& ids : batches)
        changed += co_await update_batch(in, narrowed(filter, std::move(ids)), update);
    co_return changed;
}

asio::awaitable<std::int64_t> MongoStore::remove_batch(KnownPointer in, Filter filter) {
    co_return co_await on_client(Operation::remove,
                                 [this, in, where = translate(filter, in->shape)](mongoc_client_t& client) {
                                     return Requests(client, clients_, in->name).remove(*where);
                                 });
}

asio::awaitable<std::int64_t> MongoStore::remove(std::string_view collection, Filter filter) {
    const auto in = known(collection);
    check_filter(filter);
    if (names_documents(filter)) co_return co_await remove_batch(in, std::move(filter));
    std::int64_t removed = 0;
    for (bool is_last = false; !is_last;) {
        auto ids = co_await matching_ids(in, filter, batch_max, Operation::remove);
        is_last = ids.size() < batch_max;
        if (!ids.empty()) removed += co_await remove_batch(in, narrowed(filter, std::move(ids)));
    }
    co_return removed;
}

asio::awaitable<std::int64_t> MongoStore::count(std::string_view collection, Filter filter) {
    const auto in = known(collection);
    check_filter(filter);
    co_return co_await on_client(Operation::count,
                                 [this, in, where = translate(filter, in->shape)](mongoc_client_t& client) {
                                     return Requests(client, clients_, in->name).count(*where);
                                 });
}

asio::awaitable<void> MongoStore::check() {
    co_await on_client(Operation::check,
                       [this](mongoc_client_t& client) { ping(client, clients_.database()); });
}

}  // namespace spaktok::document::mongo
