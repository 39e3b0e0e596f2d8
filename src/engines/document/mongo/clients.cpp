#include "engines/document/mongo/clients.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace spaktok::document::mongo {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds pause_first{100};
constexpr milliseconds pause_max{2'000};

void log_driver(mongoc_log_level_t, const char* domain, const char* message, void*) {
    log::debug("MongoDB's driver", {{"domain", domain}, {"message", message}});
}

thread_local int commands_sent_here = 0;

void count_command(const mongoc_apm_command_started_t*) {
    ++commands_sent_here;
}

void count_commands(mongoc_client_pool_t* pool) {
    mongoc_apm_callbacks_t* callbacks = mongoc_apm_callbacks_new();
    mongoc_apm_set_command_started_cb(callbacks, count_command);
    mongoc_client_pool_set_apm_callbacks(pool, callbacks, nullptr);
    mongoc_apm_callbacks_destroy(callbacks);
}

// Once a process, before anything else of the driver.
void start_driver() {
    static const bool is_started = [] {
        mongoc_log_set_handler(log_driver, nullptr);
        mongoc_init();
        return true;
    }();
    static_cast<void>(is_started);
}

void set(mongoc_uri_t* uri, const char* option, milliseconds value) {
    mongoc_uri_set_option_as_int32(uri, option, static_cast<std::int32_t>(value.count()));
}

// The text is never repeated in an error: it may hold a password.
[[noreturn]] void refuse_url() {
    throw Error(ErrorCode::invalid_argument,
                "The document engine's URL must be like mongodb://user:password@host:27017/database.",
                {.field = "document"});
}

Uri parse(const std::string& url) {
    start_driver();
    Uri uri(mongoc_uri_new(url.c_str()));
    if (uri == nullptr || mongoc_uri_get_database(uri.get()) == nullptr) refuse_url();
    return uri;
}

// A majority has every acknowledged write on its disks, and reads see all of them.
void demand_durability(mongoc_uri_t* uri, const Limits& limits) {
    mongoc_write_concern_t* writes = mongoc_write_concern_new();
    mongoc_write_concern_set_w(writes, MONGOC_WRITE_CONCERN_W_MAJORITY);
    mongoc_write_concern_set_journal(writes, true);
    mongoc_write_concern_set_wtimeout_int64(writes, limits.execution_max.count());
    mongoc_uri_set_write_concern(uri, writes);
    mongoc_write_concern_destroy(writes);
    mongoc_read_concern_t* reads = mongoc_read_concern_new();
    mongoc_read_concern_set_level(reads, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    mongoc_uri_set_read_concern(uri, reads);
    mongoc_read_concern_destroy(reads);
    mongoc_read_prefs_t* primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_uri_set_read_prefs_t(uri, primary);
    mongoc_read_prefs_destroy(primary);
}

}  // namespace

// ---- Outages

void Outage::check(Moment now) {
    const std::scoped_lock lock(mutex_);
    if (detail_.empty()) return;
    if (now < next_attempt_) throw ServerGone(detail_);
    next_attempt_ = now + pause_max;  // this caller tries; the others hear how it went
}

void Outage::ended() {
    const std::scoped_lock lock(mutex_);
    if (!detail_.empty()) log::info("MongoDB is back");
    detail_.clear();
    pause_ = milliseconds{0};
}

void Outage::failed(Moment begun, Moment now, const Error& error) {
    const std::scoped_lock lock(mutex_);
    if (begun < known_since_) return;
    log::warning("no connection to MongoDB", {{"detail", error.detail()}});
    detail_ = error.detail();
    known_since_ = now;
    pause_ = std::clamp(2 * pause_, pause_first, pause_max);
    next_attempt_ = now + pause_;
}

// ---- Clients

int commands_sent() {
    return commands_sent_here;
}

Clients::Clients(const std::string& url, Limits limits)
    : limits_(limits), uri_(parse(url)), database_(mongoc_uri_get_database(uri_.get())) {
    set(uri_.get(), MONGOC_URI_SERVERSELECTIONTIMEOUTMS, limits_.selection_max);
    set(uri_.get(), MONGOC_URI_CONNECTTIMEOUTMS, limits_.connect_max);
    set(uri_.get(), MONGOC_URI_SOCKETTIMEOUTMS, limits_.answer_max);
    set(uri_.get(), MONGOC_URI_HEARTBEATFREQUENCYMS, limits_.heartbeat);
    mongoc_uri_set_appname(uri_.get(), "spaktok");
    demand_durability(uri_.get(), limits_);
    pool_.reset(mongoc_client_pool_new(uri_.get()));
    if (pool_ == nullptr) refuse_url();
    mongoc_client_pool_set_error_api(pool_.get(), MONGOC_ERROR_API_VERSION_2);
    count_commands(pool_.get());
    // A lease never waits: there are no more threads than that.
    mongoc_client_pool_max_size(pool_.get(), static_cast<std::uint32_t>(limits_.connections_max));
}

Client Clients::patient_client() const {
    const Uri uri(mongoc_uri_copy(uri_.get()));
    set(uri.get(), MONGOC_URI_SOCKETTIMEOUTMS, limits_.index_max);
    Client client(mongoc_client_new_from_uri(uri.get()));
    if (client == nullptr) refuse_url();
    mongoc_client_set_error_api(client.get(), MONGOC_ERROR_API_VERSION_2);
    return client;
}

}  // namespace spaktok::document::mongo
