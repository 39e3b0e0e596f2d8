// Gifts through the program's own service, W senders always on their way, each with a wallet and keys of its
// own: booked by double entry, answered after the fsync. Afterwards everything that was answered must be in
// the ledger.
//
//   --url postgres://…|sqlite:FILE --prepare 1           makes the schema, people, streams and money
//   --url postgres://…|sqlite:FILE --senders W --streamers N --seconds S
//   --url postgres://…|sqlite:FILE --audit 1             fails where the books do not balance
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "engines/relational/migrations.h"
#include "features/events/events.h"
#include "features/gifts/gift_service.h"
#include "features/ledger/ledger.h"
#include "measure.h"

namespace {

using namespace spaktok;
namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;
using std::chrono::steady_clock;

// As bench/gifts has them for pgbench.
constexpr std::uint64_t senders_max = 256;
constexpr std::uint64_t first_streamer = 1'000;
constexpr std::uint64_t streamers_max = 1'000;
const Money price = Money::from_minor(100);
const Money wallet = Money::from_minor(1'000'000'000);

// 00000000-0000-7000-8000-00000000002a: pgbench makes them from the number too.
Uuid numbered(std::uint64_t kind, std::uint64_t number) {
    return Uuid::parse(fmt::format("00000000-0000-7000-8{:03}-{:012x}", kind, number)).value();
}
UserId person(std::uint64_t number) {
    return UserId{numbered(0, number)};
}
StreamId stream_of(std::uint64_t streamer) {
    return StreamId{numbered(1, streamer)};
}
std::uint64_t streamer_of(StreamId stream) {
    return std::stoull(stream.to_string().substr(24), nullptr, 16);
}
const GiftId gift{numbered(2, 0)};

// ---- People, streams, money

constexpr Statement insert_person{
    .name = "insert_person",
    .sql = "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $2, '')",
    .mode = Mode::write};
constexpr Statement insert_stream{
    .name = "insert_stream",
    .sql = "INSERT INTO streams (id, user_id, title, status) VALUES ($1, $2, 'A stream', 'live')",
    .mode = Mode::write};
constexpr Statement insert_gift{
    .name = "insert_gift",
    .sql = "INSERT INTO gifts (id, name, price, image_url) VALUES ($1, 'What is measured', $2, '/gift.svg')",
    .mode = Mode::write};

asio::awaitable<void> insert_all(relational::Transaction& tx) {
    co_await tx.query(insert_gift, gift, price);
    for (std::uint64_t n = 0; n < senders_max; ++n)
        co_await tx.query(insert_person, person(n), fmt::format("sender_{}", n));
    for (std::uint64_t n = first_streamer; n < first_streamer + streamers_max; ++n) {
        co_await tx.query(insert_person, person(n), fmt::format("streamer_{}", n));
        co_await tx.query(insert_stream, stream_of(n), person(n));
    }
}

ledger::Movement top_up_of(std::uint64_t sender) {
    return {.header = {.type = ledger::TransactionType::top_up, .receiver = person(sender), .amount = wallet},
            .postings = {{ledger::wallet_of(person(sender)), wallet},
                         {{.kind = ledger::AccountKind::payment_clearing}, -wallet}}};
}
// So that everyone has their accounts before they are measured.
ledger::Movement first_gift_to(std::uint64_t streamer) {
    return {.header = {.type = ledger::TransactionType::adjustment,
                       .receiver = person(streamer),
                       .amount = price},
            .postings = {{ledger::earnings_of(person(streamer)), price},
                         {{.kind = ledger::AccountKind::platform_revenue}, -price}}};
}

asio::awaitable<void> prepare(relational::Database& database, const Clock& clock, Random& random) {
    co_await relational::migrate(database, clock.now());
    co_await database.transaction([](relational::Transaction& tx) { return insert_all(tx); });
    ledger::Ledger ledger({.database = database, .clock = clock, .random = random});
    std::vector<ledger::Movement> movements;
    for (std::uint64_t n = 0; n < senders_max; ++n)
        movements.push_back(top_up_of(n));
    for (std::uint64_t n = first_streamer; n < first_streamer + streamers_max; ++n)
        movements.push_back(first_gift_to(n));
    co_await ledger.book(std::move(movements));
}

// ---- Gifts

struct Measured {
    double seconds = 0;
    std::vector<std::uint32_t> microseconds;  // of each gift
};

class Load {
  public:
    Load(relational::Database& database, const Clock& clock, Random& random, asio::any_io_executor executor,
         std::uint64_t streamers)
        : executor_(executor),
          random_(random),
          streamers_(streamers),
          events_({.database = database, .clock = clock, .executor = executor}),
          ledger_({.database = database, .clock = clock, .random = random}),
          gifts_({.database = database,
                  .ledger = ledger_,
                  .events = events_,
                  .clock = clock,
                  .random = random,
                  .executor = executor,
                  .recipient = recipient,
                  .limits = {.of_day = ledger::amount_max, .of_day_when_new = ledger::amount_max}}) {
        events_.subscribe("gifts.sent", [](const events::Event&) -> asio::awaitable<void> { co_return; });
        events_.start();
    }

    // Waits, on a thread that is not the executor's.
    Measured run(int senders, std::chrono::milliseconds time) {
        Measured measured;
        const auto begun = steady_clock::now();
        std::vector<std::future<void>> workers;
        for (int sender = 0; sender < senders; ++sender) {
            workers.push_back(asio::co_spawn(executor_,
                                             send(static_cast<std::uint64_t>(sender), begun + time, measured),
                                             asio::use_future));
        }
        for (auto& worker : workers)
            worker.get();
        measured.seconds = std::chrono::duration<double>(steady_clock::now() - begun).count();
        return measured;
    }
    asio::awaitable<void> stop() {
        co_await gifts_.stop();
        co_await events_.stop();
    }

  private:
    static asio::awaitable<gifts::Recipient> recipient(StreamId stream) {
        co_return gifts::Recipient{.streamer = person(streamer_of(stream)), .is_live = true};
    }
    asio::awaitable<void> send(std::uint64_t sender, steady_clock::time_point until, Measured& measured) {
        while (steady_clock::now() < until) {
            const auto begun = steady_clock::now();
            const auto key = Uuid::v7(Timestamp{}, random_).to_string();
            co_await gifts_.send({.sender = person(sender),
                                  .stream = stream_of(first_streamer + random_.below(streamers_)),
                                  .gift = gift,
                                  .key = idempotency::make_key(person(sender), key, key)});
            measured.microseconds.push_back(static_cast<std::uint32_t>(
                std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun).count()));
        }
    }

    asio::any_io_executor executor_;
    Random& random_;
    std::uint64_t streamers_;
    events::Dispatcher events_;
    ledger::Ledger ledger_;
    gifts::Service gifts_;
};

// ---- The books

// The platform's own balances are left out: the peers of bench/gifts leave them to whoever sums their
// entries.
constexpr Statement find_differences{
    .name = "find_differences",
    .sql =
        "SELECT (SELECT COALESCE(SUM(amount_minor), 0) FROM ledger_entries) AS sum, "
        "(SELECT COUNT(*) FROM ledger_accounts a WHERE owner_user_id IS NOT NULL AND balance_minor <> "
        "(SELECT COALESCE(SUM(e.amount_minor), 0) "
        "FROM ledger_entries e WHERE e.account_id = a.id)) AS accounts"};
constexpr Statement count_gifts{.name = "count_gifts",
                                .sql =
                                    "SELECT COUNT(*) AS count FROM transactions WHERE transaction_type = "
                                    "'gift_sent' AND status = 'completed'"};

asio::awaitable<std::int64_t> count(relational::Database& database) {
    const auto counted = co_await database.query(count_gifts);
    co_return counted[0].get<std::int64_t>("count");
}

asio::awaitable<void> audit(relational::Database& database) {
    const auto found = co_await database.query(find_differences);
    if (found[0].get<std::int64_t>("sum") != 0 || found[0].get<std::int64_t>("accounts") != 0)
        throw bench::Failure("the books do not balance");
}

// ---- The program

// One thread, as a node with one I/O thread has it.
class Loop {
  public:
    Loop() : guard_(context_.get_executor()), thread_([this] { context_.run(); }) {}
    ~Loop() {
        guard_.reset();
        thread_.join();
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    asio::any_io_executor executor() { return context_.get_executor(); }
    template <class T>
    T run(asio::awaitable<T> work) {
        return asio::co_spawn(context_, std::move(work), asio::use_future).get();
    }

  private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_;
    std::thread thread_;
};

void measure(const bench::Arguments& arguments, relational::Database& database, Loop& loop,
             const Clock& clock, Random& random) {
    const int senders = arguments.number("senders", 32);
    Load load(database, clock, random, loop.executor(),
              static_cast<std::uint64_t>(arguments.number("streamers", 1)));
    load.run(senders, std::chrono::milliseconds(200));  // sessions are opened, plans are made
    const auto before = loop.run(count(database));
    const auto cpu_before = bench::cpu_microseconds({::getpid()});
    auto measured = load.run(senders, std::chrono::seconds(arguments.number("seconds", 3)));
    const auto cpu = bench::cpu_microseconds({::getpid()}) - cpu_before;
    loop.run(load.stop());
    const auto gifts = measured.microseconds.size();
    if (loop.run(count(database)) - before != static_cast<std::int64_t>(gifts))
        throw bench::Failure("not every gift that was answered is booked once");
    bench::print_figures({{"a_second", static_cast<double>(gifts) / measured.seconds},
                          {"p50_ms", bench::percentile(measured.microseconds, 0.5) / 1e3},
                          {"p99_ms", bench::percentile(measured.microseconds, 0.99) / 1e3},
                          {"client_us", cpu / static_cast<double>(gifts)}});
}

void run(const bench::Arguments& arguments) {
    const SystemClock clock;
    SystemRandom random;
    const auto database = relational::open(arguments.text("url"), {});
    Loop loop;
    if (arguments.number("prepare", 0) != 0) {
        loop.run(prepare(*database, clock, random));
    } else if (arguments.number("audit", 0) != 0) {
        loop.run(audit(*database));
    } else {
        measure(arguments, *database, loop, clock, random);
    }
}

}  // namespace

int main(int count, char** values) {
    try {
        log::configure({.level = log::Level::error});
        run(bench::Arguments(count, values));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "gifts_load: %s\n", error.what());
        return 1;
    }
}
