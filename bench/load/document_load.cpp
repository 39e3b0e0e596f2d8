// Chat messages through the document port on MongoDB, beside a loop of plain libmongoc on the same server:
// inserts and history pages, rounds of both interleaved. Prints Markdown tables. `document_load [seconds a
// round] [rounds]`.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe.hpp>
#include <mongoc/mongoc.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "engines/document/collection.h"
#include "engines/document/mongo/test_server.h"

namespace {

using namespace spaktok;
using std::chrono::steady_clock;

constexpr std::int64_t page_size = 50;
constexpr std::int64_t stored_before = 1'000;

struct Message {
    ObjectId _id;
    Uuid sender_id;
    Uuid room_id;
    std::string content;
    Timestamp timestamp{};
    std::int64_t seq = 0;
    Uuid client_id;
};
BOOST_DESCRIBE_STRUCT(Message, (), (_id, sender_id, room_id, content, timestamp, seq, client_id))

struct Place {
    document::mongo::TestServer server;
    std::string url = server.url("bench");
    SystemRandom random;
    Uuid room = Uuid::v7(SystemClock().now(), random);
    std::atomic<std::int64_t> next_seq = 1;

    Message make_message() {
        const auto now = SystemClock().now();
        return {._id = ObjectId::make(now, random),
                .sender_id = Uuid::v7(now, random),
                .room_id = room,
                .content = std::string(200, 'x'),
                .timestamp = now,
                .seq = next_seq++,
                .client_id = Uuid::v7(now, random)};
    }
    // A page ends somewhere in what was stored before.
    std::int64_t page_end() {
        return page_size + static_cast<std::int64_t>(random.below(stored_before - page_size));
    }
};

// Does one thing so often as it can until then, and returns how often.
using Loop = std::function<std::int64_t(steady_clock::time_point until)>;

// ---- Ours

boost::asio::awaitable<std::int64_t> work(Place& place, document::Collection<Message>& chats, bool inserts,
                                          steady_clock::time_point until) {
    std::int64_t done = 0;
    for (; steady_clock::now() < until; ++done) {
        if (inserts) {
            co_await chats.insert(place.make_message());
            continue;
        }
        const auto page =
            co_await chats.find({document::eq("room_id", place.room), document::lt("seq", place.page_end())},
                                {.sort = {{.field = "seq", .descending = true}}, .limit = page_size});
        if (page.empty()) std::abort();
    }
    co_return done;
}

Loop ours(Place& place, document::Collection<Message>& chats, bool inserts, std::size_t waiting) {
    return [&place, &chats, inserts, waiting](steady_clock::time_point until) {
        boost::asio::io_context context(1);
        std::vector<std::future<std::int64_t>> workers;
        for (std::size_t i = 0; i < waiting; ++i)
            workers.push_back(
                boost::asio::co_spawn(context, work(place, chats, inserts, until), boost::asio::use_future));
        context.run();
        std::int64_t done = 0;
        for (auto& worker : workers)
            done += worker.get();
        return done;
    };
}

// ---- Plain libmongoc, a thread and a connection each

void append_uuid(bson_t& to, const char* name, const Uuid& id) {
    bson_append_binary(&to, name, -1, BSON_SUBTYPE_UUID, id.bytes().data(), 16);
}

void insert_plainly(Place& place, mongoc_collection_t* chats) {
    const Message message = place.make_message();
    bson_t document = BSON_INITIALIZER;
    bson_oid_t id;
    std::ranges::copy(message._id.bytes(), id.bytes);
    bson_append_oid(&document, "_id", -1, &id);
    append_uuid(document, "sender_id", message.sender_id);
    append_uuid(document, "room_id", message.room_id);
    bson_append_utf8(&document, "content", -1, message.content.data(),
                     static_cast<int>(message.content.size()));
    bson_append_date_time(&document, "timestamp", -1, to_unix_milliseconds(message.timestamp));
    bson_append_int64(&document, "seq", -1, message.seq);
    append_uuid(document, "client_id", message.client_id);
    bson_error_t error;
    if (!mongoc_collection_insert_one(chats, &document, nullptr, nullptr, &error)) std::abort();
    bson_destroy(&document);
}

void read_plainly(Place& place, mongoc_collection_t* chats) {
    bson_t filter = BSON_INITIALIZER;
    append_uuid(filter, "room_id", place.room);
    bson_t before;
    bson_append_document_begin(&filter, "seq", -1, &before);
    bson_append_int64(&before, "$lt", -1, place.page_end());
    bson_append_document_end(&filter, &before);
    bson_t* options = BCON_NEW("sort", "{", "seq", BCON_INT32(-1), "}", "limit", BCON_INT64(page_size));
    mongoc_cursor_t* cursor = mongoc_collection_find_with_opts(chats, &filter, options, nullptr);
    const bson_t* document = nullptr;
    int found = 0;
    while (mongoc_cursor_next(cursor, &document))
        ++found;
    if (found == 0) std::abort();
    mongoc_cursor_destroy(cursor);
    bson_destroy(options);
    bson_destroy(&filter);
}

Loop plain(Place& place, bool inserts, std::size_t threads) {
    return [&place, inserts, threads](steady_clock::time_point until) {
        std::atomic<std::int64_t> done = 0;
        std::vector<std::thread> running;
        for (std::size_t i = 0; i < threads; ++i) {
            running.emplace_back([&] {
                const auto url = place.url + "?w=majority&journal=true&readConcernLevel=majority";
                mongoc_client_t* client = mongoc_client_new(url.c_str());
                mongoc_collection_t* chats = mongoc_client_get_collection(client, "bench", "chats");
                for (; steady_clock::now() < until; ++done)
                    inserts ? insert_plainly(place, chats) : read_plainly(place, chats);
                mongoc_collection_destroy(chats);
                mongoc_client_destroy(client);
            });
        }
        for (auto& thread : running)
            thread.join();
        return done.load();
    };
}

// ---- Rounds

double rate(const Loop& loop, double seconds) {
    const auto begun = steady_clock::now();
    const auto done = loop(
        begun + std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(seconds)));
    return static_cast<double>(done) / std::chrono::duration<double>(steady_clock::now() - begun).count();
}

std::string median_and_range(std::vector<double> rates) {
    std::ranges::sort(rates);
    char text[80];
    std::snprintf(text, sizeof text, "%.0f (%.0f–%.0f)", rates[rates.size() / 2], rates.front(),
                  rates.back());
    return text;
}

void compare(const std::string& title, const Loop& one, const Loop& other, double seconds, int rounds) {
    std::vector<double> port;
    std::vector<double> loop;
    for (int round = 0; round < rounds; ++round) {
        if (round % 2 == 0) port.push_back(rate(one, seconds));
        loop.push_back(rate(other, seconds));
        if (round % 2 != 0) port.push_back(rate(one, seconds));
    }
    std::printf("| %s | %s | %s |\n", title.c_str(), median_and_range(port).c_str(),
                median_and_range(loop).c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
    const double seconds = count > 1 ? std::atof(arguments[1]) : 2;
    const int rounds = count > 2 ? std::atoi(arguments[2]) : 5;
    log::configure({.level = log::Level::error});
    Place place;
    const auto store = document::open(place.url);
    document::Collection<Message> chats(*store, "chats");
    boost::asio::io_context context(1);
    auto prepared = boost::asio::co_spawn(
        context,
        [](Place& where, document::Collection<Message>& into) -> boost::asio::awaitable<void> {
            co_await into.ensure({{.name = "chats_room_id_seq",
                                   .fields = {{.field = "room_id"}, {.field = "seq"}},
                                   .unique = true}});
            while (where.next_seq < stored_before) {
                std::vector<Message> some;
                for (int i = 0; i < 500; ++i)
                    some.push_back(where.make_message());
                co_await into.insert_many(std::move(some));
            }
        }(place, chats),
        boost::asio::use_future);
    context.run();
    prepared.get();
    std::printf("| a second | through the port | plain libmongoc |\n|---|---:|---:|\n");
    for (const auto waiting : {std::size_t{1}, std::size_t{16}}) {
        const auto suffix = ", " + std::to_string(waiting) + " waiting";
        compare("pages of " + std::to_string(page_size) + suffix, ours(place, chats, false, waiting),
                plain(place, false, waiting), seconds, rounds);
        compare("inserts" + suffix, ours(place, chats, true, waiting), plain(place, true, waiting), seconds,
                rounds);
    }
    return 0;
}
