// What the program is measured against on SQLite: a loop of one durable transaction each, with sqlite3 alone,
// a write-ahead log and an fsync before each COMMIT returns. A transaction is a like (select, insert, update)
// or, in a file that gifts_load has prepared, a gift by double entry.
//
//   --file FILE --prepare 1          makes the tables of the likes anew
//   --file FILE --seconds S
//   --file FILE --seconds S --work gift --streamers N
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

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

// As gifts_load.cpp has them.
constexpr int senders = 256;
constexpr int first_streamer = 1'000;

// What the program does for a gift, but for the platform's balance, the day's limit and the event.
class Gifts {
  public:
    Gifts(const std::string& file, int streamers)
        : connection_(file),
          streamers_(streamers),
          begin_(connection_.prepare("BEGIN IMMEDIATE")),
          key_(connection_.prepare(
              "INSERT INTO idempotency_keys (user_id, key, request_digest, answer, expires_at) "
              "VALUES (?1, ?2, '0', '{}', 4000000000000)")),
          pay_(connection_.prepare(
              "UPDATE ledger_accounts SET balance_minor = balance_minor - 100 WHERE owner_user_id = ?1 "
              "AND kind = 'wallet' AND balance_minor >= 100 RETURNING id")),
          earn_(connection_.prepare(
              "UPDATE ledger_accounts SET balance_minor = balance_minor + 70 WHERE owner_user_id = ?1 "
              "AND kind = 'earnings' RETURNING id")),
          header_(connection_.prepare(
              "INSERT INTO transactions (id, sender_user_id, receiver_user_id, gift_id, amount, "
              "platform_fee, streamer_payout, transaction_type, status, stream_id) VALUES (?1, ?2, ?3, "
              "'00000000-0000-7000-8002-000000000000', 100, 30, 70, 'gift_sent', 'completed', ?4)")),
          entry_(connection_.prepare(
              "INSERT INTO ledger_entries (id, transaction_id, account_id, amount_minor) VALUES (?1, ?2, "
              "?3, ?4)")),
          revenue_(connection_.prepare("SELECT id FROM ledger_accounts WHERE kind = 'platform_revenue'")),
          commit_(connection_.prepare("COMMIT")) {
        platform_ = one(revenue_);
    }
    ~Gifts() {
        for (sqlite3_stmt* statement : {begin_, key_, pay_, earn_, header_, entry_, revenue_, commit_})
            sqlite3_finalize(statement);
    }
    Gifts(const Gifts&) = delete;
    Gifts& operator=(const Gifts&) = delete;

    void transact() {
        const auto sender = numbered(0, std::uniform_int_distribution(0, senders - 1)(random_));
        const int number = first_streamer + std::uniform_int_distribution(0, streamers_ - 1)(random_);
        const auto streamer = numbered(0, number);
        const auto transaction = any_id();
        one(begin_);
        one(key_, sender, transaction);
        const auto wallet = one(pay_, sender);
        const auto earnings = one(earn_, streamer);
        if (wallet.empty() || earnings.empty()) throw Failure("an account is missing or empty");
        one(header_, transaction, sender, streamer, numbered(1, number));
        one(entry_, any_id(), transaction, wallet, "-100");
        one(entry_, any_id(), transaction, earnings, "70");
        one(entry_, any_id(), transaction, platform_, "30");
        one(commit_);
    }

  private:
    static std::string numbered(int kind, int number) {
        char text[37];
        std::snprintf(text, sizeof text, "00000000-0000-7000-8%03d-%012x", kind,
                      static_cast<unsigned>(number));
        return text;
    }
    std::string any_id() {
        char text[37];
        std::snprintf(text, sizeof text, "%08x-%04x-7%03x-8%03x-%012llx", static_cast<unsigned>(++made_),
                      static_cast<unsigned>(random_() & 0xFFFF), static_cast<unsigned>(random_() & 0xFFF),
                      static_cast<unsigned>(random_() & 0xFFF),
                      static_cast<unsigned long long>(random_() & 0xFFFFFFFFFFFF));
        return text;
    }
    // Runs the statement to its end; the first row's only column.
    template <class... Texts>
    std::string one(sqlite3_stmt* statement, const Texts&... texts) {
        int place = 0;
        (sqlite3_bind_text(statement, ++place, std::string_view(texts).data(),
                           static_cast<int>(std::string_view(texts).size()), SQLITE_TRANSIENT),
         ...);
        std::string found;
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            found = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
            code = sqlite3_step(statement);
        }
        connection_.check(code == SQLITE_DONE ? SQLITE_OK : code);
        sqlite3_reset(statement);
        return found;
    }

    Connection connection_;
    std::mt19937_64 random_{std::random_device{}()};
    std::uint64_t made_ = random_();
    int streamers_;
    std::string platform_;
    sqlite3_stmt* begin_;
    sqlite3_stmt* key_;
    sqlite3_stmt* pay_;
    sqlite3_stmt* earn_;
    sqlite3_stmt* header_;
    sqlite3_stmt* entry_;
    sqlite3_stmt* revenue_;
    sqlite3_stmt* commit_;
};

template <class Work>
void measure(Work&& loop, int seconds) {
    std::vector<std::uint32_t> microseconds;  // of each transaction
    const auto run_until = [&](std::uint64_t time) {
        for (auto begun = now_ns(); begun < time;) {
            loop.transact();
            const auto ended = now_ns();
            microseconds.push_back(static_cast<std::uint32_t>((ended - begun) / 1'000));
            begun = ended;
        }
    };
    run_until(now_ns() + 200'000'000);
    microseconds.clear();
    const auto cpu_before = cpu_microseconds({::getpid()});
    const auto begun = now_ns();
    run_until(begun + static_cast<std::uint64_t>(seconds) * 1'000'000'000);
    const auto elapsed = static_cast<double>(now_ns() - begun) / 1e9;
    const auto done = static_cast<double>(microseconds.size());
    print_figures({{"a_second", done / elapsed},
                   {"p50_ms", percentile(microseconds, 0.5) / 1e3},
                   {"p99_ms", percentile(microseconds, 0.99) / 1e3},
                   {"client_us", (cpu_microseconds({::getpid()}) - cpu_before) / done}});
}

}  // namespace
}  // namespace bench

int main(int count, char** values) {
    try {
        const bench::Arguments arguments(count, values);
        if (arguments.number("prepare", 0) != 0) {
            bench::prepare(arguments.text("file"));
        } else if (arguments.text("work") == "gift") {
            bench::measure(bench::Gifts(arguments.text("file"), arguments.number("streamers", 1)),
                           arguments.number("seconds", 3));
        } else {
            bench::measure(bench::Loop(arguments.text("file")), arguments.number("seconds", 3));
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sqlite_load: %s\n", error.what());
        return 1;
    }
}
