#include "engines/relational/postgres/session.h"

#include <array>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "engines/relational/postgres/binding.h"
#include "engines/relational/postgres/failure.h"

namespace spaktok::relational::postgres {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::steady_clock;

namespace {

// A plan that the server had cached no longer fits the tables: a migration ran meanwhile.
constexpr std::string_view stale_plan = "0A000";
// Statements are constants of the program; texts that are made anew each time would fill the server's memory.
constexpr std::size_t prepared_max = 1'000;
constexpr std::chrono::milliseconds watch_interval{500};

bool is_stale_plan(const PGresult* answer) {
    const char* state = answer == nullptr ? nullptr : PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    return state != nullptr && state == stale_plan;
}

class StalePlan : public std::exception {};

}  // namespace

Session::Session(asio::io_context& context, SessionOptions options)
    : context_(context), options_(std::move(options)), socket_(context), silence_(context) {}

Session::~Session() {
    end("the session was closed");
}

// ---- Connecting

asio::awaitable<std::shared_ptr<Session>> Session::connect(asio::io_context& context,
                                                           SessionOptions options) {
    auto session = std::make_shared<Session>(context, std::move(options));
    co_await session->open();
    co_return session;
}

asio::awaitable<void> Session::open() {
    // What stands in the URL wins over what stands before it.
    const std::array<const char*, 4> keys{"application_name", "client_encoding", "dbname", nullptr};
    const std::array<const char*, 4> values{"spaktok", "UTF8", options_.url.c_str(), nullptr};
    constexpr int expand_url = 1;
    connection_.reset(PQconnectStartParams(keys.data(), values.data(), expand_url));
    SPAKTOK_ASSERT(connection_ != nullptr);
    const auto is_late = std::make_shared<bool>(false);
    asio::steady_timer deadline(context_, options_.limits.connect_timeout);
    deadline.async_wait([weak = weak_from_this(), is_late](const error_code& cancelled) {
        const auto self = weak.lock();
        if (cancelled || !self) return;
        *is_late = true;
        if (self->socket_.is_open()) self->socket_.cancel();
    });
    auto next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (*is_late) throw unavailable("connecting took too long");
        if (next == PGRES_POLLING_FAILED || PQstatus(connection_.get()) == CONNECTION_BAD)
            throw unavailable(PQerrorMessage(connection_.get()));
        // Another address may be tried meanwhile, over another socket.
        socket_.assign(PQsocket(connection_.get()));
        error_code ignored;
        const auto wait = next == PGRES_POLLING_READING ? asio::posix::stream_descriptor::wait_read
                                                        : asio::posix::stream_descriptor::wait_write;
        co_await socket_.async_wait(wait, asio::redirect_error(asio::use_awaitable, ignored));
        socket_.release();
        if (!*is_late) next = PQconnectPoll(connection_.get());
    }
    PQsetnonblocking(connection_.get(), 1);
    socket_.assign(PQsocket(connection_.get()));
    wait_readable();
    co_await run_script(fmt::format(
        "SET timezone = 'UTC'; SET client_min_messages = 'warning'; SET default_transaction_isolation = "
        "'{}'; SET plan_cache_mode = {}; "
        "SET statement_timeout = {}; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = {}",
        options_.isolation == Isolation::serializable ? "serializable" : "repeatable read",
        options_.plans == Plans::generic ? "force_generic_plan" : "auto",
        options_.limits.statement_timeout.count(), 4 * options_.limits.statement_timeout.count()));
    deadline.cancel();
    if (is_broken()) throw unavailable("the server closed the new session");
    is_counted_ = true;
    options_.metrics.sessions.add(1);
}

// ---- Statements

asio::awaitable<Result> Session::run(Statement statement, std::vector<Value> args) {
    const auto self = shared_from_this();
    const bool own_text = !statement.postgres_sql.empty();
    const std::string sql(own_text ? statement.postgres_sql : statement.sql);
    for (bool is_again = false;; is_again = true) {
        const auto prepared = co_await prepare(sql);
        try {
            co_return co_await execute(*prepared, args);
        } catch (const StalePlan&) {
            prepared_.erase(sql);
            if (is_again) throw unavailable("the tables change all the time");
        }
    }
}

asio::awaitable<std::shared_ptr<Session::Prepared>> Session::prepare(std::string sql) {
    if (is_broken()) throw unavailable("the session is broken");
    if (prepared_.size() >= prepared_max) {
        fail("too many different statements");
        throw unavailable("too many different statements");
    }
    auto& known = prepared_[sql];
    const bool is_new = known == nullptr;
    if (is_new) known = std::make_shared<Prepared>(context_);
    const auto prepared = known;
    if (!is_new) {
        co_await prepared->known.wait();
        if (prepared->failure) std::rethrow_exception(prepared->failure);
        co_return prepared;
    }
    prepared->name = fmt::format("s{}", ++statements_);
    try {
        const auto made = std::make_shared<Operation>(context_);
        const auto described = std::make_shared<Operation>(context_);
        queue(PQsendPrepare(connection_.get(), prepared->name.c_str(), sql.c_str(), 0, nullptr), made);
        queue(PQsendDescribePrepared(connection_.get(), prepared->name.c_str()), described);
        sync();
        co_await finished(made);
        co_await finished(described);
        for (int i = 0; i < PQnparams(described->answer.get()); ++i)
            prepared->parameters.push_back(PQparamtype(described->answer.get(), i));
    } catch (...) {
        prepared->failure = std::current_exception();
        prepared_.erase(sql);
    }
    prepared->known.set();
    if (prepared->failure) std::rethrow_exception(prepared->failure);
    co_return prepared;
}

asio::awaitable<Result> Session::execute(const Prepared& prepared, const std::vector<Value>& args) {
    if (args.size() != prepared.parameters.size()) {
        throw Error(ErrorCode::internal, "The database could not run this.",
                    {.detail = fmt::format("{} arguments for {} parameters", args.size(),
                                           prepared.parameters.size())});
    }
    std::vector<std::optional<std::string>> texts;
    std::vector<const char*> pointers;
    texts.reserve(args.size());
    for (std::size_t i = 0; i < args.size(); ++i) {
        texts.push_back(encode(args[i], prepared.parameters[i]));
        pointers.push_back(texts.back() ? texts.back()->c_str() : nullptr);
    }
    for (;;) {
        if (is_broken()) throw unavailable("the session is broken");
        const auto operation = std::make_shared<Operation>(context_);
        queue(PQsendQueryPrepared(connection_.get(), prepared.name.c_str(), static_cast<int>(pointers.size()),
                                  pointers.data(), nullptr, nullptr, 0),
              operation);
        if (options_.sync == Sync::own) {
            sync();
        } else if (!is_sync_scheduled_) {
            is_sync_scheduled_ = true;
            // Behind everything that is ready now: what that sends shares the Sync.
            asio::post(context_, [self = shared_from_this()] {
                self->is_sync_scheduled_ = false;
                if (!self->is_broken()) self->sync();
            });
        }
        co_await operation->done.wait();
        if (operation->is_aborted && !operation->failure) {
            if (options_.sync == Sync::own) throw unavailable("the transaction did not begin");
            continue;
        }
        if (is_stale_plan(operation->answer.get())) throw StalePlan();
        if (operation->failure) std::rethrow_exception(operation->failure);
        co_return decode(operation->answer.get());
    }
}

Session::SharedOperation Session::begin() {
    return send("BEGIN");
}

Session::SharedOperation Session::commit() {
    auto operation = send("COMMIT");
    sync();
    return operation;
}

Session::SharedOperation Session::send(const char* sql) {
    auto operation = std::make_shared<Operation>(context_);
    queue(
        is_broken() ? 0 : PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0),
        operation);
    return operation;
}

asio::awaitable<void> Session::run_script(std::string script) {
    const auto self = shared_from_this();
    if (is_broken()) throw unavailable("the session is broken");
    if (!expected_.empty() && expected_.back()) {
        const auto begun = expected_.back();
        sync();
        co_await finished(begun);
    }
    SPAKTOK_ASSERT(expected_.empty());
    if (PQpipelineStatus(connection_.get()) != PQ_PIPELINE_OFF) PQexitPipelineMode(connection_.get());
    is_script_ = true;
    const auto operation = std::make_shared<Operation>(context_);
    queue(PQsendQuery(connection_.get(), script.c_str()), operation);
    flush();
    co_await operation->done.wait();
    is_script_ = false;
    if (!is_broken()) PQenterPipelineMode(connection_.get());
    if (operation->failure) std::rethrow_exception(operation->failure);
}

// ---- Sending

void Session::queue(int sent, const SharedOperation& operation) {
    if (sent != 1) {
        const std::string reason = is_broken() ? "the session is broken" : PQerrorMessage(connection_.get());
        fail(reason);
        throw unavailable(reason);
    }
    expected_.push_back(operation);
    if (under_way_++ == 0) heard_at_ = steady_clock::now();  // nothing was to be heard until now
    if (!is_watching_) watch();
}

asio::awaitable<void> Session::finished(SharedOperation operation) {
    const auto self = shared_from_this();
    co_await operation->done.wait();
    if (operation->failure) std::rethrow_exception(operation->failure);
    if (operation->is_aborted) throw unavailable("aborted by an error before it");
}

void Session::sync() {
    if (PQpipelineSync(connection_.get()) != 1) return fail(PQerrorMessage(connection_.get()));
    expected_.push_back(nullptr);
    flush();
}

void Session::flush() {
    if (is_broken() || is_waiting_writable_) return;
    const int left = PQflush(connection_.get());
    if (left < 0) return fail(PQerrorMessage(connection_.get()));
    if (left == 0) return;
    is_waiting_writable_ = true;
    socket_.async_wait(asio::posix::stream_descriptor::wait_write,
                       [self = shared_from_this()](const error_code& error) {
                           self->is_waiting_writable_ = false;
                           if (!error) self->flush();
                       });
}

// ---- Answers

void Session::wait_readable() {
    // The session's owner keeps it, not its wait for the next answer.
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [weak = weak_from_this()](const error_code& error) {
                           const auto self = weak.lock();
                           if (error || !self || self->is_broken()) return;
                           self->read_answers();
                           if (!self->is_broken()) self->wait_readable();
                       });
}

void Session::read_answers() {
    heard_at_ = steady_clock::now();
    const bool is_alive = PQconsumeInput(connection_.get()) == 1;
    while (!is_broken() && !expected_.empty() && PQisBusy(connection_.get()) == 0) {
        Answer answer(PQgetResult(connection_.get()));
        if (answer) {
            take(std::move(answer));
        } else if (expected_.front() && (expected_.front()->answer || expected_.front()->is_aborted)) {
            complete_front();
        } else {
            break;
        }
    }
    if (is_broken()) return;
    if (!is_alive || PQstatus(connection_.get()) == CONNECTION_BAD)
        return fail(PQerrorMessage(connection_.get()));
    flush();
}

void Session::take(Answer answer) {
    const auto status = PQresultStatus(answer.get());
    if (status == PGRES_PIPELINE_SYNC) {
        SPAKTOK_ASSERT(!expected_.front());
        expected_.pop_front();
        return;
    }
    if (!expected_.front()) return fail(PQresultErrorMessage(answer.get()));
    auto& operation = *expected_.front();
    if (status == PGRES_PIPELINE_ABORTED) {
        operation.is_aborted = true;
    } else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
        if (!operation.failure) operation.failure = failure_of(answer.get());
        operation.answer = std::move(answer);
    } else if (!operation.failure) {
        operation.answer = std::move(answer);
    }
}

void Session::complete_front() {
    const auto operation = std::move(expected_.front());
    expected_.pop_front();
    --under_way_;
    operation->done.set();
}

// ---- The end

// A server that was stopped, or a network that drops everything, closes no connection.
void Session::watch() {
    is_watching_ = true;
    silence_.expires_after(watch_interval);
    silence_.async_wait([weak = weak_from_this()](const error_code& cancelled) {
        const auto self = weak.lock();
        if (cancelled || !self || self->is_broken()) return;
        self->is_watching_ = false;
        if (self->under_way_ == 0) return;
        const bool is_silent = steady_clock::now() - self->heard_at_ > self->options_.limits.silence_max;
        if (is_silent && !self->is_script_) return self->fail("the server has been silent for too long");
        self->watch();
    });
}

void Session::fail(const std::string& reason) {
    if (is_counted_) options_.metrics.lost.add();
    end(reason);
}

void Session::end(const std::string& reason) {
    if (is_broken()) return;
    if (std::exchange(is_counted_, false)) options_.metrics.sessions.add(-1);
    silence_.cancel();
    // libpq closes the socket.
    if (socket_.is_open()) {
        socket_.cancel();
        socket_.release();
    }
    connection_.reset();
    under_way_ = 0;
    for (const auto& operation : std::exchange(expected_, {})) {
        if (!operation) continue;
        if (!operation->failure) operation->failure = std::make_exception_ptr(unavailable(reason));
        operation->done.set();
    }
}

}  // namespace spaktok::relational::postgres
