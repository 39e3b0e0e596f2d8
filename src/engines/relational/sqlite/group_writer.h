// The one writer of a SQLite file: commits what has queued up as one group, so that durability costs one
// fsync a group.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "base/metrics.h"
#include "engines/park.h"
#include "engines/relational/database.h"
#include "engines/relational/sqlite/connection.h"

namespace spaktok::relational::sqlite {

// Owns the write connection and the thread that uses it. A group is one transaction in which each member has
// a savepoint of its own, so that one that fails takes nothing of the others with it. Callers are resumed
// after the COMMIT.
//
// A full disk (or an I/O error) ends SQLite's whole transaction, with the savepoints of members that had
// already succeeded. That is looked for after each member, and then the members run again one by one, each
// with a commit of its own.
class GroupWriter {
  public:
    struct Options {
        std::size_t queue_members_max = 10'000;  // one more is refused: Error{unavailable} with Retry-After
        std::size_t group_members_max = 256;
        // A group that has run this long is committed, so that the first of its callers does not wait for the
        // last.
        std::chrono::milliseconds group_time_max{25};
        ConnectionLimits connection{};
    };
    GroupWriter(const std::string& file, Options options);
    ~GroupWriter();  // commits what is queued, then joins; before the callers' io_contexts are gone
    GroupWriter(const GroupWriter&) = delete;
    GroupWriter& operator=(const GroupWriter&) = delete;

    // Return once the change is durable; throw what the statement or the body threw.
    boost::asio::awaitable<Result> run(Statement statement, std::vector<Value> args);
    boost::asio::awaitable<void> run_transaction(Database::TransactionBody body);

    std::size_t queued() const { return queued_.load(); }
    bool queue_is_full() const { return queued() >= options_.queue_members_max; }

  private:
    struct Member {
        // Runs the member's statements; throws to roll them back. May be called again.
        std::function<void(Connection&)> attempt;
        bool needs_savepoint = true;
        std::exception_ptr* outcome = nullptr;  // in the parked caller's frame
        engines::Resume resume;
    };

    boost::asio::awaitable<void> submit(std::function<void(Connection&)> attempt, bool needs_savepoint);
    bool try_push(Member& member);
    void work();
    std::vector<Member> take_members();
    // Runs members from the front of `members` as one group; returns how many it took.
    std::size_t run_group(std::span<Member> members);
    // Both: false when the transaction was lost.
    bool attempt_and_commit(std::span<Member> members, std::size_t& taken);
    bool attempt_in_group(Member& member);
    void run_alone(Member& member);
    void run_body(Database::TransactionBody& body, Connection& connection);
    void commit();
    void roll_back();

    Options options_;
    Connection connection_;
    // Where transaction bodies run: polled by the writer thread, which is the only one to use it.
    boost::asio::io_context bodies_{1};
    metrics::Gauge queue_gauge_;
    metrics::Counter groups_;
    metrics::Counter members_;
    metrics::Counter broken_groups_;
    metrics::Histogram commit_seconds_;

    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<Member> queue_;
    std::atomic<std::size_t> queued_{0};  // in the queue and in the group that runs
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace spaktok::relational::sqlite
