// Reads of a SQLite file beside its writer: threads of their own, each job on a connection of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/worker_pool.h"
#include "engines/sqlite/connection.h"

namespace spaktok::sqlite {

// The file must be there already.
class ReaderPool {
  public:
    // As many connections as the pool has threads, so that a thread always finds one.
    ReaderPool(const Connection::Options& connection, WorkerPool::Options options);

    // Runs `job` (Connection&) on one of the threads and resumes the caller on its own executor. It sees what
    // was committed before. Throws what the job throws, and Error{unavailable} when the queue is full.
    template <class Job>
    boost::asio::awaitable<std::invoke_result_t<Job, Connection&>> run(Job job) {
        return pool_.run([this, work = std::move(job)]() mutable {
            const Lease lease(*this);
            return work(*lease.connection);
        });
    }

  private:
    struct Lease {
        explicit Lease(ReaderPool& from) : owner(from), connection(from.take()) {}
        ~Lease() { owner.give_back(std::move(connection)); }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ReaderPool& owner;
        std::unique_ptr<Connection> connection;
    };
    std::unique_ptr<Connection> take();
    void give_back(std::unique_ptr<Connection> connection);

    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;
    WorkerPool pool_;  // last: its threads end before what they use
};

}  // namespace spaktok::sqlite
