// What the features' tests share: the embedded engines in a folder of their own (or PostgreSQL for the
// relational one, where SPAKTOK_TEST_RELATIONAL=postgres, MongoDB for the document one, where
// SPAKTOK_TEST_DOCUMENT=mongo, and Redis for the realtime one, where SPAKTOK_TEST_REALTIME=redis: ./test runs
// them all ways), a clock that stands still, and the services over them. Requests go through the router's
// handlers with the checks that the server makes before them.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engines/document/collection.h"
#include "engines/document/mongo/test_server.h"
#include "engines/realtime/redis/test_server.h"
#include "engines/relational/postgres/test_server.h"
#include "engines/testing/testing.h"
#include "features/accounts/account_routes.h"
#include "features/accounts/account_service.h"
#include "features/events/events.h"
#include "features/graph/graph_routes.h"
#include "features/graph/graph_service.h"
#include "features/media_files/media_routes.h"
#include "http/router.h"
#include "http/sessions.h"

namespace spaktok::features_testing {

using engines::testing::eventually;
using engines::testing::run;

// What went wrong, as a client sees it: "conflict username_taken username". Empty where nothing did.
std::string failure_of(const std::function<void()>& work);
template <class T>
std::string failure_of(boost::asio::awaitable<T> work) {
    return failure_of([&] { run(std::move(work)); });
}

struct Answer {
    unsigned status = 0;
    json::Value body;  // null where it is no JSON
    std::string bytes;
    http::Headers headers;

    std::string header(std::string_view name) const { return std::string(headers.get(name).value_or("")); }
    // "409 /problems/username_taken username": status, type and field of a problem.
    std::string problem() const;
};

// What a request has besides method and path.
struct RequestParts {
    std::optional<http::Session> session{};
    std::optional<json::Value> json{};
    std::string body{};
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string remote_address = "203.0.113.7";
};

// What outlives a world: its engines' data. Empty at first, removed when destroyed.
class Places {
  public:
    Places();
    ~Places();
    Places(const Places&) = delete;
    Places& operator=(const Places&) = delete;

    std::string relational_url() const;
    std::string document_url() const;
    // The engine goes by the clock from now on.
    std::string realtime_url(engines::testing::LeadingClock& clock) const;
    std::string blob_url() const;

  private:
    std::filesystem::path folder_;
    std::unique_ptr<relational::postgres::TestSchema> schema_;  // where the tests run on PostgreSQL
    std::unique_ptr<document::mongo::TestDatabase> documents_;  // where they run on MongoDB
    std::unique_ptr<realtime::redis::RedisPlace> redis_;        // where they run on Redis
};

class World {
  public:
    struct Options {
        accounts::Registration registration = accounts::Registration::open;
        std::string media_base_url{};
        Places* places = nullptr;  // where another world was; its own where none is given
    };
    World();
    explicit World(Options options);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // `path` may have a query.
    Answer call(http::Method method, std::string path, RequestParts parts);
    Answer call(http::Method method, std::string path) {
        return call(method, std::move(path), RequestParts{});
    }

    // An account with that name, `<name>@example.org` and `password`.
    accounts::Account add_user(const std::string& username, accounts::Role role = accounts::Role::user);
    http::Session sign_in(UserId user, const std::string& device = "test");
    // The document engine, empty at first; close what it returns before the world ends.
    std::unique_ptr<document::Store> open_documents();
    // The number of events that wait in the outbox.
    std::int64_t outbox_size();

    static constexpr const char* password = "correct horse battery";

  private:
    std::unique_ptr<Places> own_places_;
    const Places& places_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    std::thread thread_;

  public:
    engines::testing::LeadingClock clock;
    SeededRandom random{1};
    std::unique_ptr<relational::Database> database;
    std::unique_ptr<realtime::Engine> realtime;
    std::unique_ptr<blob::BlobStore> blobs;
    http::Sessions sessions;
    accounts::PasswordHasher passwords;
    accounts::Service accounts;
    events::Dispatcher events;  // on a thread of its own; a test that wants delivery starts it
    graph::Service graph;
    http::Router router;
    json::Value live_stream{nullptr};  // of everyone, as profiles show it
    std::unordered_set<UserId> live_users{};

    boost::asio::any_io_executor executor() { return context_.get_executor(); }
};

}  // namespace spaktok::features_testing
