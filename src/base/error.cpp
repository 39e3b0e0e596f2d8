#include "base/error.h"

#include "base/assert.h"

namespace spaktok {

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return "invalid_argument";
        case ErrorCode::unauthenticated:
            return "unauthenticated";
        case ErrorCode::forbidden:
            return "forbidden";
        case ErrorCode::not_found:
            return "not_found";
        case ErrorCode::conflict:
            return "conflict";
        case ErrorCode::unprocessable:
            return "unprocessable";
        case ErrorCode::payload_too_large:
            return "payload_too_large";
        case ErrorCode::unsupported_media:
            return "unsupported_media";
        case ErrorCode::range_not_satisfiable:
            return "range_not_satisfiable";
        case ErrorCode::precondition_failed:
            return "precondition_failed";
        case ErrorCode::rate_limited:
            return "rate_limited";
        case ErrorCode::unavailable:
            return "unavailable";
        case ErrorCode::deadline_exceeded:
            return "deadline_exceeded";
        case ErrorCode::insufficient_funds:
            return "insufficient_funds";
        case ErrorCode::internal:
            return "internal";
    }
    SPAKTOK_ASSERT(false);
}

}  // namespace spaktok
