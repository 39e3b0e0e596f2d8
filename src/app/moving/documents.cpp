#include "app/moving/documents.h"

#include "features/chat/collections.h"
#include "features/streams/collections.h"

namespace spaktok::moving {

namespace asio = boost::asio;
using document::Declaration;
using document::Store;

namespace {

// `after`: the last _id of the page before; empty for the first one.
asio::awaitable<std::vector<json::Object>> page(Store& store, const Declaration& collection,
                                                const std::string& after, std::size_t documents) {
    document::Filter filter;
    if (const auto id = ObjectId::parse(after)) filter.push_back(document::gt("_id", *id));
    co_return co_await store.find(
        collection.name, std::move(filter),
        {.sort = {{.field = "_id"}}, .limit = static_cast<std::int64_t>(documents)});
}

std::string id_of(const json::Object& document) {
    return std::string(document.at("_id").as_string());
}

// A member that is null counts as missing, and engines may leave it out.
json::Value without_nulls(const json::Value& value) {
    if (const auto* object = value.if_object()) {
        json::Object kept;
        for (const auto& [name, member] : *object) {
            if (!member.is_null()) kept.emplace(name, without_nulls(member));
        }
        return kept;
    }
    if (const auto* array = value.if_array()) {
        json::Array items;
        for (const auto& item : *array)
            items.push_back(without_nulls(item));
        return items;
    }
    return value;
}

// A document that is there already may be refused by another index than that of _id.
asio::awaitable<void> insert_missing(Store& store, const Declaration& collection,
                                     std::vector<json::Object> documents) {
    std::vector<ObjectId> ids;
    ids.reserve(documents.size());
    for (const auto& document : documents)
        ids.push_back(*ObjectId::parse(id_of(document)));
    const auto refusals = co_await store.insert_many(collection.name, std::move(documents));
    for (std::size_t i = 0; i < refusals.size(); ++i) {
        if (!refusals[i] || *refusals[i] == "_id") continue;
        const auto found = co_await store.count(collection.name, {document::eq("_id", ids[i])});
        if (found == 0) throw document::DuplicateKey(*refusals[i]);
    }
}

}  // namespace

std::vector<Declaration> all_collections() {
    auto all = chat::declared_collections();
    for (auto& each : streams::declared_collections())
        all.push_back(std::move(each));
    return all;
}

asio::awaitable<void> ensure_collections(Store& store) {
    for (auto& each : all_collections())
        co_await store.ensure(std::move(each.name), std::move(each.shape), std::move(each.indexes));
}

asio::awaitable<bool> is_empty(Store& store, const Declaration& collection) {
    const auto found = co_await page(store, collection, "", 1);
    co_return found.empty();
}

asio::awaitable<void> copy_collection(Store& source, Store& target, const Declaration& collection,
                                      Journal& journal, std::size_t batch_documents,
                                      const Progress& progress) {
    const auto part = "collection " + collection.name;
    const auto position = journal.position(part);
    std::string after = position.is_string() ? std::string(position.as_string()) : "";
    std::int64_t copied = 0;
    for (bool done = false; !done;) {
        auto documents = co_await page(source, collection, after, batch_documents);
        done = documents.size() < batch_documents;
        if (documents.empty()) break;
        after = id_of(documents.back());
        copied += static_cast<std::int64_t>(documents.size());
        co_await insert_missing(target, collection, std::move(documents));
        progress("copying " + collection.name, copied);
        journal.record(part, json::Value(boost::json::string(after)));
    }
}

asio::awaitable<Checksum> checksum_of(Store& store, const Declaration& collection,
                                      std::size_t batch_documents, const Progress& progress) {
    Checksum sum;
    std::string after;
    for (bool done = false; !done;) {
        const auto documents = co_await page(store, collection, after, batch_documents);
        done = documents.size() < batch_documents;
        if (!documents.empty()) after = id_of(documents.back());
        for (const auto& document : documents)
            sum.add(canonical(without_nulls(document)));
        progress("comparing " + collection.name, sum.count());
    }
    co_return sum;
}

}  // namespace spaktok::moving
