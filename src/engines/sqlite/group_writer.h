// The one writer of a SQLite file: what has queued up is committed as one group, so that durability costs one
// fsync a group and not one a caller.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/park.h"
#include "engines/sqlite/connection.h"

namespace spaktok::sqlite {

// Owns a thread and the connection that it writes with.
class GroupWriter {
  public:
    struct Options {
        std::string name;                     // of the thread, and in the error when the queue is full
        std::size_t queue_jobs_max = 10'000;  // one more is refused: Error{unavailable} with Retry-After
        std::size_t group_jobs_max = 512;     // bounds how long the first of a group waits for the last
    };
    GroupWriter(Connection connection, Options options);
    ~GroupWriter();  // stop()
    GroupWriter(const GroupWriter&) = delete;
    GroupWriter& operator=(const GroupWriter&) = delete;

    // Runs `body` (Connection&) on the writer's thread inside the group's transaction; what it throws undoes
    // it alone and is thrown to its caller. Then, once the group is on the disk, `committed` (Result&, or
    // nothing for void) on the same thread, in the order of the bodies and before any later group begins;
    // then the caller is resumed on its own executor. `body` may run more than once (a full disk ends a
    // group, whose members then run one by one) and must leave nothing behind but what it wrote to the
    // connection. Cancelling the caller does not take the job back.
    template <class Body, class Committed>
    boost::asio::awaitable<std::invoke_result_t<Body, Connection&>> run(Body body, Committed committed) {
        using Result = std::invoke_result_t<Body, Connection&>;
        auto job = std::make_shared<BodyJob<Body, Committed>>(std::move(body), std::move(committed));
        co_await engines::park([this, job](engines::Resume resume) {
            job->resume = std::move(resume);
            if (enqueue(job)) return;
            job->error = std::make_exception_ptr(queue_full());
            std::exchange(job->resume, nullptr)();
        });
        // Taken out of the job, which the writer may let go of last: the error ends on the caller's thread.
        if (job->error) std::rethrow_exception(std::exchange(job->error, nullptr));
        if constexpr (!std::is_void_v<Result>) co_return std::move(*job->result);
    }
    template <class Body>
    boost::asio::awaitable<std::invoke_result_t<Body, Connection&>> run(Body body) {
        if constexpr (std::is_void_v<std::invoke_result_t<Body, Connection&>>) {
            return run(std::move(body), [] {});
        } else {
            return run(std::move(body), [](auto&) {});
        }
    }
    // The same for a caller that cannot suspend (start and stop): blocks until it is on the disk.
    void run_blocking(std::function<void(Connection&)> body);

    // Commits what is queued, refuses what comes later, and returns when the thread has ended. Once, and not
    // from the thread.
    void stop();

    std::size_t queued() const;

  private:
    struct Job {
        virtual ~Job() = default;
        virtual void attempt(Connection& connection) = 0;
        virtual void on_committed() = 0;
        std::exception_ptr error;
        std::function<void()> resume;
    };
    template <class Body, class Committed>
    struct BodyJob final : Job {
        using Result = std::invoke_result_t<Body, Connection&>;
        BodyJob(Body work, Committed after) : body(std::move(work)), committed(std::move(after)) {}
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

    bool enqueue(std::shared_ptr<Job> job);
    Error queue_full() const;
    void work();
    bool take(Group& group);
    void commit(const Group& group);
    bool commit_together(const Group& group);
    void commit_alone(Job& job);
    void run_member(Job& job);
    void roll_back();
    static void finish(const Group& group);

    Connection connection_;
    Options options_;
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::shared_ptr<Job>> queue_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace spaktok::sqlite
