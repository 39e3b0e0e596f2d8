// How a connection fails: `reason` is one of a closed list of words, which the metrics and the log lines are
// told apart by.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace spaktok::media::rtmp {

namespace reason {
inline constexpr std::string_view not_rtmp = "not_rtmp";    // the first byte belongs to another protocol
inline constexpr std::string_view malformed = "malformed";  // bytes that break the format
inline constexpr std::string_view too_large = "too_large";  // a limit of this server is passed
inline constexpr std::string_view out_of_order =
    "out_of_order";                                             // a message that is not allowed in this state
inline constexpr std::string_view unsupported = "unsupported";  // a codec or feature that is not carried
inline constexpr std::string_view play_refused = "play_refused";  // a player came instead of a publisher
inline constexpr std::string_view key_refused = "key_refused";  // no key, or one that the gate does not know
}  // namespace reason

// `message` is a sentence that the publisher's operator may read, in the log line and where possible in an
// onStatus.
[[noreturn]] inline void fail(std::string_view why, std::string message) {
    const ErrorCode code = why == reason::too_large      ? ErrorCode::payload_too_large
                           : why == reason::unsupported  ? ErrorCode::unsupported_media
                           : why == reason::key_refused  ? ErrorCode::unauthenticated
                           : why == reason::play_refused ? ErrorCode::forbidden
                                                         : ErrorCode::invalid_argument;
    throw Error(code, std::move(message), {.reason = std::string{why}});
}

}  // namespace spaktok::media::rtmp
