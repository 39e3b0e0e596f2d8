#include "gateway/protocol.h"

#include <gtest/gtest.h>

namespace spaktok::gateway {
namespace {

std::string nested(std::size_t depth) {
    std::string text = R"({"a":)";
    text.append(depth - 1, '[').append(depth - 1, ']');
    return text + "}";
}

TEST(Protocol, TakesMessagesOfTheLargestDepthAndNotOneMore) {
    EXPECT_NO_THROW(parse_client_message(nested(16)));
    EXPECT_THROW(parse_client_message(nested(17)), Error);
}

TEST(Protocol, TakesTheLongestEpochAndNotOneMore) {
    const auto recover = [](std::size_t bytes) {
        return parse_recover(json::Object{
            {"recover", json::Object{{"epoch", boost::json::string(bytes, 'e')}, {"offset", 1}}}});
    };
    EXPECT_EQ(recover(128)->epoch.size(), 128u);
    EXPECT_THROW(recover(129), Error);
}

TEST(Protocol, ReadsARecoverPosition) {
    const auto position =
        parse_recover(json::Object{{"recover", json::Object{{"epoch", "e"}, {"offset", request_id_max}}}});
    EXPECT_EQ(position,
              (realtime::Position{.epoch = "e", .offset = static_cast<std::uint64_t>(request_id_max)}));
    EXPECT_EQ(parse_recover(json::Object{}), std::nullopt);
    EXPECT_EQ(parse_recover(json::Object{{"recover", nullptr}}), std::nullopt);
    EXPECT_THROW(parse_recover(
                     json::Object{{"recover", json::Object{{"epoch", "e"}, {"offset", request_id_max + 1}}}}),
                 Error);
    EXPECT_THROW(parse_recover(json::Object{{"recover", json::Object{{"epoch", "e"}, {"offset", 1.5}}}}),
                 Error);
}

TEST(Protocol, SplitsATopicAtItsFirstColon) {
    std::string topic;
    EXPECT_EQ(parse_topic(json::Object{{"topic", "room:1:2"}}, topic).prefix, "room");
    EXPECT_EQ(parse_topic(json::Object{{"topic", "room:1:2"}}, topic).rest, "1:2");
    EXPECT_EQ(parse_topic(json::Object{{"topic", "live"}}, topic).prefix, "live");
    EXPECT_EQ(topic, "live");
}

TEST(Protocol, WritesEventsThatAreWholeJson) {
    const std::string payload = encode_event_payload("a \"quoted\" name", R"({"x":[1,2]})");
    EXPECT_EQ(boost::json::parse(payload), (json::Object{{"event", "a \"quoted\" name"},
                                                         {"data", json::Object{{"x", json::Array{1, 2}}}}}));
    const realtime::TopicMessage message{.position = {.epoch = "e\"1", .offset = 18446744073709551615U},
                                         .payload = std::make_shared<const std::string>(payload)};
    std::string event;
    append_event(event, to_json_text("room:\n"), message);
    EXPECT_EQ(boost::json::parse(event), (json::Object{{"type", "event"},
                                                       {"topic", "room:\n"},
                                                       {"epoch", "e\"1"},
                                                       {"offset", 18446744073709551615U},
                                                       {"event", "a \"quoted\" name"},
                                                       {"data", json::Object{{"x", json::Array{1, 2}}}}}));
    EXPECT_LE(event.size(), event_bytes_max(to_json_text("room:\n"), message));
}

TEST(Protocol, AnswersWithTheProblemThatRestWouldGive) {
    const Error error(ErrorCode::rate_limited, "Slowly.",
                      {.reason = "flood", .retry_after = std::chrono::milliseconds(1)});
    const auto answer = boost::json::parse(encode_error(std::nullopt, error, "ws-1-none"));
    EXPECT_TRUE(answer.at("id").is_null());
    EXPECT_EQ(answer.at("retry_after_seconds"), 1);
    EXPECT_EQ(answer.at("error").at("type"), "/problems/flood");
    EXPECT_EQ(answer.at("error").at("request_id"), "ws-1-none");
}

}  // namespace
}  // namespace spaktok::gateway
