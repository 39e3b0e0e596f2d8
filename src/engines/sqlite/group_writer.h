// The one writer of a SQLite file: what has queued up is committed as one group, so that durability costs one
// fsync a group and not one a caller.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/metrics.h"
#include "base/park.h"
#include "engines/sqlite/connection.h"

namespace spaktok::sqlite {

// Owns a thread and the connection that it writes with. A group is one transaction in which each member has a
// savepoint of its own, so that one that fails takes nothing of the others with it.
//
// A full disk (or an I/O error) ends SQLite's whole transaction, with the savepoints of members that had
// already succeeded. That is looked for after each member, and then the members run again one by one, each
// with a commit of its own.
class GroupWriter {
  public:
    struct Options {
        std::string name;                     // of the thread, in the metrics, and in errors
        std::size_t queue_jobs_max = 10'000;  // one more is refused: Error{unavailable} with Retry-After
        std::size_t group_jobs_max = 512;
        // A group that has run this long is committed, so that the first of its callers does not wait for the
        // last.
        std::chrono::milliseconds group_time_max{25};
    };
    GroupWriter(Connection connection, Options options);
    ~GroupWriter();  // stop()
    GroupWriter(const GroupWriter&) = delete;
    GroupWriter& operator=(const GroupWriter&) = delete;

    // What undoes a member of a group that throws. `itself`: its one statement, as SQLite undoes what it
    // refuses, which saves a third of the work of a small write.
    enum class Undo { by_savepoint, itself };

    // Runs `body` (Connection&) on the writer's thread inside the group's transaction; what it throws undoes
    // it alone and is thrown to its caller. Then, once the group is on the disk, `committed` (Result&, or
    // nothing for void) on the same thread, in the order of the bodies and before any later group begins;
    // then the caller is resumed on its own executor. `body` may run more than once (a full disk ends a
    // group, whose members then run one by one) and must leave nothing behind but what it wrote to the
    // connection. Cancelling the caller does not take the job back.
    template <class Body, class Committed>
    boost::asio::awaitable<std::invoke_result_t<Body, Connection&>> run(Body body, Committed committed,
                                                                        Undo undo = Undo::by_savepoint) {
        using Result = std::invoke_result_t<Body, Connection&>;
        auto job = std::make_shared<BodyJob<Body, Committed>>(undo, std::move(body), std::move(committed));
        co_await submit(job);
        if constexpr (!std::is_void_v<Result>) co_return std::move(*job->result);
    }
    template <class Body>
    boost::asio::awaitable<std::invoke_result_t<Body, Connection&>> run(Body body,
                                                                        Undo undo = Undo::by_savepoint) {
        if constexpr (std::is_void_v<std::invoke_result_t<Body, Connection&>>) {
            return run(std::move(body), [] {}, undo);
        } else {
            return run(std::move(body), [](auto&) {}, undo);
        }
    }
    // The same for a caller that cannot suspend (start and stop): blocks until it is on the disk.
    void run_blocking(std::function<void(Connection&)> body);

    // Has the write-ahead log cut to nothing after the group that runs, and returns at once. For after a
    // large deletion: what was deleted, if it was secret, is then in the log no more either.
    void truncate_log();

    // Commits what is queued, refuses what comes later, and returns when the thread has ended. Once, and not
    // from the thread.
    void stop();

    // Jobs that wait, without the group that runs.
    std::size_t queued() const;
    bool queue_is_full() const { return queued() >= options_.queue_jobs_max; }

  private:
    struct Job {
        explicit Job(Undo how) : undo(how) {}
        virtual ~Job() = default;
        virtual void attempt(Connection& connection) = 0;
        virtual void on_committed() = 0;
        Undo undo;
        std::exception_ptr error;
        Resume resume;
    };
    template <class Body, class Committed>
    struct BodyJob final : Job {
        using Result = std::invoke_result_t<Body, Connection&>;
        BodyJob(Undo how, Body work, Committed after)
            : Job(how), body(std::move(work)), committed(std::move(after)) {}
        void attempt(Connection& connection) override {
            if constexpr (std::is_void_v<Result>) {
                body(connection);
            } else {
                result.emplace(body(connection));
            }
        }
        void on_committed() override {
            if constexpr (std::is_void_v<Result>) {
                committed();
            } else {
                committed(*result);
            }
        }
        Body body;
        Committed committed;
        std::conditional_t<std::is_void_v<Result>, bool, std::optional<Result>> result{};
    };
    using Group = std::vector<std::shared_ptr<Job>>;
    using Members = std::span<const std::shared_ptr<Job>>;

    // Returns once the job is committed; throws its error.
    boost::asio::awaitable<void> submit(std::shared_ptr<Job> job);
    bool enqueue(std::shared_ptr<Job> job);
    Error queue_full() const;
    void work();
    // False where there is nothing left to do and never will be.
    bool take(Group& group);
    // Runs members from the front as one group; returns how many it took.
    std::size_t commit(Members members);
    // Both: false where the transaction did not hold, so that nothing was written.
    bool commit_together(Members members, std::size_t& taken);
    bool attempt_in_group(Job& job);
    void commit_alone(Job& job);
    void end_transaction();
    void roll_back();
    void truncate_log_if_wanted();
    static void finish(Members members);

    Connection connection_;
    Options options_;
    metrics::Gauge queue_gauge_;
    metrics::Counter groups_;
    metrics::Counter members_;
    metrics::Counter broken_groups_;
    metrics::Histogram commit_seconds_;

    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::shared_ptr<Job>> queue_;
    bool truncation_wanted_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace spaktok::sqlite
