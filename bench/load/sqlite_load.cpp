// What the relational port is measured against on SQLite: a loop of one durable transaction each (select,
// insert, update), with sqlite3 alone, a write-ahead log and an fsync before each COMMIT returns.
//
//   --file FILE --prepare 1          makes the tables anew
//   --file FILE --seconds S
#include <chrono>
#include <cstdio>
#include <random>
#include <string>

#include <sqlite3.h>
#include <unistd.h>

#include "measure.h"

namespace bench {
namespace {

// As relational_load.cpp has them.
constexpr int posts = 100'000;
constexpr int authors = 1'000;
constexpr int people = 1'000'000;

class Connection {
  public:
    explicit Connection(const std::string& file) {
        check(sqlite3_open(file.c_str(), &handle_));
        execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    }
    ~Connection() { sqlite3_close_v2(handle_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void execute(const std::string& script) {
        check(sqlite3_exec(handle_, script.c_str(), nullptr, nullptr, nullptr));
    }
    sqlite3_stmt* prepare(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        check(sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
        return statement;
    }
    void check(int code) {
        if (code != SQLITE_OK) throw Failure(sqlite3_errmsg(handle_));
    }

  private:
    sqlite3* handle_ = nullptr;
};

void prepare(const std::string& file) {
    Connection connection(file);
    connection.execute(
        "DROP TABLE IF EXISTS posts;"
        "DROP TABLE IF EXISTS likes;"
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL, title TEXT NOT NULL, "
        "  likes_count INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT;"
        "CREATE INDEX posts_author_id_id_idx ON posts (author_id, id);"
        "CREATE TABLE likes (id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL, user_id INTEGER NOT NULL) "
        "  STRICT;"
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < " +
        std::to_string(posts) + ") INSERT INTO posts SELECT n, n % " + std::to_string(authors) +
        ", 'What a post is called, number ' || n, 0, 1790000000000 + n FROM numbers");
}

class Loop {
  public:
    explicit Loop(const std::string& file)
        : connection_(file),
          begin_(connection_.prepare("BEGIN IMMEDIATE")),
          find_(connection_.prepare(
              "SELECT id, author_id, title, likes_count, created_at FROM posts WHERE id = ?1")),
          insert_(connection_.prepare("INSERT INTO likes (post_id, user_id) VALUES (?1, ?2)")),
          count_(connection_.prepare("UPDATE posts SET likes_count = likes_count + 1 WHERE id = ?1")),
          commit_(connection_.prepare("COMMIT")) {}
    ~Loop() {
        for (sqlite3_stmt* statement : {begin_, find_, insert_, count_, commit_})
            sqlite3_finalize(statement);
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void transact() {
        const int post = std::uniform_int_distribution(1, posts)(random_);
        const int person = std::uniform_int_distribution(0, people - 1)(random_);
        run(begin_);
        sqlite3_bind_int64(find_, 1, post);
        if (sqlite3_step(find_) != SQLITE_ROW) throw Failure("a post is missing");
        sqlite3_reset(find_);
        sqlite3_bind_int64(insert_, 1, post);
        sqlite3_bind_int64(insert_, 2, person);
        run(insert_);
        sqlite3_bind_int64(count_, 1, post);
        run(count_);
        run(commit_);
    }

  private:
    void run(sqlite3_stmt* statement) {
        const int code = sqlite3_step(statement);
        connection_.check(code == SQLITE_DONE ? SQLITE_OK : code);
        sqlite3_reset(statement);
    }

    Connection connection_;
    std::mt19937 random_{std::random_device{}()};
    sqlite3_stmt* begin_;
    sqlite3_stmt* find_;
    sqlite3_stmt* insert_;
    sqlite3_stmt* count_;
    sqlite3_stmt* commit_;
};

void measure(const std::string& file, int seconds) {
    Loop loop(file);
    const auto run_until = [&loop](std::uint64_t time) {
        double done = 0;
        for (; now_ns() < time; ++done)
            loop.transact();
        return done;
    };
    run_until(now_ns() + 200'000'000);
    const auto cpu_before = cpu_microseconds({::getpid()});
    const auto begun = now_ns();
    const double done = run_until(begun + static_cast<std::uint64_t>(seconds) * 1'000'000'000);
    const auto elapsed = static_cast<double>(now_ns() - begun) / 1e9;
    print_figures(
        {{"a_second", done / elapsed}, {"client_us", (cpu_microseconds({::getpid()}) - cpu_before) / done}});
}

}  // namespace
}  // namespace bench

int main(int count, char** values) {
    try {
        const bench::Arguments arguments(count, values);
        if (arguments.number("prepare", 0) != 0) {
            bench::prepare(arguments.text("file"));
        } else {
            bench::measure(arguments.text("file"), arguments.number("seconds", 3));
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sqlite_load: %s\n", error.what());
        return 1;
    }
}
