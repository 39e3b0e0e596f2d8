#include "engines/sqlite/group_writer.h"

#include <algorithm>
#include <future>

#include <pthread.h>

#include "base/log.h"

namespace spaktok::sqlite {

GroupWriter::GroupWriter(Connection connection, Options options)
    : connection_(std::move(connection)), options_(std::move(options)) {
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
    auto job = std::make_shared<BodyJob<std::function<void(Connection&)>, decltype(nothing)>>(std::move(body),
                                                                                              nothing);
    job->resume = [&done] { done.set_value(); };
    if (!enqueue(job)) throw queue_full();
    done.get_future().wait();
    if (job->error) std::rethrow_exception(std::exchange(job->error, nullptr));
}

void GroupWriter::work() {
    Group group;
    while (take(group)) {
        commit(group);
        finish(group);
        group.clear();
    }
}

bool GroupWriter::take(Group& group) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    const std::size_t count = std::min(queue_.size(), options_.group_jobs_max);
    for (std::size_t i = 0; i < count; ++i) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    return !group.empty();
}

void GroupWriter::commit(const Group& group) {
    try {
        connection_.run("BEGIN IMMEDIATE");
    } catch (const Failure& failure) {
        // The file is not to be had (another process holds it, the disk is gone): trying each member would
        // multiply the wait.
        for (const auto& job : group)
            job->error = std::make_exception_ptr(failure);
        return;
    }
    if (commit_together(group)) return;
    for (const auto& job : group) {
        job->error = nullptr;
        commit_alone(*job);
    }
}

// False where the transaction did not hold: nothing was written, and the members are to be run one by one.
bool GroupWriter::commit_together(const Group& group) {
    try {
        for (const auto& job : group) {
            run_member(*job);
            // A full disk or an I/O error ends the transaction, and with it what earlier members released.
            if (!connection_.in_transaction()) return false;
        }
        connection_.run("COMMIT");
        return true;
    } catch (const Failure& failure) {
        roll_back();
        log::warning("a group of writes failed; its members are tried one by one",
                     {{"writer", options_.name}, {"members", group.size()}, {"error", failure.detail()}});
        return false;
    }
}

void GroupWriter::run_member(Job& job) {
    connection_.run("SAVEPOINT member");
    try {
        job.attempt(connection_);
    } catch (...) {
        job.error = std::current_exception();
        if (!connection_.in_transaction()) return;
        connection_.run("ROLLBACK TO member");
    }
    connection_.run("RELEASE member");
}

void GroupWriter::commit_alone(Job& job) {
    try {
        connection_.run("BEGIN IMMEDIATE");
        job.attempt(connection_);
        connection_.run("COMMIT");
    } catch (...) {
        job.error = std::current_exception();
        roll_back();
    }
}

void GroupWriter::roll_back() {
    try {
        if (connection_.in_transaction()) connection_.run("ROLLBACK");
    } catch (const Failure& failure) {
        log::error("a rollback failed", {{"writer", options_.name}, {"error", failure.detail()}});
    }
}

void GroupWriter::finish(const Group& group) {
    for (const auto& job : group) {
        if (!job->error) job->on_committed();
    }
    for (const auto& job : group) {
        std::exchange(job->resume, nullptr)();
    }
}

}  // namespace spaktok::sqlite
