#include <boost/json/parse.hpp>
#include <stdlib.h>

#include "base/log.h"
#include "engines/relational/migrations.h"
#include "features/testing/world.h"

namespace spaktok::features_testing {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr relational::Statement count_outbox{.name = "test_count_outbox",
                                             .sql = "SELECT count(*) AS n FROM outbox"};

fs::path new_folder() {
    std::string pattern = (fs::temp_directory_path() / "spaktok-features-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    return pattern;
}

bool is_wanted(const char* variable, std::string_view engine) {
    const char* wanted = std::getenv(variable);
    return wanted != nullptr && wanted == engine;
}

std::unique_ptr<relational::postgres::TestSchema> make_schema() {
    if (!is_wanted("SPAKTOK_TEST_RELATIONAL", "postgres")) return nullptr;
    return std::make_unique<relational::postgres::TestSchema>();
}

std::unique_ptr<document::mongo::TestDatabase> make_document_place() {
    if (!is_wanted("SPAKTOK_TEST_DOCUMENT", "mongo")) return nullptr;
    return std::make_unique<document::mongo::TestDatabase>();
}

std::unique_ptr<relational::Database> open_database(const std::string& url) {
    log::configure({.level = log::Level::error});  // what a test provokes would drown what it says
    auto database = relational::open(url, {});
    run(relational::migrate(*database, SystemClock().now()));
    return database;
}

}  // namespace

std::string failure_of(const std::function<void()>& work) {
    try {
        work();
        return "";
    } catch (const Error& error) {
        std::string text(to_string(error.code()));
        if (!error.reason().empty()) text += " " + error.reason();
        if (!error.field().empty()) text += " " + error.field();
        return text;
    }
}

std::string Answer::problem() const {
    std::string text = std::to_string(status);
    if (!body.is_object()) return text;
    if (const auto* type = body.get_object().if_contains("type"))
        text += " " + std::string(type->as_string());
    if (const auto* field = body.get_object().if_contains("field"))
        text += " " + std::string(field->as_string());
    return text;
}

Places::Places()
    : folder_(new_folder()),
      schema_(make_schema()),
      documents_(make_document_place()),
      redis_(realtime::redis::RedisPlace::if_wanted()) {}

Places::~Places() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

std::string Places::relational_url() const {
    return schema_ ? schema_->url() : "sqlite:" + (folder_ / "spaktok.db").string();
}

std::string Places::document_url() const {
    return documents_ ? documents_->url() : "sqlite:" + (folder_ / "documents.db").string();
}

std::string Places::realtime_url(engines::testing::LeadingClock& clock) const {
    if (!redis_) return "local:" + (folder_ / "realtime.db").string();
    redis_->follow(clock);
    return redis_->url();
}

std::string Places::blob_url() const {
    return "file:" + (folder_ / "media").string();
}

World::World() : World(Options{}) {}

World::World(Options options)
    : own_places_(options.places ? nullptr : std::make_unique<Places>()),
      places_(options.places ? *options.places : *own_places_),
      guard_(asio::make_work_guard(context_)),
      thread_([this] { context_.run(); }),
      clock(*parse_rfc3339("2026-01-31T08:00:00Z")),
      database(open_database(places_.relational_url())),
      realtime(realtime::open(places_.realtime_url(clock),
                              {.node_id = "test", .clock = &clock, .random = &random})),
      blobs(blob::open(places_.blob_url())),
      sessions(realtime->key_values(), clock, random, {.public_url = "http://127.0.0.1"}),
      // As cheap as Argon2id can be: these tests are not about its cost.
      passwords({.passes = 1, .memory_bytes = 8192}),
      accounts({.database = *database,
                .realtime = *realtime,
                .blobs = *blobs,
                .sessions = sessions,
                .passwords = passwords,
                .clock = clock,
                .random = random,
                .process_picture = accounts::make_picture_processor(),
                .registration = options.registration,
                .media_base_url = options.media_base_url}),
      events({.database = *database, .clock = clock, .executor = context_.get_executor()}),
      graph(
          {.database = *database, .accounts = accounts, .events = events, .clock = clock, .random = random}) {
    accounts::add_routes(router, accounts, sessions);
    accounts::add_instance_route(router, accounts,
                                 {.name = "Test", .version = "1", .rtmp_url = "rtmp://h/live"});
    media_files::add_routes(router, *blobs);
    graph::add_routes(
        router, graph, accounts,
        {.live_stream = [this](UserId, std::optional<UserId>) -> asio::awaitable<json::Value> {
             co_return live_stream;
         },
         .live_among = [this](std::vector<UserId> users) -> asio::awaitable<std::unordered_set<UserId>> {
             std::unordered_set<UserId> live;
             for (const auto& user : users) {
                 if (live_users.contains(user)) live.insert(user);
             }
             co_return live;
         }});
}

World::~World() {
    run(events.stop());
    run(realtime->stop());
    guard_.reset();
    context_.stop();
    thread_.join();
    database.reset();
    realtime.reset();
}

Answer World::call(http::Method method, std::string path, RequestParts parts) {
    http::Request request;
    request.method = method;
    const auto question = path.find('?');
    request.path = path.substr(0, question);
    if (question != std::string::npos) request.raw_query = path.substr(question + 1);
    request.id = "test";
    request.remote_address = parts.remote_address;
    request.session = parts.session;
    request.body = std::move(parts.body);
    if (parts.json) {
        request.body = boost::json::serialize(*parts.json);
        request.headers.set("Content-Type", "application/json");
    }
    for (const auto& [name, value] : parts.headers)
        request.headers.set(name, value);
    const auto match = router.find(method, request.path);
    request.path_params = match.params;
    http::Response response;
    try {
        if (match.route == nullptr) throw Error(ErrorCode::not_found, "");
        const auto& options = match.route->options;
        if (options.access == http::Access::signed_in && !request.session)
            throw Error(ErrorCode::unauthenticated, "");
        if (request.body.size() > options.body_bytes_max) throw Error(ErrorCode::payload_too_large, "");
        response = run(match.route->handler(request));
    } catch (const Error& error) {
        response = http::problem(error, request.id);
    }
    Answer answer{
        .status = response.status, .body = nullptr, .bytes = response.body, .headers = response.headers};
    for (const auto& part : response.shared_body)
        answer.bytes += part.text();
    if (answer.header("Content-Type").find("json") != std::string::npos)
        answer.body = boost::json::parse(answer.bytes);
    return answer;
}

accounts::Account World::add_user(const std::string& username, accounts::Role role) {
    clock.advance(std::chrono::milliseconds{1});
    return run(accounts.create_user(
        {.username = username, .email = username + "@example.org", .password = password}, role));
}

http::Session World::sign_in(UserId user, const std::string& device) {
    return run(sessions.create(user, device)).session;
}

std::unique_ptr<document::Store> World::open_documents() {
    return document::open(places_.document_url());
}

std::int64_t World::outbox_size() {
    return run(database->query(count_outbox))[0].get<std::int64_t>("n");
}

}  // namespace spaktok::features_testing
