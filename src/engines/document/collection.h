// The document port: chats, live_streams, stories, reels. Adapters: sqlite/ (embedded: JSON rows), mongo/.
//
// A document type is a described struct (see base/json.h) whose first member is `ObjectId _id`. The names of
// its members are the fields' names. Uuid, Timestamp and ObjectId keep their types in BSON.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/json.h"

namespace spaktok::document {

// A field's value in filters and updates. A described enum is given as its word.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, Uuid, ObjectId, Timestamp,
                           json::Value>;

struct Condition {
    enum class Operator { equal, not_equal, less, less_or_equal, greater, greater_or_equal, in };
    std::string field;
    Operator op;
    std::vector<Value> values;  // one, or any number for `in`
};
// All conditions hold. Empty: every document.
using Filter = std::vector<Condition>;

Condition eq(std::string field, Value value);
Condition ne(std::string field, Value value);
Condition lt(std::string field, Value value);
Condition lte(std::string field, Value value);
Condition gt(std::string field, Value value);
Condition gte(std::string field, Value value);
Condition in(std::string field, std::vector<Value> values);

struct Change {
    enum class Operator { set, unset, increment, push, add_to_set, pull, max };
    std::string field;
    Operator op;
    Value value;
    std::optional<std::int64_t> slice;  // push: keep the newest this many (the array's end)
};
// Applied together, atomically on one document.
using Update = std::vector<Change>;

Change set(std::string field, Value value);
Change unset(std::string field);
Change increment(std::string field, std::int64_t by);
Change push(std::string field, json::Value item, std::int64_t slice);
Change add_to_set(std::string field, Value item);
Change pull(std::string field, Value item);
Change max(std::string field, Value value);

struct Sort {
    std::string field;
    bool descending = false;
};
struct FindOptions {
    std::vector<Sort> sort{};
    std::int64_t limit = 100;
};

struct Index {
    std::string name;
    std::vector<Sort> fields;
    bool unique = false;
    bool sparse = false;                            // only documents that have every field
    std::optional<std::string> expires_at_field{};  // a TTL backstop a day later, where the engine has one
};

// A unique index refused a document; `index` is its name.
class DuplicateKey : public Error {
  public:
    explicit DuplicateKey(std::string index);
    const std::string& index() const { return index_; }

  private:
    std::string index_;
};

// Untyped: what an adapter implements. Documents travel as JSON values in which Uuid, ObjectId and Timestamp
// fields are strings; `DocumentShape` tells the adapter which fields those are, so that it stores them as
// their own types.
enum class FieldType { plain, uuid, object_id, timestamp };
using DocumentShape = std::vector<std::pair<std::string, FieldType>>;

class Store {
  public:
    virtual ~Store() = default;
    // Creates the collection and its indexes where missing. Call once at start, before use.
    virtual boost::asio::awaitable<void> ensure(std::string collection, DocumentShape shape,
                                                std::vector<Index> indexes) = 0;

    // Durable when it returns (majority write concern / fsync). Throws DuplicateKey (also for _id: index
    // "_id").
    virtual boost::asio::awaitable<void> insert(std::string_view collection, json::Object document) = 0;
    // One outcome a document, in order: nullopt, or the name of the unique index that refused it. Others are
    // stored.
    virtual boost::asio::awaitable<std::vector<std::optional<std::string>>> insert_many(
        std::string_view collection, std::vector<json::Object> documents) = 0;
    virtual boost::asio::awaitable<std::vector<json::Object>> find(std::string_view collection, Filter filter,
                                                                   FindOptions options) = 0;
    // Changes the first match and returns it as it is afterwards; nullopt where none matched. With `upsert`,
    // a document made of the filter's equal conditions is created first.
    virtual boost::asio::awaitable<std::optional<json::Object>> update_one(std::string_view collection,
                                                                           Filter filter, Update update,
                                                                           bool upsert) = 0;
    // Changes every document that matched when it began and still does, and returns how many. Not one
    // transaction: after an error, or a kill, some are changed and some are not.
    virtual boost::asio::awaitable<std::int64_t> update_many(std::string_view collection, Filter filter,
                                                             Update update) = 0;
    virtual boost::asio::awaitable<std::int64_t> remove(std::string_view collection, Filter filter) = 0;
    virtual boost::asio::awaitable<std::int64_t> count(std::string_view collection, Filter filter) = 0;
    virtual boost::asio::awaitable<void> check() = 0;
};

// `url`: sqlite:FILE (it may be the relational one) or mongodb://HOST/DATABASE.
std::unique_ptr<Store> open(const std::string& url);

namespace detail {
template <class Member>
constexpr FieldType field_type() {
    if constexpr (json::detail::is_optional<Member>::value || json::detail::is_vector<Member>::value) {
        return field_type<typename Member::value_type>();
    } else if constexpr (std::same_as<Member, Uuid> || json::detail::is_id<Member>::value) {
        return FieldType::uuid;
    } else if constexpr (std::same_as<Member, ObjectId>) {
        return FieldType::object_id;
    } else if constexpr (std::same_as<Member, Timestamp>) {
        return FieldType::timestamp;
    } else {
        return FieldType::plain;
    }
}
}  // namespace detail

// The typed face that stores use.
template <class T>
class Collection {
  public:
    Collection(Store& store, std::string name) : store_(store), name_(std::move(name)) {}

    boost::asio::awaitable<void> ensure(std::vector<Index> indexes) {
        return store_.ensure(name_, shape(), std::move(indexes));
    }
    boost::asio::awaitable<void> insert(T document) {
        co_await store_.insert(name_, json::to_value(document).as_object());
    }
    boost::asio::awaitable<std::vector<std::optional<std::string>>> insert_many(std::vector<T> documents) {
        std::vector<json::Object> objects;
        objects.reserve(documents.size());
        for (const auto& document : documents)
            objects.push_back(json::to_value(document).as_object());
        co_return co_await store_.insert_many(name_, std::move(objects));
    }
    boost::asio::awaitable<std::vector<T>> find(Filter filter, FindOptions options = {}) {
        const auto objects = co_await store_.find(name_, std::move(filter), std::move(options));
        std::vector<T> documents;
        documents.reserve(objects.size());
        for (const auto& object : objects)
            documents.push_back(json::from_value<T>(object));
        co_return documents;
    }
    boost::asio::awaitable<std::optional<T>> find_one(Filter filter) {
        auto found = co_await find(std::move(filter), FindOptions{.limit = 1});
        if (found.empty()) co_return std::nullopt;
        co_return std::move(found.front());
    }
    boost::asio::awaitable<std::optional<T>> update_one(Filter filter, Update update, bool upsert = false) {
        const auto object = co_await store_.update_one(name_, std::move(filter), std::move(update), upsert);
        if (!object) co_return std::nullopt;
        co_return json::from_value<T>(*object);
    }
    boost::asio::awaitable<std::int64_t> update_many(Filter filter, Update update) {
        return store_.update_many(name_, std::move(filter), std::move(update));
    }
    boost::asio::awaitable<std::int64_t> remove(Filter filter) {
        return store_.remove(name_, std::move(filter));
    }
    boost::asio::awaitable<std::int64_t> count(Filter filter) {
        return store_.count(name_, std::move(filter));
    }

    static DocumentShape shape() {
        DocumentShape result;
        boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>(
            [&](auto member) {
                using Member = std::remove_cvref_t<decltype(std::declval<T>().*member.pointer)>;
                result.emplace_back(member.name, detail::field_type<Member>());
            });
        return result;
    }

  private:
    Store& store_;
    std::string name_;
};

}  // namespace spaktok::document
