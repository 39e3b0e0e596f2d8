#include "engines/document/collection.h"

#include "engines/document/mongo/mongo_store.h"
#include "engines/document/sqlite/sqlite_store.h"
#include "engines/sqlite/connection.h"

namespace spaktok::document {

namespace {
Condition one(std::string field, Condition::Operator op, Value value) {
    Condition condition{.field = std::move(field), .op = op, .values = {}};
    condition.values.push_back(std::move(value));
    return condition;
}
Change change(std::string field, Change::Operator op, Value value) {
    return {.field = std::move(field), .op = op, .value = std::move(value), .slice = std::nullopt};
}
}  // namespace

Condition eq(std::string field, Value value) {
    return one(std::move(field), Condition::Operator::equal, std::move(value));
}
Condition ne(std::string field, Value value) {
    return one(std::move(field), Condition::Operator::not_equal, std::move(value));
}
Condition lt(std::string field, Value value) {
    return one(std::move(field), Condition::Operator::less, std::move(value));
}
Condition lte(std::string field, Value value) {
    return one(std::move(field), Condition::Operator::less_or_equal, std::move(value));
}
Condition gt(std::string field, Value value) {
    return one(std::move(field), Condition::Operator::greater, std::move(value));
}
Condition gte(std::string field, Value value) {
    return one(std::move(field), Condition::Operator::greater_or_equal, std::move(value));
}
Condition in(std::string field, std::vector<Value> values) {
    return {.field = std::move(field), .op = Condition::Operator::in, .values = std::move(values)};
}

Change set(std::string field, Value value) {
    return change(std::move(field), Change::Operator::set, std::move(value));
}
Change unset(std::string field) {
    return change(std::move(field), Change::Operator::unset, std::monostate{});
}
Change increment(std::string field, std::int64_t by) {
    return change(std::move(field), Change::Operator::increment, by);
}
Change push(std::string field, json::Value item, std::int64_t slice) {
    Change result = change(std::move(field), Change::Operator::push, std::move(item));
    result.slice = slice;
    return result;
}
Change add_to_set(std::string field, Value item) {
    return change(std::move(field), Change::Operator::add_to_set, std::move(item));
}
Change pull(std::string field, Value item) {
    return change(std::move(field), Change::Operator::pull, std::move(item));
}
Change max(std::string field, Value value) {
    return change(std::move(field), Change::Operator::max, std::move(value));
}

DuplicateKey::DuplicateKey(std::string index)
    : Error(ErrorCode::conflict, "This exists already.",
            {.reason = "duplicate", .detail = "unique index " + index}),
      index_(std::move(index)) {}

std::unique_ptr<Store> open(const std::string& url) {
    if (const auto path = spaktok::sqlite::path_of_url(url, "sqlite:"); path && !path->empty()) {
        return std::make_unique<sqlite::SqliteStore>(sqlite::SqliteStore::Options{.path = *path});
    }
    if (url.starts_with("mongodb://")) return std::make_unique<mongo::MongoStore>(url);
    throw Error(ErrorCode::invalid_argument, "The document engine's URL must be sqlite:FILE or mongodb://….",
                {.field = "document"});
}

}  // namespace spaktok::document
