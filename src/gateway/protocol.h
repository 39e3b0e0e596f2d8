// The JSON messages of api/realtime.md, to and from text. No I/O here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "engines/realtime/realtime.h"

namespace spaktok::gateway {

// Ids are what a JavaScript number holds exactly.
inline constexpr std::int64_t request_id_max = (std::int64_t{1} << 53) - 1;
inline constexpr std::size_t topic_bytes_max = 200;
inline constexpr std::size_t request_type_bytes_max = 64;

struct ClientMessage {
    std::optional<std::int64_t> id;  // nullopt: missing or no whole number in range; the answer carries null
    std::string type;
    json::Object body;  // the whole message
};
// Throws Error{invalid_argument} where the text is no JSON object at all: there is nobody to answer.
ClientMessage parse_client_message(std::string_view text);

struct TopicName {
    std::string prefix;
    std::string rest;
};
// "room:<id>" has both parts, "live" only a prefix. Throws Error{invalid_argument, field topic}.
TopicName parse_topic(const json::Object& message, std::string& topic);
// Where the client was, where it says so. Throws Error{invalid_argument, field recover…}.
std::optional<realtime::Position> parse_recover(const json::Object& message);

struct Welcome {
    std::uint64_t connection_id = 0;
    std::optional<std::string> user_id;
    std::int64_t ping_interval_seconds = 0;
    std::int64_t message_bytes_max = 0;
    std::int64_t subscriptions_max = 0;
    std::int64_t requests_per_second = 0;
    std::int64_t requests_in_flight_max = 0;
};
std::string encode_welcome(const Welcome& welcome);

std::string encode_answer(std::int64_t id, const json::Value& result);
// `reference` goes into the problem as request_id, so that a person's report can be found in the log.
std::string encode_error(std::optional<std::int64_t> id, const Error& error, std::string_view reference);

// What a topic carries for an event: {"event":name,"data":…}, whole JSON by itself.
std::string encode_event_payload(std::string_view event, std::string_view data_json);
// Appends the event as clients see it: {"type":"event","topic":…,"epoch":…,"offset":…,"event":…,"data":…},
// without epoch and offset where it has none (offset 0). `topic_json` is the quoted name.
void append_event(std::string& out, std::string_view topic_json, const realtime::TopicMessage& message);
// How long that will be, at most.
std::size_t event_bytes_max(std::string_view topic_json, const realtime::TopicMessage& message);

struct SubscribeResult {
    std::string topic;
    realtime::Position position;
    bool recovered = false;
    std::vector<realtime::TopicMessage> messages;
    json::Value state;
};
std::string encode_subscribed(std::int64_t id, const SubscribeResult& result);

std::string to_json_text(std::string_view text);

}  // namespace spaktok::gateway
