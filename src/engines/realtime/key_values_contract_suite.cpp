// The contract's part on key-values.
#include <algorithm>
#include <atomic>
#include <map>

#include "engines/realtime/limits.h"
#include "engines/realtime/realtime_contract_suite.h"
#include "engines/realtime/scan.h"

namespace spaktok::realtime::contract {

using engines::testing::error_of;
using engines::testing::run;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {
constexpr KeyValues::PutOptions in_memory{.durable = false};
}  // namespace

TEST_P(KeyValuesContract, KeepsAnyBytes) {
    const std::string bytes("\0'\xff\n", 4);
    EXPECT_EQ(get("key"), "none");
    EXPECT_TRUE(put("key", bytes));
    EXPECT_EQ(get("key"), bytes);
    EXPECT_TRUE(put("key", ""));
    EXPECT_EQ(get("key"), "");
    EXPECT_TRUE(put("cache", bytes, in_memory));
    EXPECT_EQ(get("cache"), bytes);
}

TEST_P(KeyValuesContract, RemovesAndTakesOnce) {
    for (const bool durable : {true, false}) {
        put("a", "1", {.durable = durable});
        put("b", "2", {.durable = durable});
        EXPECT_TRUE(run(values().remove("a")));
        EXPECT_FALSE(run(values().remove("a")));
        EXPECT_EQ(run(values().take("b")), "2");
        EXPECT_EQ(run(values().take("b")), std::nullopt);
        EXPECT_EQ(get("a") + get("b"), "nonenone");
    }
}

TEST_P(KeyValuesContract, OnlyIfAbsentLeavesWhatIsThere) {
    for (const bool durable : {true, false}) {
        const std::string key = durable ? "durable" : "cached";
        const KeyValues::PutOptions absent{
            .expires_after = seconds(10), .durable = durable, .only_if_absent = true};
        EXPECT_TRUE(put(key, "1", absent));
        EXPECT_FALSE(put(key, "2", absent));
        EXPECT_EQ(get(key), "1");
        clock_.advance(seconds(10));
        EXPECT_TRUE(put(key, "3", absent));
        EXPECT_EQ(get(key), "3");
        run(values().remove(key));
        EXPECT_TRUE(put(key, "4", absent));
    }
}

TEST_P(KeyValuesContract, ExpiresAtItsTime) {
    for (const bool durable : {true, false}) {
        put("key", "value", {.expires_after = seconds(10), .durable = durable});
        clock_.advance(seconds(10) - milliseconds(1));
        EXPECT_EQ(get("key"), "value");
        clock_.advance(milliseconds(1));
        EXPECT_EQ(get("key"), "none");
        EXPECT_EQ(run(values().take("key")), std::nullopt);
        EXPECT_FALSE(run(values().remove("key")));
        EXPECT_FALSE(run(values().touch("key", seconds(10))));
    }
}

TEST_P(KeyValuesContract, APutWithoutExpiryTakesTheOldOneAway) {
    put("key", "1", {.expires_after = seconds(10)});
    put("key", "2");
    clock_.advance(minutes(10));
    EXPECT_EQ(get("key"), "2");
}

TEST_P(KeyValuesContract, TouchPushesTheExpiryFurtherAndNeverNearer) {
    put("key", "value", {.expires_after = seconds(10)});
    clock_.advance(seconds(9));
    EXPECT_TRUE(run(values().touch("key", seconds(10))));
    EXPECT_TRUE(run(values().touch("key", seconds(1))));
    clock_.advance(seconds(9));
    EXPECT_EQ(get("key"), "value");
    clock_.advance(seconds(1));
    EXPECT_EQ(get("key"), "none");
    EXPECT_FALSE(run(values().touch("no such", seconds(1))));
    put("for ever", "value");
    EXPECT_TRUE(run(values().touch("for ever", seconds(1))));
    clock_.advance(seconds(2));
    EXPECT_EQ(get("for ever"), "value");
}

TEST_P(KeyValuesContract, WhatIsDurableSurvivesBeingReopened) {
    put("kept", "value", {.expires_after = minutes(10)});
    put("changed", "old");
    put("changed", "new");
    put("removed", "value");
    run(values().remove("removed"));
    put("expires", "value", {.expires_after = seconds(5)});
    // A cached value that replaces a durable one must not let the old one come back.
    put("replaced", "old");
    put("replaced", "new", in_memory);
    run(values().set_add("set", "a"));
    run(values().set_add("set", "b"));
    run(values().set_remove("set", "a"));
    clock_.advance(seconds(5));
    drop_and_start();
    EXPECT_EQ(get("kept"), "value");
    EXPECT_EQ(get("changed"), "new");
    EXPECT_EQ(get("removed"), "none");
    EXPECT_EQ(get("expires"), "none");
    EXPECT_NE(get("replaced"), "old");
    EXPECT_EQ(run(values().set_members("set")), std::vector<std::string>{"b"});
    clock_.advance(minutes(10));
    EXPECT_EQ(get("kept"), "none");
}

TEST_P(KeyValuesContract, ATouchIsDurableAfterAStop) {
    put("session", "value", {.expires_after = seconds(10)});
    run(values().touch("session", minutes(10)));
    stop_and_start();
    clock_.advance(minutes(9));
    EXPECT_EQ(get("session"), "value");
}

TEST_P(KeyValuesContract, ATouchDoesNotProlongAValueThatWasPutSince) {
    put("key", "old", {.expires_after = seconds(10)});
    run(values().touch("key", minutes(10)));
    put("key", "new", {.expires_after = seconds(20)});
    stop_and_start();
    clock_.advance(seconds(20));
    EXPECT_EQ(get("key"), "none");
}

TEST_P(KeyValuesContract, SetsHoldEachMemberOnce) {
    EXPECT_TRUE(run(values().set_members("set")).empty());
    for (const char* member : {"b", "a", "b"})
        run(values().set_add("set", member));
    auto members = run(values().set_members("set"));
    std::sort(members.begin(), members.end());
    EXPECT_EQ(members, (std::vector<std::string>{"a", "b"}));
    run(values().set_remove("set", "a"));
    run(values().set_remove("set", "nobody"));
    run(values().set_remove("no such", "a"));
    EXPECT_EQ(run(values().set_members("set")), std::vector<std::string>{"b"});
}

TEST_P(KeyValuesContract, TakesWhatIsAtTheLimitsAndRefusesWhatIsPastThem) {
    const std::string key(key_bytes_max, 'k');
    const std::string value(value_bytes_max, 'v');
    EXPECT_TRUE(put(key, value));
    EXPECT_EQ(get(key), value);
    const auto refusal = [&](std::string name, std::string text, KeyValues::PutOptions options = {}) {
        return error_of(values().put(std::move(name), std::move(text), options));
    };
    EXPECT_EQ(refusal(key + "k", "v"), ErrorCode::invalid_argument);
    EXPECT_EQ(refusal("", "v"), ErrorCode::invalid_argument);
    EXPECT_EQ(refusal("k", value + "v"), ErrorCode::payload_too_large);
    EXPECT_EQ(refusal("k", "v", {.expires_after = seconds(0)}), ErrorCode::invalid_argument);
    EXPECT_EQ(refusal("k", "v", {.expires_after = expiry_max + seconds(1)}), ErrorCode::invalid_argument);
    EXPECT_TRUE(put("k", "v", {.expires_after = expiry_max}));
    run(values().set_add("set", std::string(set_member_bytes_max, 'm')));
    EXPECT_EQ(error_of(values().set_add("set", std::string(set_member_bytes_max + 1, 'm'))),
              ErrorCode::invalid_argument);
}

TEST_P(KeyValuesContract, ASetHasAnEnd) {
    engines::testing::in_parallel(10, [&](int thread) {
        for (std::size_t i = 0; i < set_members_max / 10; ++i)
            run(values().set_add("set", std::to_string(static_cast<std::size_t>(thread) + i * 10)));
    });
    EXPECT_EQ(error_of(values().set_add("set", "one more")), ErrorCode::conflict);
    run(values().set_add("set", "0"));  // is there already
    EXPECT_EQ(run(values().set_members("set")).size(), set_members_max);
}

TEST_P(KeyValuesContract, WhatWasAcknowledgedIsThereAfterAKill) {
    engine_.reset();  // no thread may be running when the child is forked
    const std::string url = place_->url();
    const auto acknowledged = engines::testing::reported_before_kill(300, [&](const auto& report) {
        const auto child = open(url, {.node_id = "child", .clock = &clock_});
        for (std::int64_t number = 1;; ++number) {
            run(child->key_values().put("key " + std::to_string(number), std::to_string(number), {}));
            run(child->key_values().set_add("set " + std::to_string(number), "member"));
            report(number);
        }
    });
    ASSERT_GE(acknowledged.size(), 300u);
    start();
    for (const auto number : acknowledged) {
        EXPECT_EQ(get("key " + std::to_string(number)), std::to_string(number));
        EXPECT_EQ(run(values().set_members("set " + std::to_string(number))).size(), 1u);
    }
}

TEST_P(RealtimeContractConcurrent, OfManyTakersOneGetsIt) {
    for (const bool durable : {true, false}) {
        std::atomic<int> taken{0};
        for (int i = 0; i < 30; ++i)
            put("link " + std::to_string(i), "value", {.durable = durable});
        engines::testing::in_parallel(4, [&](int) {
            for (int i = 0; i < 30; ++i)
                taken += run(values().take("link " + std::to_string(i))) ? 1 : 0;
        });
        EXPECT_EQ(taken, 30);
    }
}

TEST_P(RealtimeContractConcurrent, OfManyThatPutWhereThereIsNoneOneDoes) {
    for (const bool durable : {true, false}) {
        std::atomic<int> done{0};
        engines::testing::in_parallel(4, [&](int) {
            for (int i = 0; i < 30; ++i) {
                const std::string key = (durable ? "durable " : "cached ") + std::to_string(i);
                done += put(key, "value", {.durable = durable, .only_if_absent = true}) ? 1 : 0;
            }
        });
        EXPECT_EQ(done, 30);
    }
}

struct Scanned {
    std::map<std::string, std::string> values;
    std::map<std::string, std::optional<milliseconds>> lives;
    std::map<std::string, std::vector<std::string>> sets;
};
Scanned scan(KeyValues& values) {
    Scanned all;
    std::string cursor;
    do {
        auto page = run(scanner_of(values).scan(cursor));
        for (auto& each : page.values) {
            all.values[each.key] = each.value;
            all.lives[each.key] = each.expires_after;
        }
        for (auto& each : page.sets) {
            std::ranges::sort(each.members);
            all.sets[each.key] = each.members;
        }
        cursor = page.next;
    } while (!cursor.empty());
    return all;
}

TEST_P(KeyValuesContract, AScanGivesEveryDurableValueAndSet) {
    EXPECT_TRUE(scan(values()).values.empty());
    const std::string bytes("\0'\xff\n", 4);
    std::map<std::string, std::string> expected{{"for ever", bytes}, {"session:1", "s"}, {"value:a", "v"},
                                                {"counter:b", "c"},  {"set:d", "e"},     {"gone", ""}};
    for (int i = 0; i < 3'000; ++i)
        expected["many " + std::to_string(i)] = std::to_string(i);
    for (const auto& [key, value] : expected)
        put(key, value);
    expected.erase("gone");
    put("gone", "", {.expires_after = seconds(1)});
    put("session:1", "s", {.expires_after = seconds(10)});
    EXPECT_TRUE(run(values().touch("session:1", minutes(2))));
    run(values().set_add("user:1", "b"));
    run(values().set_add("user:1", "a"));
    run(values().set_add("set:2", "c"));
    run(counters().add("counter", 1, std::nullopt));
    run(rankings().set("board", "member", 1));
    run(presence().report("viewers:1", 1));
    publish("topic", "payload", {.messages_max = 10, .age_max = minutes(1)});
    clock_.advance(seconds(1));
    const auto found = scan(values());
    EXPECT_EQ(found.values, expected);
    EXPECT_EQ(found.lives.at("session:1"), minutes(2) - seconds(1));
    EXPECT_EQ(found.lives.at("for ever"), std::nullopt);
    const std::map<std::string, std::vector<std::string>> sets{{"user:1", {"a", "b"}}, {"set:2", {"c"}}};
    EXPECT_EQ(found.sets, sets);
}

// Durable and cached changes of the same keys, at once: what was only cached may be lost by a restart, but no
// value that was replaced or taken comes back.
TEST_P(RealtimeContractConcurrent, ARestartBringsNoOldValueBack) {
    engines::testing::in_parallel(4, [&](int thread) {
        for (int i = 0; i < 60; ++i) {
            const std::string key = "key " + std::to_string(i % 5);
            if (i % 7 == 3) {
                run(values().take(key));
            } else {
                put(key, std::to_string(thread * 1000 + i), {.durable = i % 3 != 0});
            }
        }
    });
    put("key 0", "last");
    std::vector<std::string> before;
    for (int i = 0; i < 5; ++i)
        before.push_back(get("key " + std::to_string(i)));
    drop_and_start();
    for (int i = 0; i < 5; ++i) {
        const std::string after = get("key " + std::to_string(i));
        EXPECT_TRUE(after == before[static_cast<std::size_t>(i)] || after == "none") << after;
    }
    EXPECT_EQ(get("key 0"), "last");
}

}  // namespace spaktok::realtime::contract
