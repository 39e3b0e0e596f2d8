// What one connection asks of one collection. Blocking; everything throws as fail() says.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <mongoc/mongoc.h>

#include "engines/document/mongo/bson.h"
#include "engines/document/mongo/clients.h"

namespace spaktok::document::mongo {

inline constexpr std::int64_t no_limit = 0;

class Requests {
  public:
    // Both outlive this.
    Requests(mongoc_client_t& client, const Clients& clients, const std::string& collection);

    // The driver repeats an insert whose answer was lost, and not every server remembers that it stored it:
    // then what was stored meanwhile under the same _id is looked at, and is no duplicate where it is this
    // very document.
    void insert(const bson_t& document);
    // The same; one outcome a document: nullopt, or the index that refused it.
    std::vector<std::optional<std::string>> insert_many(const std::vector<Bson>& documents);

    struct FindOptions {
        const bson_t* sort = nullptr;
        std::int64_t limit = no_limit;
        bool only_ids = false;
    };
    using Each = std::function<void(const bson_t&)>;
    void find(const bson_t& filter, FindOptions options, const Each& each);

    // The first match as it is afterwards; null where none matched.
    Bson change_first(const bson_t& filter, const bson_t& update);
    // How many matched; those that were as they should be count, too.
    std::int64_t update_many(const bson_t& filter, const bson_t& update);
    std::int64_t remove(const bson_t& filter);
    std::int64_t count(const bson_t& filter);

  private:
    struct Destroy {
        void operator()(mongoc_collection_t* collection) const { mongoc_collection_destroy(collection); }
    };
    bool is_stored(const bson_t& document);
    Bson limited() const;  // options with maxTimeMS

    const Clients& clients_;
    std::unique_ptr<mongoc_collection_t, Destroy> collection_;
};

// Whether a primary answers.
void ping(mongoc_client_t& client, const std::string& database);

}  // namespace spaktok::document::mongo
