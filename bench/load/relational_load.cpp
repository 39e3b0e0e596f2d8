// Statements through the relational port, W of them always on their way: point reads, pages by keyset, and
// small transactions, on the tables that bench/relational makes. Whoever waits is a coroutine of one thread.
//
//   --url postgres://…|sqlite:FILE --work read|page|write|transaction|durable --waiting W --seconds S
//   --sessions N                     with PostgreSQL, of the kind that the work uses
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "engines/relational/postgres/postgres_database.h"
#include "measure.h"

namespace {

using namespace spaktok;
using relational::Database;
using relational::Mode;
using relational::Statement;
using relational::Transaction;
using std::chrono::steady_clock;

// As bench/relational has them for pgbench, and sqlite_load.cpp.
constexpr std::int64_t posts = 100'000;
constexpr std::int64_t authors = 1'000;
constexpr std::int64_t people = 1'000'000;
constexpr std::size_t page_size = 20;

constexpr Statement find_post{
    .name = "find_post",
    .sql = "SELECT id, author_id, title, likes_count, created_at FROM posts WHERE id = $1",
    .mode = Mode::point_read};
constexpr Statement list_posts{.name = "list_posts",
                               .sql =
                                   "SELECT id, author_id, title, likes_count, created_at FROM posts "
                                   "WHERE author_id = $1 AND id < $2 ORDER BY id DESC LIMIT 20",
                               .mode = Mode::read};
constexpr Statement insert_like{.name = "insert_like",
                                .sql = "INSERT INTO likes (post_id, user_id) VALUES ($1, $2)",
                                .mode = Mode::write};
constexpr Statement count_like{.name = "count_like",
                               .sql = "UPDATE posts SET likes_count = likes_count + 1 WHERE id = $1",
                               .mode = Mode::write};

std::int64_t below(std::int64_t bound) {
    static SystemRandom random;
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound)));
}

std::int64_t any_post() {
    return 1 + below(posts);
}

void expect(bool holds, const char* what) {
    if (!holds) throw bench::Failure(what);
}

// ---- One of each

boost::asio::awaitable<void> read(Database& database) {
    const auto id = any_post();
    const auto found = co_await database.query(find_post, id);
    expect(found.size() == 1 && found[0].get<std::int64_t>("id") == id, "a post is missing");
}

boost::asio::awaitable<void> page(Database& database) {
    const auto found = co_await database.query(list_posts, below(authors), posts / 2 + below(posts / 2));
    expect(found.size() == page_size, "a page is not whole");
}

boost::asio::awaitable<void> write(Database& database) {
    co_await database.query(insert_like, any_post(), below(people));
}

boost::asio::awaitable<void> like(Transaction& transaction, std::int64_t post, std::int64_t person) {
    co_await transaction.query(insert_like, post, person);
    const auto counted = co_await transaction.query(count_like, post);
    expect(counted.affected() == 1, "a like was not counted");
}

boost::asio::awaitable<void> transact(Database& database) {
    co_await database.transaction([post = any_post(), person = below(people)](Transaction& transaction) {
        return like(transaction, post, person);
    });
}

boost::asio::awaitable<void> look_and_like(Transaction& transaction, std::int64_t post, std::int64_t person) {
    const auto found = co_await transaction.query(find_post, post);
    expect(found.size() == 1, "a post is missing");
    co_await like(transaction, post, person);
}

boost::asio::awaitable<void> transact_after_a_look(Database& database) {
    co_await database.transaction([post = any_post(), person = below(people)](Transaction& transaction) {
        return look_and_like(transaction, post, person);
    });
}

// ---- Many

using Work = boost::asio::awaitable<void> (*)(Database&);

Work work_of(const std::string& name) {
    static const std::map<std::string, Work> works{{"read", read},
                                                   {"page", page},
                                                   {"write", write},
                                                   {"transaction", transact},
                                                   {"durable", transact_after_a_look}};
    const auto found = works.find(name);
    if (found == works.end()) throw bench::Failure("no such work: " + name);
    return found->second;
}

boost::asio::awaitable<std::int64_t> repeat(Database& database, Work work, steady_clock::time_point until) {
    std::int64_t done = 0;
    for (; steady_clock::now() < until; ++done)
        co_await work(database);
    co_return done;
}

std::int64_t run(Database& database, Work work, int waiting, std::chrono::duration<double> time) {
    boost::asio::io_context context(1);
    const auto until = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(time);
    std::vector<std::future<std::int64_t>> workers;
    for (int i = 0; i < waiting; ++i)
        workers.push_back(
            boost::asio::co_spawn(context, repeat(database, work, until), boost::asio::use_future));
    context.run();
    std::int64_t done = 0;
    for (auto& worker : workers)
        done += worker.get();
    return done;
}

std::unique_ptr<Database> open(const bench::Arguments& arguments) {
    const auto url = arguments.text("url");
    if (!url.starts_with("postgres")) return relational::open(url, {});
    const auto sessions = static_cast<std::size_t>(arguments.number("sessions", 4));
    return std::make_unique<relational::postgres::PostgresDatabase>(
        url, relational::postgres::PostgresDatabase::Options{.point_sessions = sessions,
                                                             .read_sessions = sessions,
                                                             .write_sessions = sessions,
                                                             .transactions = {.count = sessions}});
}

void measure(const bench::Arguments& arguments) {
    const auto database = open(arguments);
    const Work work = work_of(arguments.text("work"));
    const int waiting = arguments.number("waiting", 64);
    run(*database, work, waiting, std::chrono::milliseconds(200));  // sessions are opened, plans are made
    const auto cpu_before = bench::cpu_microseconds({::getpid()});
    const auto begun = steady_clock::now();
    const auto done = static_cast<double>(
        run(*database, work, waiting, std::chrono::seconds(arguments.number("seconds", 3))));
    const auto elapsed = std::chrono::duration<double>(steady_clock::now() - begun).count();
    bench::print_figures({{"a_second", done / elapsed},
                          {"client_us", (bench::cpu_microseconds({::getpid()}) - cpu_before) / done}});
}

}  // namespace

int main(int count, char** values) {
    try {
        log::configure({.level = log::Level::error});
        measure(bench::Arguments(count, values));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "relational_load: %s\n", error.what());
        return 1;
    }
}
