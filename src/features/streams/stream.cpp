#include "features/streams/stream.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace spaktok::streams {

std::string checked_title(std::string_view title) {
    return text::checked(title, "title", {.length_min = 1, .length_max = title_length_max});
}

std::string checked_description(std::string_view description) {
    return text::checked(description, "description", {.length_max = description_length_max, .lines = true});
}

Timestamp checked_schedule(Timestamp scheduled_for, Timestamp now) {
    if (scheduled_for <= now || scheduled_for > now + schedule_ahead_max) {
        throw Error(ErrorCode::invalid_argument, "This must be in the future, at most a year ahead.",
                    {.field = "scheduled_for", .reason = "invalid_field"});
    }
    return scheduled_for;
}

void check_change(const Stream& stream, const StreamChange& change) {
    if (stream.status == Status::ended) {
        throw Error(ErrorCode::conflict, "This stream has ended.", {.reason = "stream_ended"});
    }
    if (change.scheduled_for && stream.status != Status::scheduled) {
        throw Error(ErrorCode::conflict, "This stream has already begun.",
                    {.field = "scheduled_for", .reason = "stream_not_scheduled"});
    }
}

std::optional<Stream> publish_target(const std::vector<Stream>& not_ended, Timestamp now) {
    const Stream* best = nullptr;
    // Live wins over prepared, prepared over scheduled.
    const auto rank = [](const Stream& stream) {
        return stream.status == Status::live ? 2 : stream.scheduled_for ? 0 : 1;
    };
    for (const auto& stream : not_ended) {
        if (rank(stream) == 0 && *stream.scheduled_for > now + publish_before_schedule) continue;
        if (best == nullptr || rank(stream) > rank(*best)) {
            best = &stream;
        } else if (rank(stream) == rank(*best)) {
            const bool better =
                rank(stream) == 0 ? *stream.scheduled_for < *best->scheduled_for : stream.id > best->id;
            if (better) best = &stream;
        }
    }
    if (best == nullptr) return std::nullopt;
    return *best;
}

std::string playback_path(StreamId id) {
    return "/live/" + id.to_string() + "/master.m3u8";
}

}  // namespace spaktok::streams
