// The connections with a MongoDB deployment, and whether it is there at the moment.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include <mongoc/mongoc.h>

#include "engines/document/mongo/failure.h"

namespace spaktok::document::mongo {

struct Limits {
    std::chrono::milliseconds selection_max{2'000};  // until a primary is found
    std::chrono::milliseconds connect_max{2'000};
    std::chrono::milliseconds heartbeat{1'000};      // between two looks at each server; 500 ms at the least
    std::chrono::milliseconds answer_max{5'000};     // of one message of the server's
    std::chrono::milliseconds execution_max{4'000};  // that the server gives a read or a write's confirmation
    std::chrono::milliseconds index_max{600'000};    // to build an index over what is stored
    std::size_t connections_max = 16;
};

// After an attempt that found no server, everyone is refused at once until the next attempt is due (100 ms
// later, doubling up to 2 s), which one caller makes for all. Thread-safe.
class Outage {
  public:
    using Moment = std::chrono::steady_clock::time_point;
    // Throws ServerGone while refused.
    void check(Moment now);
    void ended();
    // What began before the outage was known says nothing new.
    void failed(Moment begun, Moment now, const Error& error);

  private:
    std::mutex mutex_;
    std::string detail_;  // of what failed; empty where nothing did
    Moment known_since_{};
    Moment next_attempt_{};
    std::chrono::milliseconds pause_{0};
};

struct Destroy {
    void operator()(mongoc_uri_t* uri) const { mongoc_uri_destroy(uri); }
    void operator()(mongoc_client_t* client) const { mongoc_client_destroy(client); }
    void operator()(mongoc_client_pool_t* pool) const { mongoc_client_pool_destroy(pool); }
};
using Uri = std::unique_ptr<mongoc_uri_t, Destroy>;
using Client = std::unique_ptr<mongoc_client_t, Destroy>;

// How many commands this thread has sent so far, those included that the driver repeated by itself.
int commands_sent();

// Thread-safe, blocking: for the threads of a pool. Destroy it after them.
class Clients {
  public:
    // Throws Error{invalid_argument} for a URL that is none or names no database. Connects with the first
    // job.
    Clients(const std::string& url, Limits limits);

    // Runs job(mongoc_client_t&) on a connection; throws what it does, or ServerGone at once while the server
    // is known to be gone.
    template <class Job>
    auto run(Job&& job) {
        const auto begun = std::chrono::steady_clock::now();
        outage_.check(begun);
        const Lease lease(pool_.get());
        return watched(begun, [&] { return job(*lease.client); });
    }
    // The same on a connection of its own that may take as long as building an index does.
    template <class Job>
    auto run_long(Job&& job) {
        const auto begun = std::chrono::steady_clock::now();
        outage_.check(begun);
        const Client client = patient_client();
        return watched(begun, [&] { return job(*client); });
    }
    const std::string& database() const { return database_; }
    const Limits& limits() const { return limits_; }

  private:
    struct Lease {
        explicit Lease(mongoc_client_pool_t* from) : pool(from), client(mongoc_client_pool_pop(from)) {}
        ~Lease() { mongoc_client_pool_push(pool, client); }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        mongoc_client_pool_t* pool;
        mongoc_client_t* client;
    };
    template <class Work>
    auto watched(Outage::Moment begun, Work work) {
        struct End {
            Outage& outage;
            bool is_gone = false;
            ~End() {
                if (!is_gone) outage.ended();
            }
        };
        End end{outage_};
        try {
            return work();
        } catch (const ServerGone& gone) {
            end.is_gone = true;
            outage_.failed(begun, std::chrono::steady_clock::now(), gone);
            throw;
        }
    }
    Client patient_client() const;

    const Limits limits_;
    Uri uri_;
    std::string database_;
    std::unique_ptr<mongoc_client_pool_t, Destroy> pool_;
    Outage outage_;
};

}  // namespace spaktok::document::mongo
