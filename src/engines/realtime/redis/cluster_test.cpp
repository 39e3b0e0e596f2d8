#include "engines/realtime/redis/cluster.h"

#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include "base/error.h"
#include "engines/realtime/redis/keys.h"

namespace spaktok::realtime::redis {
namespace {

const Endpoint asked{"asked", "7"};

Reply reply_of(const std::string& bytes) {
    const std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader(redisReaderCreate(),
                                                                          redisReaderFree);
    redisReaderFeed(reader.get(), bytes.data(), bytes.size());
    void* reply = nullptr;
    if (redisReaderGetReply(reader.get(), &reply) != REDIS_OK || reply == nullptr)
        throw std::runtime_error("no reply");
    return Reply(static_cast<redisReply*>(reply));
}

// The examples of the specification.
TEST(RedisCluster, PlacesAKeyByWhatStandsInItsFirstBraces) {
    EXPECT_EQ(slot_of("123456789"), 12'739u);
    EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
    EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
    EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
    EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
    EXPECT_EQ(slot_of("open{brace"), slot_of("open{brace"));
    EXPECT_EQ(slot_of(""), 0u);
}

TEST(RedisCluster, AllKeysOfOneThingAreInOneSlot) {
    for (const std::string name : {"room:1", "}", "{}", "", ":", ":}", "a}b{c", "{x"}) {
        const auto slot = slot_of(keys::of_topic(name));
        EXPECT_EQ(slot_of(keys::of_topic_state(name)), slot) << name;
        EXPECT_EQ(slot_of("db0:" + keys::of_topic(name)), slot) << name;
        EXPECT_EQ(slot_of("node:" + keys::tagged(name) + ":x"), slot) << name;
        EXPECT_EQ(slot_of(keys::of_board_events(name)), slot_of(keys::of_board(name))) << name;
        for (const std::string& place : {name, "viewers:" + name})
            EXPECT_EQ(slot_of(keys::of_place(place) + ":node"), slot_of(keys::of_place(place))) << place;
        EXPECT_EQ(keys::topic_of(keys::of_topic(name)), name);
    }
}

TEST(RedisCluster, ReadsItsMap) {
    const auto map = parse_map(reply_of("*3\r\n"
                                        "*4\r\n:0\r\n:99\r\n"
                                        "*3\r\n$2\r\nh1\r\n:1\r\n$2\r\nid\r\n"
                                        "*4\r\n$2\r\nh2\r\n:2\r\n$2\r\nid\r\n*0\r\n"
                                        "*3\r\n:100\r\n:16382\r\n*3\r\n$0\r\n\r\n:3\r\n$2\r\nid\r\n"
                                        "*3\r\n:16383\r\n:16383\r\n*3\r\n$1\r\n?\r\n:4\r\n$2\r\nid\r\n"),
                               asked);
    EXPECT_EQ(map.ranges, (std::vector<SlotRange>{{0, 99, {"h1", "1"}}, {100, 16'382, {"asked", "3"}}}));
    EXPECT_EQ(map.servers, (std::vector<Endpoint>{{"h1", "1"}, {"h2", "2"}, {"asked", "3"}}));
}

TEST(RedisCluster, RefusesWhatIsNoMap) {
    const std::string server = "*3\r\n$2\r\nh1\r\n:1\r\n$2\r\nid\r\n";
    for (const std::string& text :
         {std::string("-ERR This instance has cluster support disabled\r\n"), std::string("*0\r\n"),
          std::string("+OK\r\n"), std::string("*1\r\n*1\r\n:0\r\n"), "*1\r\n*3\r\n:0\r\n:16384\r\n" + server,
          "*1\r\n*3\r\n:-1\r\n:5\r\n" + server, "*1\r\n*3\r\n:5\r\n:4\r\n" + server})
        EXPECT_THROW(parse_map(reply_of(text), asked), Error) << text;
}

TEST(RedisCluster, ReadsWhereItIsSentTo) {
    EXPECT_EQ(parse_redirection("MOVED 3999 127.0.0.1:6381", asked),
              (Redirection{true, 3'999, {"127.0.0.1", "6381"}}));
    EXPECT_EQ(parse_redirection("ASK 16383 ::1:6381", asked), (Redirection{false, 16'383, {"::1", "6381"}}));
    EXPECT_EQ(parse_redirection("MOVED 0 :6381", asked), (Redirection{true, 0, {"asked", "6381"}}));
    for (const char* error : {"ERR no", "MOVED", "MOVED 1", "MOVED 16384 h:1", "MOVED x h:1", "MOVED 1 h",
                              "ASK 1 ?:6379", "MOVEDX 1 h:1"})
        EXPECT_EQ(parse_redirection(error, asked), std::nullopt) << error;
}

}  // namespace
}  // namespace spaktok::realtime::redis
