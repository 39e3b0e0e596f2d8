#include "engines/sqlite/group_writer.h"

#include <algorithm>
#include <future>

#include <pthread.h>

#include "base/log.h"

namespace spaktok::sqlite {

GroupWriter::GroupWriter(Connection connection, Options options)
    : connection_(std::move(connection)),
      options_(std::move(options)),
      queue_gauge_(metrics::gauge("spaktok_sqlite_write_queue", "Writes that wait for their commit.",
                                  {{"writer", options_.name}})),
      groups_(metrics::counter("spaktok_sqlite_commit_groups_total",
                               "Transactions committed for a group of writes.", {{"writer", options_.name}})),
      members_(metrics::counter("spaktok_sqlite_commit_members_total", "Writes committed in groups.",
                                {{"writer", options_.name}})),
      broken_groups_(metrics::counter("spaktok_sqlite_commit_groups_broken_total",
                                      "Groups that the database ended, whose members ran again one by one.",
                                      {{"writer", options_.name}})),
      commit_seconds_(metrics::histogram("spaktok_sqlite_commit_seconds", "Time of a group's COMMIT.",
                                         {{"writer", options_.name}})) {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(),
                           options_.name.substr(0, 15).c_str());  // Linux refuses longer names
        work();
    });
}

GroupWriter::~GroupWriter() {
    stop();
}

void GroupWriter::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    ready_.notify_all();
    if (thread_.joinable()) thread_.join();
}

boost::asio::awaitable<void> GroupWriter::submit(std::shared_ptr<Job> job) {
    co_await park([&](Resume resume) {
        job->resume = std::move(resume);
        if (enqueue(job)) return;
        job->error = std::make_exception_ptr(queue_full());
        std::exchange(job->resume, nullptr)();
    });
    // Taken out of the job, which the writer may let go of last: the error ends on the caller's thread.
    if (job->error) std::rethrow_exception(std::exchange(job->error, nullptr));
}

bool GroupWriter::enqueue(std::shared_ptr<Job> job) {
    {
        const std::scoped_lock lock(mutex_);
        if (stopping_ || queue_.size() >= options_.queue_jobs_max) return false;
        queue_.push_back(std::move(job));
    }
    ready_.notify_one();
    return true;
}

Error GroupWriter::queue_full() const {
    return Error(ErrorCode::unavailable, "The server is busy. Try again in a moment.",
                 {.reason = "busy",
                  .detail = options_.name + ": queue full or stopped",
                  .retry_after = std::chrono::seconds(1)});
}

std::size_t GroupWriter::queued() const {
    const std::scoped_lock lock(mutex_);
    return queue_.size();
}

void GroupWriter::run_blocking(std::function<void(Connection&)> body) {
    std::promise<void> done;
    const auto nothing = [] {};
    auto job = std::make_shared<BodyJob<std::function<void(Connection&)>, decltype(nothing)>>(
        Undo::by_savepoint, std::move(body), nothing);
    job->resume = [&done] { done.set_value(); };
    if (!enqueue(job)) throw queue_full();
    done.get_future().wait();
    if (job->error) std::rethrow_exception(std::exchange(job->error, nullptr));
}

void GroupWriter::truncate_log() {
    {
        const std::scoped_lock lock(mutex_);
        truncation_wanted_ = true;
    }
    ready_.notify_one();
}

void GroupWriter::work() {
    Group group;
    while (take(group)) {
        Members left(group);
        while (!left.empty()) {
            const auto done = commit(left);
            finish(left.first(done));
            left = left.subspan(done);
        }
        group.clear();
        truncate_log_if_wanted();
        queue_gauge_.set(static_cast<double>(queued()));
    }
}

bool GroupWriter::take(Group& group) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return stopping_ || truncation_wanted_ || !queue_.empty(); });
    const std::size_t count = std::min(queue_.size(), options_.group_jobs_max);
    for (std::size_t i = 0; i < count; ++i) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    return !group.empty() || truncation_wanted_;
}

std::size_t GroupWriter::commit(Members members) {
    groups_.add();
    if (members.size() == 1) {
        commit_alone(*members.front());
        members_.add();
        return 1;
    }
    try {
        connection_.run("BEGIN IMMEDIATE");
    } catch (const Failure& failure) {
        // The file is not to be had (another process holds it, the disk is gone): trying each member would
        // multiply the wait.
        for (const auto& job : members)
            job->error = std::make_exception_ptr(failure);
        return members.size();
    }
    std::size_t taken = 0;
    if (!commit_together(members, taken)) {
        roll_back();
        broken_groups_.add();
        for (const auto& job : members.first(taken))
            commit_alone(*job);
    }
    members_.add(static_cast<double>(taken));
    return taken;
}

bool GroupWriter::commit_together(Members members, std::size_t& taken) {
    const auto started = std::chrono::steady_clock::now();
    try {
        while (taken < members.size()) {
            if (!attempt_in_group(*members[taken++])) return false;
            if (std::chrono::steady_clock::now() - started > options_.group_time_max) break;
        }
        end_transaction();
        return true;
    } catch (const Failure& failure) {
        log::warning("a group of writes failed; its members are tried one by one",
                     {{"writer", options_.name}, {"members", taken}, {"error", failure.detail()}});
        return false;
    }
}

bool GroupWriter::attempt_in_group(Job& job) {
    const bool has_savepoint = job.undo == Undo::by_savepoint;
    const auto changes_before = connection_.total_changes();
    if (has_savepoint) connection_.run("SAVEPOINT member");
    try {
        job.attempt(connection_);
    } catch (...) {
        job.error = std::current_exception();
    }
    // A full disk or an I/O error ends the transaction, and with it what earlier members released.
    if (!connection_.in_transaction()) return false;
    // A statement that this program gave up on (more rows returned than it takes) was done all the same.
    if (!has_savepoint) return !job.error || connection_.total_changes() == changes_before;
    if (job.error) connection_.run("ROLLBACK TO member");
    connection_.run("RELEASE member");
    return true;
}

void GroupWriter::commit_alone(Job& job) {
    job.error = nullptr;
    try {
        connection_.run("BEGIN IMMEDIATE");
        job.attempt(connection_);
        end_transaction();
    } catch (...) {
        job.error = std::current_exception();
        roll_back();
    }
}

void GroupWriter::end_transaction() {
    const auto started = std::chrono::steady_clock::now();
    connection_.run("COMMIT");
    commit_seconds_.observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
}

void GroupWriter::roll_back() {
    try {
        if (connection_.in_transaction()) connection_.run("ROLLBACK");
    } catch (const Failure& failure) {
        log::error("a rollback failed", {{"writer", options_.name}, {"error", failure.detail()}});
    }
}

void GroupWriter::truncate_log_if_wanted() {
    {
        const std::scoped_lock lock(mutex_);
        if (!std::exchange(truncation_wanted_, false)) return;
    }
    try {
        connection_.truncate_log();
    } catch (const Failure& failure) {
        log::warning("the write-ahead log could not be cut",
                     {{"writer", options_.name}, {"error", failure.detail()}});
    }
}

void GroupWriter::finish(Members members) {
    for (const auto& job : members) {
        if (!job->error) job->on_committed();
    }
    for (const auto& job : members) {
        std::exchange(job->resume, nullptr)();
    }
}

}  // namespace spaktok::sqlite
