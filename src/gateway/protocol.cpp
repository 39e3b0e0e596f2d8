#include "gateway/protocol.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/assert.h"
#include "http/request.h"

namespace spaktok::gateway {
namespace {

constexpr std::size_t json_depth_max = 16;
constexpr std::size_t epoch_bytes_max = 128;

// The same words as the features' and REST's: clients branch on them.
Error invalid(std::string message, std::string field, std::string reason = "invalid_field") {
    return Error(ErrorCode::invalid_argument, std::move(message),
                 {.field = std::move(field), .reason = std::move(reason)});
}

std::optional<std::int64_t> whole_number(const json::Value* value, std::int64_t maximum) {
    if (value == nullptr || !value->is_int64()) return std::nullopt;
    const std::int64_t number = value->get_int64();
    return number >= 0 && number <= maximum ? std::optional(number) : std::nullopt;
}

void append_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

}  // namespace

std::string to_json_text(std::string_view text) {
    return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

ClientMessage parse_client_message(std::string_view text) {
    auto value = json::parse(text, json_depth_max);
    if (!value.is_object()) throw Error(ErrorCode::invalid_argument, "A message must be a JSON object.");
    ClientMessage message{.id = {}, .type = {}, .body = std::move(value.get_object())};
    message.id = whole_number(message.body.if_contains("id"), request_id_max);
    if (const auto* type = message.body.if_contains("type"); type != nullptr && type->is_string()) {
        message.type.assign(type->get_string().data(), type->get_string().size());
    }
    return message;
}

TopicName parse_topic(const json::Object& message, std::string& topic) {
    const auto* value = message.if_contains("topic");
    if (value == nullptr || !value->is_string())
        throw invalid("A topic must be given.", "topic",
                      value == nullptr ? "missing_field" : "invalid_field");
    topic.assign(value->get_string().data(), value->get_string().size());
    if (topic.empty() || topic.size() > topic_bytes_max) {
        throw invalid("A topic's name has 1 to 200 bytes.", "topic");
    }
    const auto colon = topic.find(':');
    if (colon == std::string::npos) return {.prefix = topic, .rest = {}};
    return {.prefix = topic.substr(0, colon), .rest = topic.substr(colon + 1)};
}

std::optional<realtime::Position> parse_recover(const json::Object& message) {
    const auto* value = message.if_contains("recover");
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (!value->is_object()) throw invalid("The position to recover from must be an object.", "recover");
    const auto& position = value->get_object();
    const auto* epoch = position.if_contains("epoch");
    if (epoch == nullptr || !epoch->is_string() || epoch->get_string().size() > epoch_bytes_max) {
        throw invalid("The epoch must be the text that the server gave.", "recover.epoch");
    }
    const auto offset = whole_number(position.if_contains("offset"), request_id_max);
    if (!offset) throw invalid("The offset must be a whole number.", "recover.offset");
    return realtime::Position{.epoch = std::string(epoch->get_string()),
                              .offset = static_cast<std::uint64_t>(*offset)};
}

std::string encode_welcome(const Welcome& welcome) {
    const json::Object message{
        {"type", "welcome"},
        {"connection_id", welcome.connection_id},
        {"user_id", json::to_value(welcome.user_id)},
        {"ping_interval_seconds", welcome.ping_interval_seconds},
        {"limits", json::Object{{"message_bytes_max", welcome.message_bytes_max},
                                {"subscriptions_max", welcome.subscriptions_max},
                                {"requests_per_second", welcome.requests_per_second},
                                {"requests_in_flight_max", welcome.requests_in_flight_max}}}};
    return boost::json::serialize(message);
}

std::string encode_answer(std::int64_t id, const json::Value& result) {
    std::string out = R"({"type":"answer","id":)";
    append_number(out, static_cast<std::uint64_t>(id));
    out.append(R"(,"result":)").append(boost::json::serialize(result)).push_back('}');
    return out;
}

std::string encode_error(std::optional<std::int64_t> id, const Error& error, std::string_view reference) {
    std::string out = R"({"type":"answer","id":)";
    if (id) {
        append_number(out, static_cast<std::uint64_t>(*id));
    } else {
        out.append("null");
    }
    // The same problem as REST gives, from the one place that maps errors to it; REST says when to come back
    // in a header.
    out.append(R"(,"error":)").append(http::problem(error, reference).body);
    if (const auto after = error.retry_after()) {
        const auto seconds =
            std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(*after).count());
        out.append(R"(,"retry_after_seconds":)");
        append_number(out, static_cast<std::uint64_t>(seconds));
    }
    out.push_back('}');
    return out;
}

std::string encode_event_payload(std::string_view event, std::string_view data_json) {
    std::string payload = R"({"event":)";
    payload.reserve(payload.size() + event.size() + data_json.size() + 16);
    payload.append(to_json_text(event)).append(R"(,"data":)").append(data_json).push_back('}');
    return payload;
}

std::size_t event_bytes_max(std::string_view topic_json, const realtime::TopicMessage& message) {
    // An epoch's escapes make it six times as long at the worst.
    return 80 + topic_json.size() + 6 * message.position.epoch.size() + message.payload->size();
}

void append_event(std::string& out, std::string_view topic_json, const realtime::TopicMessage& message) {
    SPAKTOK_ASSERT(message.payload->starts_with('{'));
    out.append(R"({"type":"event","topic":)").append(topic_json);
    if (message.position.offset != 0) {
        out.append(R"(,"epoch":)").append(to_json_text(message.position.epoch)).append(R"(,"offset":)");
        append_number(out, message.position.offset);
    }
    out.push_back(',');
    out.append(*message.payload, 1);
}

std::string encode_subscribed(std::int64_t id, const SubscribeResult& result) {
    const std::string topic_json = to_json_text(result.topic);
    std::string out = R"({"type":"answer","id":)";
    append_number(out, static_cast<std::uint64_t>(id));
    out.append(R"(,"result":{"topic":)").append(topic_json);
    out.append(R"(,"epoch":)").append(to_json_text(result.position.epoch)).append(R"(,"offset":)");
    append_number(out, result.position.offset);
    out.append(result.recovered ? R"(,"recovered":true,"messages":[)" : R"(,"recovered":false,"messages":[)");
    for (std::size_t i = 0; i < result.messages.size(); ++i) {
        if (i > 0) out.push_back(',');
        append_event(out, topic_json, result.messages[i]);
    }
    out.append(R"(],"state":)").append(boost::json::serialize(result.state)).append("}}");
    return out;
}

}  // namespace spaktok::gateway
