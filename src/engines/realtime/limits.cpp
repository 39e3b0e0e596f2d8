#include "engines/realtime/limits.h"

#include <cmath>
#include <string>

#include "base/error.h"

namespace spaktok::realtime {

namespace {

[[noreturn]] void refuse(std::string detail) {
    throw Error(ErrorCode::invalid_argument, "The request cannot be carried out as it is.",
                {.detail = std::move(detail)});
}

void check_name(std::string_view name, std::size_t bytes_max, const char* what) {
    if (name.empty() || name.size() > bytes_max)
        refuse(std::string(what) + ": " + std::to_string(name.size()) + " bytes");
}

void check_size(std::string_view value, std::size_t bytes_max, const char* what) {
    if (value.size() > bytes_max) {
        throw Error(ErrorCode::payload_too_large, "This is too large.",
                    {.detail = std::string(what) + ": " + std::to_string(value.size()) + " bytes"});
    }
}

}  // namespace

void check_topic(std::string_view topic) {
    check_name(topic, topic_bytes_max, "topic");
}

void check_publish(std::string_view topic, std::string_view payload, const HistoryLimits& history) {
    check_topic(topic);
    check_size(payload, payload_bytes_max, "payload");
    if (history.messages_max > history_messages_max) refuse("history of too many messages");
    if (history.messages_max > 0 &&
        (history.age_max <= std::chrono::seconds(0) || history.age_max > history_age_max)) {
        refuse("history's age");
    }
}

void check_key(std::string_view key) {
    check_name(key, key_bytes_max, "key");
}
void check_value(std::string_view value) {
    check_size(value, value_bytes_max, "value");
}
void check_set_member(std::string_view member) {
    check_name(member, set_member_bytes_max, "member");
}

void check_expiry(std::optional<std::chrono::milliseconds> expires_after) {
    if (expires_after && (*expires_after <= std::chrono::milliseconds(0) || *expires_after > expiry_max))
        refuse("expiry");
}

void check_score(double score) {
    if (!std::isfinite(score)) refuse("score");
}

void check_ranking_page(std::size_t limit) {
    if (limit < 1 || limit > ranking_page_max) refuse("page of a ranking: " + std::to_string(limit));
}

}  // namespace spaktok::realtime
