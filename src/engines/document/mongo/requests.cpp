#include "engines/document/mongo/requests.h"

#include "engines/document/mongo/failure.h"
#include "engines/document/mongo/translate.h"

namespace spaktok::document::mongo {

namespace {

// An answer that the driver fills in, whether it succeeds or not.
class Reply {
  public:
    Reply() { bson_init(&reply_); }
    ~Reply() { bson_destroy(&reply_); }
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    // What the driver initialises anew.
    bson_t* out() { return &reply_; }
    const bson_t& operator*() const { return reply_; }
    std::int64_t number(const char* name) const {
        bson_iter_t at;
        return bson_iter_init_find(&at, &reply_, name) ? bson_iter_as_int64(&at) : 0;
    }

  private:
    bson_t reply_;
};

void check_done(bool is_done, const bson_error_t& error, const Reply& reply) {
    if (!is_done) fail(error);
    check_confirmed(*reply);
}

// The driver's own check knows nothing that make_storable does not.
Bson unchecked() {
    Bson options = make_bson();
    bson_append_bool(options.get(), "validate", -1, false);
    return options;
}

bool is_own_id_refused(const bson_error_t& error) {
    return is_duplicate(error.code) && refusing_index(error.message) == "_id";
}

struct Refusal {
    std::size_t position = 0;
    bson_error_t error{};
};

std::vector<Refusal> refusals_in(const bson_t& reply) {
    std::vector<Refusal> refusals;
    bson_iter_t errors;
    bson_iter_t at;
    if (!bson_iter_init_find(&errors, &reply, "writeErrors") || !bson_iter_recurse(&errors, &at)) return {};
    while (bson_iter_next(&at)) {
        Refusal refusal;
        bson_iter_t member;
        bson_iter_recurse(&at, &member);
        std::int64_t code = 0;
        const char* message = "";
        while (bson_iter_next(&member)) {
            const std::string_view name = bson_iter_key(&member);
            if (name == "index") refusal.position = static_cast<std::size_t>(bson_iter_as_int64(&member));
            if (name == "code") code = bson_iter_as_int64(&member);
            if (name == "errmsg") message = bson_iter_utf8(&member, nullptr);
        }
        bson_set_error(&refusal.error, MONGOC_ERROR_SERVER, static_cast<std::uint32_t>(code), "%s", message);
        refusals.push_back(refusal);
    }
    return refusals;
}

}  // namespace

Requests::Requests(mongoc_client_t& client, const Clients& clients, const std::string& collection)
    : clients_(clients),
      collection_(mongoc_client_get_collection(&client, clients.database().c_str(), collection.c_str())) {}

Bson Requests::limited() const {
    Bson options = make_bson();
    bson_append_int64(options.get(), "maxTimeMS", -1, clients_.limits().execution_max.count());
    return options;
}

void Requests::insert(const bson_t& document) {
    Reply reply;
    bson_error_t error{};
    const int sent_before = commands_sent();
    const bool is_done =
        mongoc_collection_insert_one(collection_.get(), &document, unchecked().get(), reply.out(), &error);
    const bool was_repeated = commands_sent() > sent_before + 1;
    if (!is_done && was_repeated && is_own_id_refused(error) && is_stored(document)) return;
    check_done(is_done, error, reply);
}

bool Requests::is_stored(const bson_t& document) {
    const Bson filter = make_bson();
    bson_iter_t id;
    if (!bson_iter_init_find(&id, &document, "_id")) return false;
    bson_append_iter(filter.get(), "_id", -1, &id);
    bool is_same = false;
    find(*filter, {.limit = 1}, [&](const bson_t& stored) { is_same = bson_equal(&stored, &document); });
    return is_same;
}

std::vector<std::optional<std::string>> Requests::insert_many(const std::vector<Bson>& documents) {
    std::vector<const bson_t*> pointers;
    pointers.reserve(documents.size());
    for (const auto& document : documents)
        pointers.push_back(document.get());
    const Bson options = unchecked();
    bson_append_bool(options.get(), "ordered", -1, false);
    Reply reply;
    bson_error_t error{};
    const int sent_before = commands_sent();
    const bool is_done = mongoc_collection_insert_many(collection_.get(), pointers.data(), pointers.size(),
                                                       options.get(), reply.out(), &error);
    check_confirmed(*reply);
    // Or sent in several parts: to look then is needless, not wrong.
    const bool was_repeated = commands_sent() > sent_before + 1;
    std::vector<std::optional<std::string>> outcomes(documents.size());
    const auto refusals = refusals_in(*reply);
    for (const auto& refusal : refusals) {
        if (!is_duplicate(refusal.error.code) || refusal.position >= outcomes.size()) fail(refusal.error);
        if (was_repeated && is_own_id_refused(refusal.error) && is_stored(*documents[refusal.position]))
            continue;
        outcomes[refusal.position] = refusing_index(refusal.error.message);
    }
    // Neither stored nor refused: the connection ended between.
    const auto stored = static_cast<std::size_t>(reply.number("insertedCount"));
    if (stored + refusals.size() != documents.size()) {
        if (!is_done && !is_duplicate(error.code)) fail(error);
        throw unavailable("a part of the documents has no answer");
    }
    return outcomes;
}

void Requests::find(const bson_t& filter, FindOptions options, const Each& each) {
    const Bson all = limited();
    if (options.sort != nullptr && !bson_empty(options.sort))
        bson_append_document(all.get(), "sort", -1, options.sort);
    if (options.limit != no_limit) bson_append_int64(all.get(), "limit", -1, options.limit);
    if (options.only_ids) {
        const Bson ids = make_bson();
        bson_append_int32(ids.get(), "_id", -1, 1);
        bson_append_document(all.get(), "projection", -1, ids.get());
    }
    struct DestroyCursor {
        void operator()(mongoc_cursor_t* cursor) const { mongoc_cursor_destroy(cursor); }
    };
    const std::unique_ptr<mongoc_cursor_t, DestroyCursor> cursor(
        mongoc_collection_find_with_opts(collection_.get(), &filter, all.get(), nullptr));
    const bson_t* document = nullptr;
    while (mongoc_cursor_next(cursor.get(), &document))
        each(*document);
    bson_error_t error{};
    if (mongoc_cursor_error(cursor.get(), &error)) fail(error);
}

Bson Requests::change_first(const bson_t& filter, const bson_t& update) {
    struct DestroyOptions {
        void operator()(mongoc_find_and_modify_opts_t* options) const {
            mongoc_find_and_modify_opts_destroy(options);
        }
    };
    const std::unique_ptr<mongoc_find_and_modify_opts_t, DestroyOptions> options(
        mongoc_find_and_modify_opts_new());
    mongoc_find_and_modify_opts_set_update(options.get(), &update);
    mongoc_find_and_modify_opts_set_flags(options.get(), MONGOC_FIND_AND_MODIFY_RETURN_NEW);
    Reply reply;
    bson_error_t error{};
    const bool is_done = mongoc_collection_find_and_modify_with_opts(collection_.get(), &filter,
                                                                     options.get(), reply.out(), &error);
    check_done(is_done, error, reply);
    bson_iter_t at;
    if (!bson_iter_init_find(&at, &*reply, "value") || !BSON_ITER_HOLDS_DOCUMENT(&at)) return {};
    std::uint32_t size = 0;
    const std::uint8_t* bytes = nullptr;
    bson_iter_document(&at, &size, &bytes);
    return Bson(bson_new_from_data(bytes, size));
}

std::int64_t Requests::update_many(const bson_t& filter, const bson_t& update) {
    Reply reply;
    bson_error_t error{};
    const bool is_done = mongoc_collection_update_many(collection_.get(), &filter, &update, unchecked().get(),
                                                       reply.out(), &error);
    check_done(is_done, error, reply);
    return reply.number("matchedCount");
}

std::int64_t Requests::remove(const bson_t& filter) {
    Reply reply;
    bson_error_t error{};
    const bool is_done =
        mongoc_collection_delete_many(collection_.get(), &filter, nullptr, reply.out(), &error);
    check_done(is_done, error, reply);
    return reply.number("deletedCount");
}

std::int64_t Requests::count(const bson_t& filter) {
    Reply reply;
    bson_error_t error{};
    const auto counted = mongoc_collection_count_documents(collection_.get(), &filter, limited().get(),
                                                           nullptr, reply.out(), &error);
    if (counted < 0) fail(error);
    return counted;
}

void ping(mongoc_client_t& client, const std::string& database) {
    const Bson command = make_bson();
    bson_append_int32(command.get(), "ping", -1, 1);
    bson_error_t error{};
    if (!mongoc_client_command_simple(&client, database.c_str(), command.get(),
                                      mongoc_client_get_read_prefs(&client), nullptr, &error))
        fail(error);
}

}  // namespace spaktok::document::mongo
