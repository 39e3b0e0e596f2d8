#include "engines/document/mongo/indexes.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/log.h"
#include "engines/document/mongo/failure.h"
#include "engines/document/mongo/translate.h"

namespace spaktok::document::mongo {

namespace {

// Between a look at the indexes and a change another node may change them.
constexpr int attempts_max = 5;

struct DestroyCollection {
    void operator()(mongoc_collection_t* collection) const { mongoc_collection_destroy(collection); }
};
using Collection = std::unique_ptr<mongoc_collection_t, DestroyCollection>;

struct DestroyCursor {
    void operator()(mongoc_cursor_t* cursor) const { mongoc_cursor_destroy(cursor); }
};

std::vector<json::Object> existing_indexes(mongoc_collection_t& collection) {
    const std::unique_ptr<mongoc_cursor_t, DestroyCursor> cursor(
        mongoc_collection_find_indexes_with_opts(&collection, nullptr));
    std::vector<json::Object> found;
    const bson_t* index = nullptr;
    while (mongoc_cursor_next(cursor.get(), &index))
        found.push_back(decode(*index, {}));
    bson_error_t error{};
    if (mongoc_cursor_error(cursor.get(), &error)) fail(error);
    return found;
}

json::Value member(const json::Object& index, std::string_view name) {
    const auto* value = index.if_contains(name);
    return value == nullptr ? json::Value(nullptr) : *value;
}

bool same_member(const json::Object& one, const json::Object& other, std::string_view name) {
    return member(one, name) == member(other, name);
}

bool is_same(const json::Object& one, const json::Object& other) {
    constexpr std::array members{"name", "key", "unique", "partialFilterExpression", "expireAfterSeconds"};
    return std::ranges::all_of(members, [&](const char* name) { return same_member(one, other, name); });
}

// False, with `error`, where it was refused.
bool try_create(mongoc_client_t& client, const std::string& database, const std::string& collection,
                const bson_t& index, bson_error_t& error) {
    const Bson command = make_bson();
    bson_append_utf8(command.get(), "createIndexes", -1, collection.c_str(), -1);
    bson_t indexes;
    bson_append_array_begin(command.get(), "indexes", -1, &indexes);
    bson_append_document(&indexes, "0", -1, &index);
    bson_append_array_end(command.get(), &indexes);
    return mongoc_client_write_command_with_opts(&client, database.c_str(), command.get(), nullptr, nullptr,
                                                 &error);
}

// IndexOptionsConflict, IndexKeySpecsConflict: another index has its name, or its key.
bool is_conflict(const bson_error_t& error) {
    return error.domain == MONGOC_ERROR_SERVER && (error.code == 85 || error.code == 86);
}

void drop_what_conflicts(mongoc_collection_t& collection, const json::Object& wanted) {
    constexpr std::uint32_t not_found = 27;
    for (const auto& index : existing_indexes(collection)) {
        const bool conflicts = same_member(index, wanted, "name") || same_member(index, wanted, "key");
        if (!conflicts || is_same(index, wanted)) continue;
        const std::string name(member(index, "name").as_string());
        log::info("an index changed and is built anew", {{"index", name}});
        bson_error_t error{};
        if (!mongoc_collection_drop_index(&collection, name.c_str(), &error) && error.code != not_found)
            fail(error);
    }
}

void create(mongoc_client_t& client, const std::string& database, const std::string& collection,
            const bson_t& index) {
    const Collection handle(mongoc_client_get_collection(&client, database.c_str(), collection.c_str()));
    for (int attempt = 1;; ++attempt) {
        bson_error_t error{};
        if (try_create(client, database, collection, index, error)) return;
        if (!is_conflict(error) || attempt == attempts_max) fail(error);
        drop_what_conflicts(*handle, decode(index, {}));
    }
}

// What a server without TTL indexes can have of it: nothing, where it was for that alone.
void create_without_expiry(mongoc_client_t& client, const std::string& database,
                           const std::string& collection, const Index& index) {
    Index plain = index;
    plain.expires_at_field.reset();
    for (const auto& each : translate(plain))
        create(client, database, collection, *each);
}

}  // namespace

void ensure_index(mongoc_client_t& client, const std::string& database, const std::string& collection,
                  const Index& index) {
    try {
        for (const auto& each : translate(index))
            create(client, database, collection, *each);
    } catch (const Error& error) {
        if (!index.expires_at_field || error.code() != ErrorCode::internal) throw;
        log::info("the document engine has no TTL indexes: only the program's own sweep removes what expired",
                  {{"index", index.name}, {"detail", error.detail()}});
        create_without_expiry(client, database, collection, index);
    }
}

}  // namespace spaktok::document::mongo
