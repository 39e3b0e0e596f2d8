#include "engines/realtime/redis/failure.h"

#include <algorithm>
#include <array>

namespace spaktok::realtime::redis {

namespace {

// Memory is full, data is being loaded, a script runs for too long, the disk refuses the log, a replica
// without its master, a cluster that is changing, or whom the server does not let in: none is about the
// command.
constexpr std::array<std::string_view, 14> outages{
    "OOM",         "LOADING",  "BUSY",  "MISCONF", "READONLY", "MASTERDOWN", "NOREPLICAS",
    "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK",     "NOAUTH",   "WRONGPASS",  "NOPERM"};

std::string_view first_word(std::string_view error) {
    return error.substr(0, error.find(' '));
}

}  // namespace

Error unavailable(std::string detail) {
    return Error(ErrorCode::unavailable, "The service is not available at the moment.",
                 {.detail = "Redis: " + std::move(detail), .retry_after = std::chrono::seconds(1)});
}

Error busy(std::string detail) {
    return Error(ErrorCode::unavailable, "The server is busy. Try again in a moment.",
                 {.reason = "busy", .detail = std::move(detail), .retry_after = std::chrono::seconds(1)});
}

Error failure_of(std::string_view error) {
    if (std::ranges::find(outages, first_word(error)) != outages.end())
        return unavailable(std::string(error));
    return Error(ErrorCode::internal, "Something went wrong on our side.",
                 {.detail = "Redis: " + std::string(error)});
}

bool is_wrong_server(std::string_view error) {
    const auto word = first_word(error);
    return word == "READONLY" || word == "MASTERDOWN";
}

bool is_try_again(std::string_view error) {
    return first_word(error) == "TRYAGAIN";
}

bool is_cluster_down(std::string_view error) {
    return first_word(error) == "CLUSTERDOWN";
}

bool is_unknown_script(std::string_view error) {
    return first_word(error) == "NOSCRIPT";
}

}  // namespace spaktok::realtime::redis
