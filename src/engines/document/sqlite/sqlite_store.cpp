#include "engines/document/sqlite/sqlite_store.h"

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "engines/document/limits.h"
#include "engines/document/shape.h"
#include "engines/document/sqlite/translate.h"
#include "engines/document/update.h"

namespace spaktok::document::sqlite {

namespace asio = boost::asio;
using spaktok::sqlite::Connection;
using spaktok::sqlite::Failure;
using spaktok::sqlite::Rows;

namespace {

// Runs `write`; a unique violation becomes DuplicateKey with the declared name.
template <class Write>
auto naming_duplicates(const std::string& collection, Write write) {
    try {
        return write();
    } catch (const Failure& failure) {
        if (failure.is_unique_violation()) throw DuplicateKey(declared_index(collection, failure));
        throw;
    }
}

void ensure_index(Connection& connection, const std::string& collection, const Index& index) {
    const std::string name = index_name(collection, index.name);
    const std::string wanted = create_index(collection, index);
    std::optional<std::string> existing;
    {
        Rows rows = connection.query("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", name);
        if (rows.next()) existing = std::string(rows.text(0));
    }
    if (existing == wanted) return;
    if (existing) {
        log::info("an index changed and is built anew", {{"index", name}});
        connection.execute("DROP INDEX " + name);
    }
    connection.execute(wanted);
}

void insert_row(Connection& connection, const std::string& table, std::string_view id,
                std::string_view body) {
    connection.run("INSERT INTO " + table + " (id, body) VALUES (?, ?)", id, body);
}

struct Encoded {
    std::string id;
    std::string body;
};

Encoded encode_with_id(json::Object document, const DocumentShape& shape) {
    Encoded encoded;
    encoded.body = make_storable(document, shape);
    encoded.id = std::string(document.at("_id").get_string());
    return encoded;
}

std::vector<std::string> matching_ids(Connection& connection, const std::string& table, const Where& where) {
    Rows rows = connection.query("SELECT id FROM " + table + " WHERE " + where.sql);
    bind(rows, where.values);
    std::vector<std::string> ids;
    while (rows.next())
        ids.emplace_back(rows.text(0));
    return ids;
}

// The first match, if any.
std::optional<json::Object> first_match(Connection& connection, const std::string& table,
                                        const Where& where) {
    Rows rows = connection.query("SELECT body FROM " + table + " WHERE " + where.sql + " LIMIT 1");
    bind(rows, where.values);
    if (!rows.next()) return std::nullopt;
    return decode(rows.text(0));
}

void write_changed(Connection& connection, const std::string& table, const Encoded& encoded) {
    connection.run("UPDATE " + table + " SET body = ? WHERE id = ?", encoded.body, encoded.id);
}

// False where the document is gone by now, or matches no more.
bool update_if_it_matches(Connection& connection, const std::string& table, const DocumentShape& shape,
                          const std::string& id, const Where& where, const Update& update) {
    Where this_one{.sql = "id=? AND (" + where.sql + ")", .values = {id}};
    this_one.values.insert(this_one.values.end(), where.values.begin(), where.values.end());
    auto document = first_match(connection, table, this_one);
    if (!document) return false;
    write_changed(connection, table, encode_with_id(apply(*std::move(document), update), shape));
    return true;
}

}  // namespace

SqliteStore::SqliteStore(Options options)
    : writer_(Connection({.path = options.path}),
              {.name = "documents", .queue_jobs_max = options.queued_writes_max}),
      readers_({.path = options.path, .access = Connection::Access::read_only},
               {.name = "documents_read",
                .threads = options.read_threads,
                .queue_jobs_max = options.queued_reads_max}) {}

SqliteStore::KnownPointer SqliteStore::known(std::string_view collection) const {
    const std::shared_lock lock(known_mutex_);
    const auto found = known_.find(collection);
    SPAKTOK_ASSERT(found != known_.end());  // ensure() comes before use
    return found->second;
}

asio::awaitable<void> SqliteStore::ensure(std::string collection, DocumentShape shape,
                                          std::vector<Index> indexes) {
    check_collection_name(collection);
    for (const auto& index : indexes)
        check_index(index);
    auto entry = std::make_shared<const Known>(
        Known{.name = collection, .table = table_name(collection), .shape = std::move(shape)});
    co_await writer_.run([entry, declared = std::move(indexes)](Connection& connection) {
        naming_duplicates(entry->name, [&] {
            connection.execute("CREATE TABLE IF NOT EXISTS " + entry->table +
                               " (id TEXT PRIMARY KEY CHECK (length(id) = 24), body TEXT NOT NULL) STRICT");
            for (const auto& index : declared)
                ensure_index(connection, entry->name, index);
        });
    });
    const std::scoped_lock lock(known_mutex_);
    known_.insert_or_assign(std::move(collection), std::move(entry));
}

asio::awaitable<void> SqliteStore::insert(std::string_view collection, json::Object document) {
    const auto in = known(collection);
    Encoded encoded = encode_with_id(std::move(document), in->shape);
    co_await writer_.run([in, row = std::move(encoded)](Connection& connection) {
        naming_duplicates(in->name, [&] { insert_row(connection, in->table, row.id, row.body); });
    });
}

asio::awaitable<std::vector<std::optional<std::string>>> SqliteStore::insert_many(
    std::string_view collection, std::vector<json::Object> documents) {
    const auto in = known(collection);
    if (documents.size() > insert_many_max) {
        throw Error(ErrorCode::invalid_argument, "Too many at once.",
                    {.detail = "insert_many: too many documents"});
    }
    std::vector<Encoded> rows;
    rows.reserve(documents.size());
    for (auto& document : documents)
        rows.push_back(encode_with_id(std::move(document), in->shape));
    co_return co_await writer_.run([in, encoded = std::move(rows)](Connection& connection) {
        std::vector<std::optional<std::string>> outcomes;
        outcomes.reserve(encoded.size());
        for (const auto& row : encoded) {
            try {
                // A refused INSERT undoes itself alone and leaves the transaction standing.
                insert_row(connection, in->table, row.id, row.body);
                outcomes.emplace_back(std::nullopt);
            } catch (const Failure& failure) {
                if (!failure.is_unique_violation()) throw;
                outcomes.emplace_back(declared_index(in->name, failure));
            }
        }
        return outcomes;
    });
}

asio::awaitable<std::vector<json::Object>> SqliteStore::find(std::string_view collection, Filter filter,
                                                             FindOptions options) {
    const auto in = known(collection);
    check_filter(filter);
    check_find_options(options);
    Where where = translate(filter, in->shape);
    where.values.emplace_back(options.limit);
    std::string sql =
        "SELECT body FROM " + in->table + " WHERE " + where.sql + order_by(options.sort) + " LIMIT ?";
    co_return co_await readers_.run(
        [text = std::move(sql), values = std::move(where.values)](Connection& connection) {
            Rows rows = connection.query(text);
            bind(rows, values);
            std::vector<json::Object> found;
            while (rows.next())
                found.push_back(decode(rows.text(0)));
            return found;
        });
}

asio::awaitable<std::optional<json::Object>> SqliteStore::update_one(std::string_view collection,
                                                                     Filter filter, Update update,
                                                                     bool upsert) {
    const auto in = known(collection);
    check_filter(filter);
    check_update(update);
    std::optional<json::Object> fresh;
    if (upsert) {
        fresh = from_equal_conditions(filter);
        if (!fresh->contains("_id")) {
            fresh->emplace("_id", ObjectId::make(SystemClock().now(), random_).to_string());
        }
    }
    Where where = translate(filter, in->shape);
    co_return co_await writer_.run([in, where = std::move(where), update = std::move(update),
                                    fresh = std::move(fresh)](Connection& connection) {
        return naming_duplicates(in->name, [&]() -> std::optional<json::Object> {
            std::optional<json::Object> document = first_match(connection, in->table, where);
            const bool creates = !document && fresh;
            if (creates) document = fresh;
            if (!document) return std::nullopt;
            document = apply(*std::move(document), update);
            const Encoded row = encode_with_id(*document, in->shape);
            if (creates) {
                insert_row(connection, in->table, row.id, row.body);
            } else {
                write_changed(connection, in->table, row);
            }
            return document;
        });
    });
}

asio::awaitable<std::int64_t> SqliteStore::update_many(std::string_view collection, Filter filter,
                                                       Update update) {
    const auto in = known(collection);
    check_filter(filter);
    check_update(update);
    const auto where = std::make_shared<const Where>(translate(filter, in->shape));
    const auto changes = std::make_shared<const Update>(std::move(update));
    // The ids first: a document that was changed may match again, further on in an index.
    const auto ids = co_await readers_.run(
        [in, where](Connection& connection) { return matching_ids(connection, in->table, *where); });
    std::int64_t changed = 0;
    for (std::size_t begin = 0; begin < ids.size(); begin += update_batch_max) {
        const auto end = std::min(ids.size(), begin + update_batch_max);
        changed += co_await writer_.run(
            [in, where, changes,
             batch = std::vector(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                 ids.begin() + static_cast<std::ptrdiff_t>(end))](Connection& connection) {
                return naming_duplicates(in->name, [&] {
                    return std::ranges::count_if(batch, [&](const std::string& id) {
                        return update_if_it_matches(connection, in->table, in->shape, id, *where, *changes);
                    });
                });
            });
    }
    co_return changed;
}

asio::awaitable<std::int64_t> SqliteStore::remove(std::string_view collection, Filter filter) {
    const auto in = known(collection);
    check_filter(filter);
    Where where = translate(filter, in->shape);
    co_return co_await writer_.run([in, where = std::move(where)](Connection& connection) {
        Rows rows = connection.query("DELETE FROM " + in->table + " WHERE " + where.sql);
        bind(rows, where.values);
        rows.finish();
        return connection.changes();
    });
}

asio::awaitable<std::int64_t> SqliteStore::count(std::string_view collection, Filter filter) {
    const auto in = known(collection);
    check_filter(filter);
    Where where = translate(filter, in->shape);
    co_return co_await readers_.run([in, where = std::move(where)](Connection& connection) {
        Rows rows = connection.query("SELECT count(*) FROM " + in->table + " WHERE " + where.sql);
        bind(rows, where.values);
        rows.next();
        return rows.integer(0);
    });
}

asio::awaitable<void> SqliteStore::check() {
    co_await readers_.run(
        [](Connection& connection) { connection.run("SELECT count(*) FROM sqlite_master"); });
}

}  // namespace spaktok::document::sqlite
