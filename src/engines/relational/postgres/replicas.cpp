#include "engines/relational/postgres/replicas.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "engines/relational/postgres/failure.h"

namespace spaktok::relational::postgres {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// On the disk, not merely written: a primary sends its replicas nothing else, and acknowledges nothing else.
constexpr Statement primary_position{
    .name = "primary_position",
    .sql = "SELECT CAST(pg_current_wal_flush_lsn() - CAST('0/0' AS pg_lsn) AS BIGINT) AS position",
    .mode = Mode::point_read};
// NULL on a server that is no replica, or no longer.
constexpr Statement replica_position{
    .name = "replica_position",
    .sql =
        "SELECT CASE WHEN pg_is_in_recovery() THEN "
        "CAST(pg_last_wal_replay_lsn() - CAST('0/0' AS pg_lsn) AS BIGINT) END AS position",
    .mode = Mode::point_read};
// A primary and its replicas share it. Positions of others' logs mean nothing.
constexpr Statement system_identifier{
    .name = "system_identifier",
    .sql = "SELECT CAST(system_identifier AS TEXT) AS system FROM pg_control_system()",
    .mode = Mode::point_read};
constexpr milliseconds pause_first{1};

metrics::Counter lists_answered(const char* by) {
    return metrics::counter("spaktok_postgres_lists_total", "Lists, by the server that answered.",
                            {{"server", by}});
}

}  // namespace

// ---- The primary's position

asio::awaitable<LogPosition> PrimaryPosition::now() {
    if (next_) {
        const auto round = next_;
        co_await round->answered.wait();
        if (round->failure) std::rethrow_exception(round->failure);
        co_return round->position;
    }
    const auto round = std::make_shared<Round>(context_);
    next_ = round;
    // An answer that is under way may be older than this call.
    if (const auto before = under_way_) co_await before->answered.wait();
    next_.reset();
    under_way_ = round;
    try {
        const auto answer = co_await ask_(primary_position);
        round->position = answer[0].get<std::int64_t>("position");
    } catch (...) {
        round->failure = std::current_exception();
    }
    under_way_.reset();
    round->answered.set();
    if (round->failure) std::rethrow_exception(round->failure);
    co_return round->position;
}

// ---- One replica

Replica::Replica(asio::io_context& context, const ReplicaOptions& options, std::size_t number)
    : context_(context),
      options_(options),
      number_(number),
      pool_metrics_("replica"),
      usable_(metrics::gauge("spaktok_postgres_replica_usable", "1 where lists may go to the replica.",
                             {{"replica", std::to_string(number)}})),
      behind_bytes_(metrics::gauge("spaktok_postgres_replica_behind_bytes",
                                   "What the replica has yet to replay of the primary's log.",
                                   {{"replica", std::to_string(number)}})),
      lists_(context,
             {.url = options.urls.at(number - 1),
              .metrics = pool_metrics_,
              .sync = Sync::shared,
              .isolation = Isolation::repeatable_read,
              .limits = options.limits},
             options.sessions),
      inspections_(context,
                   {.url = options.urls.at(number - 1),
                    .metrics = pool_metrics_,
                    .sync = Sync::shared,
                    .isolation = Isolation::repeatable_read,
                    .limits = options.limits},
                   1) {
    usable_.set(0);
}

asio::awaitable<std::optional<Result>> Replica::read(Statement statement, std::vector<Value> args,
                                                     LogPosition position) {
    struct UnderWay {
        std::size_t& count;
        explicit UnderWay(std::size_t& counted) : count(counted) { ++count; }
        ~UnderWay() { --count; }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;
    };
    const UnderWay under_way(under_way_);
    const Counted counted(pool_metrics_.under_way);
    try {
        const auto session = co_await lists_.least_busy();
        const bool is_near = co_await reaches(session, position);
        if (is_near) co_return co_await session->run(statement, std::move(args));
        leave_out("it is behind");
    } catch (const TransactionConflict&) {
        // What it was to replay removed rows that the list was reading. The next list may do well.
    } catch (const Error& error) {
        // What is the statement's own fault, the primary will say as well.
        if (error.code() == ErrorCode::unavailable) leave_out(error.detail());
    }
    co_return std::nullopt;
}

// Asked on the session that is then to run the list: a replica that was killed starts again at an earlier
// position, but ends its sessions first.
asio::awaitable<bool> Replica::reaches(std::shared_ptr<Session> session, LogPosition position) {
    const auto give_up_at = steady_clock::now() + options_.lag_max;
    asio::steady_timer timer(context_);
    for (auto pause = pause_first; session->replayed < position; pause *= 2) {
        const auto answer = co_await session->run(replica_position, {});
        const auto replayed = answer[0].get<std::optional<std::int64_t>>("position");
        if (!replayed) throw unavailable("it is no replica");
        session->replayed = *replayed;
        if (*replayed >= position) break;
        if (steady_clock::now() + pause > give_up_at) co_return false;
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
    }
    co_return true;
}

asio::awaitable<void> Replica::inspect(std::string system, LogPosition position) {
    try {
        const auto session = co_await inspections_.least_busy();
        const auto own_system = co_await session->run(system_identifier, {});
        if (own_system[0].get<std::string>("system") != system)
            throw unavailable("it is a replica of another primary");
        session->replayed = 0;  // a server that was promoted keeps its sessions
        const bool is_near = co_await reaches(session, position);
        behind_bytes_.set(static_cast<double>(std::max<LogPosition>(position - session->replayed, 0)));
        if (is_near) {
            take_in();
        } else {
            leave_out("it is behind");
        }
    } catch (const Error& error) {
        leave_out(error.detail());
    }
}

void Replica::take_in() {
    if (is_usable_ || steady_clock::now() - left_out_at_ < options_.left_out_min) return;
    is_usable_ = true;
    usable_.set(1);
    log::info("lists may go to a replica", {{"replica", number_}});
}

void Replica::leave_out(const std::string& reason) {
    left_out_at_ = steady_clock::now();
    if (!is_usable_) return;
    is_usable_ = false;
    usable_.set(0);
    log::warning("a replica is left out", {{"replica", number_}, {"reason", reason}});
}

void Replica::close() {
    lists_.close();
    inspections_.close();
}

// ---- All

Replicas::Replicas(asio::io_context& context, ReplicaOptions options, AskPrimary ask)
    : context_(context),
      options_(std::move(options)),
      ask_(std::move(ask)),
      primary_(context, ask_),
      by_replica_(lists_answered("replica")),
      by_primary_(lists_answered("primary")) {
    for (std::size_t number = 1; number <= options_.urls.size(); ++number)
        watched_.push_back(std::make_unique<Watched>(context, options_, number));
}

asio::awaitable<std::optional<Result>> Replicas::read(Statement statement, std::vector<Value> args) {
    std::optional<Result> answer;
    if (least_busy() != nullptr) {
        const auto position = co_await primary_.now();
        // Meanwhile it may have been left out.
        if (auto* replica = least_busy())
            answer = co_await replica->read(statement, std::move(args), position);
    }
    (answer ? by_replica_ : by_primary_).add();
    co_return answer;
}

Replica* Replicas::least_busy() {
    Replica* best = nullptr;
    for (const auto& watched : watched_) {
        auto& replica = watched->replica;
        if (replica.is_usable() && (best == nullptr || replica.under_way() < best->under_way()))
            best = &replica;
    }
    return best;
}

void Replicas::start() {
    for (const auto& watched : watched_) {
        ++watching_;
        asio::co_spawn(context_, watch(*watched), asio::detached);
    }
}

asio::awaitable<void> Replicas::watch(Watched& watched) {
    while (!is_stopping_) {
        try {
            const auto system = co_await ask_(system_identifier);
            const auto position = co_await primary_.now();
            co_await watched.replica.inspect(system[0].get<std::string>("system"), position);
        } catch (const Error&) {
            // No primary, no list: nothing to be known of the replica.
        }
        if (is_stopping_) break;
        watched.next.expires_after(options_.watch_interval);
        boost::system::error_code cancelled;
        co_await watched.next.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }
    --watching_;
}

void Replicas::stop() {
    is_stopping_ = true;
    for (const auto& watched : watched_)
        watched->next.cancel();
}

void Replicas::close() {
    for (const auto& watched : watched_)
        watched->replica.close();
}

}  // namespace spaktok::relational::postgres
