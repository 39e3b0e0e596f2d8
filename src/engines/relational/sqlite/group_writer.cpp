#include "engines/relational/sqlite/group_writer.h"

#include <algorithm>
#include <iterator>
#include <span>

#include <boost/asio/co_spawn.hpp>
#include <pthread.h>

#include "base/assert.h"
#include "base/log.h"

namespace spaktok::relational::sqlite {

namespace {

constexpr std::string_view group_name = "group_commit";

// Statements complete without suspending: the body runs on the thread that owns the connection.
class WriterTransaction final : public Transaction {
  public:
    explicit WriterTransaction(Connection& connection) : connection_(connection) {}

    boost::asio::awaitable<Result> run(const Statement& statement, std::vector<Value> args) override {
        co_return guarded([&] { return connection_.run(statement, args); });
    }
    boost::asio::awaitable<void> run_script(std::string script) override {
        guarded([&] { connection_.execute(script, "script"); });
        co_return;
    }
    // What failed although the body went on, or nullptr.
    const std::exception_ptr& failed() const { return failed_; }

  private:
    // After an error SQLite's transaction may be gone, and what follows would commit by itself, statement by
    // statement. PostgreSQL refuses every further statement too.
    template <class Work>
    auto guarded(Work work) -> decltype(work()) {
        if (failed_) std::rethrow_exception(failed_);
        try {
            return work();
        } catch (...) {
            failed_ = std::current_exception();
            throw;
        }
    }

    Connection& connection_;
    std::exception_ptr failed_;
};

// A statement that SQLite refuses leaves nothing behind. One that this program gave up on (more rows returned
// than it takes) has been done, and only the end of the transaction undoes it.
bool undid_itself(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const ConstraintViolation&) {
        return true;
    } catch (const Error& error) {
        return error.code() != ErrorCode::internal;
    }
}

}  // namespace

GroupWriter::GroupWriter(const std::string& file, Options options)
    : options_(options),
      connection_(file, Connection::Access::write, options.connection),
      queue_gauge_(metrics::gauge("spaktok_relational_write_queue", "Writes that wait for their commit.")),
      groups_(metrics::counter("spaktok_relational_commit_groups_total",
                               "Transactions committed for a group of writes.")),
      members_(metrics::counter("spaktok_relational_commit_members_total", "Writes committed in groups.")),
      broken_groups_(metrics::counter("spaktok_relational_commit_groups_broken_total",
                                      "Groups that the database ended, whose members ran again one by one.")),
      commit_seconds_(metrics::histogram("spaktok_relational_commit_seconds", "Time of a group's COMMIT.")),
      thread_([this] { work(); }) {
    pthread_setname_np(thread_.native_handle(), "sqlite-writer");
}

GroupWriter::~GroupWriter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    ready_.notify_one();
    thread_.join();
}

boost::asio::awaitable<Result> GroupWriter::run(Statement statement, std::vector<Value> args) {
    Result result;
    // A statement that fails undoes itself, so it needs no savepoint.
    co_await submit([&](Connection& connection) { result = connection.run(statement, args); }, false);
    co_return result;
}

boost::asio::awaitable<void> GroupWriter::run_transaction(Database::TransactionBody body) {
    co_await submit([&](Connection& connection) { run_body(body, connection); }, true);
}

boost::asio::awaitable<void> GroupWriter::submit(std::function<void(Connection&)> attempt,
                                                 bool needs_savepoint) {
    std::exception_ptr outcome;
    co_await engines::park([&](engines::Resume resume) {
        Member member{std::move(attempt), needs_savepoint, &outcome, std::move(resume)};
        if (try_push(member)) return;
        outcome = std::make_exception_ptr(
            Error(ErrorCode::unavailable, "The server has more to write than it can; try again in a moment.",
                  {.detail = "the write queue is full", .retry_after = std::chrono::seconds{1}}));
        member.resume();
    });
    if (outcome) std::rethrow_exception(outcome);
}

bool GroupWriter::try_push(Member& member) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || queue_is_full()) return false;
        queue_.push_back(std::move(member));
        ++queued_;
    }
    ready_.notify_one();
    return true;
}

void GroupWriter::work() {
    while (true) {
        auto members = take_members();
        if (members.empty()) return;
        std::span<Member> left(members);
        while (!left.empty()) {
            const auto done = run_group(left);
            for (auto& member : left.first(done)) {
                // Counted out first, so that a caller that goes on at once finds its place free.
                --queued_;
                std::exchange(member.resume, nullptr)();
            }
            left = left.subspan(done);
        }
        queue_gauge_.set(static_cast<double>(queued()));
    }
}

std::vector<GroupWriter::Member> GroupWriter::take_members() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), options_.group_members_max));
    std::vector<Member> members(std::make_move_iterator(queue_.begin()),
                                std::make_move_iterator(queue_.begin() + count));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    return members;
}

std::size_t GroupWriter::run_group(std::span<Member> members) {
    groups_.add();
    if (members.size() == 1) {
        run_alone(members[0]);
        members_.add();
        return 1;
    }
    try {
        connection_.execute("BEGIN IMMEDIATE", group_name);
    } catch (...) {
        // Another process kept the write lock for the whole busy_time_max: waiting as long again for each
        // would help nobody.
        for (auto& member : members)
            *member.outcome = std::current_exception();
        return members.size();
    }
    std::size_t taken = 0;
    if (!attempt_and_commit(members, taken)) {
        roll_back();
        broken_groups_.add();
        for (auto& member : members.first(taken))
            run_alone(member);
    }
    members_.add(static_cast<double>(taken));
    return taken;
}

bool GroupWriter::attempt_and_commit(std::span<Member> members, std::size_t& taken) {
    const auto started = std::chrono::steady_clock::now();
    while (taken < members.size()) {
        if (!attempt_in_group(members[taken++])) return false;
        if (std::chrono::steady_clock::now() - started > options_.group_time_max) break;
    }
    try {
        commit();
    } catch (const Error& error) {
        log::warning("a group of writes was not committed", {{"members", taken}, {"detail", error.detail()}});
        return false;
    }
    return true;
}

bool GroupWriter::attempt_in_group(Member& member) {
    *member.outcome = nullptr;
    try {
        if (member.needs_savepoint) connection_.execute("SAVEPOINT member", group_name);
        try {
            member.attempt(connection_);
        } catch (...) {
            *member.outcome = std::current_exception();
        }
        if (!connection_.in_transaction()) return false;
        if (!member.needs_savepoint) return !*member.outcome || undid_itself(*member.outcome);
        if (*member.outcome) connection_.execute("ROLLBACK TO member", group_name);
        connection_.execute("RELEASE member", group_name);
    } catch (const Error& error) {
        log::error("a savepoint failed", {{"detail", error.detail()}});
        return false;
    }
    return connection_.in_transaction();
}

void GroupWriter::run_alone(Member& member) {
    *member.outcome = nullptr;
    try {
        connection_.execute("BEGIN IMMEDIATE", group_name);
        member.attempt(connection_);
        commit();
    } catch (...) {
        *member.outcome = std::current_exception();
        roll_back();
    }
}

void GroupWriter::run_body(Database::TransactionBody& body, Connection& connection) {
    WriterTransaction transaction(connection);
    bool finished = false;
    std::exception_ptr thrown;
    boost::asio::co_spawn(bodies_, body(transaction), [&](std::exception_ptr error) {
        finished = true;
        thrown = error;
    });
    bodies_.restart();
    bodies_.poll();
    // A body that waits for anything but its transaction would hold up every other writer.
    SPAKTOK_ASSERT(finished);
    if (thrown) std::rethrow_exception(thrown);
    if (transaction.failed()) std::rethrow_exception(transaction.failed());
}

void GroupWriter::commit() {
    const auto started = std::chrono::steady_clock::now();
    connection_.execute("COMMIT", group_name);
    commit_seconds_.observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
}

void GroupWriter::roll_back() {
    if (!connection_.in_transaction()) return;
    try {
        connection_.execute("ROLLBACK", group_name);
    } catch (const Error& error) {
        log::error("a rollback failed", {{"detail", error.detail()}});
    }
}

}  // namespace spaktok::relational::sqlite
