#include "engines/document/mongo/failure.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "engines/document/collection.h"
#include "engines/document/mongo/translate.h"

namespace spaktok::document::mongo {

Error unavailable(std::string detail) {
    return Error(ErrorCode::unavailable, "The database is not available at the moment.",
                 {.detail = std::move(detail), .retry_after = std::chrono::seconds(1)});
}

namespace {

// The driver's own: no connection, no answer, no credentials that it would take.
bool is_broken(const bson_error_t& error) {
    constexpr std::array domains{MONGOC_ERROR_STREAM, MONGOC_ERROR_CLIENT, MONGOC_ERROR_PROTOCOL,
                                 MONGOC_ERROR_WRITE_CONCERN};
    return std::ranges::find(domains, error.domain) != domains.end();
}

// Server error codes (mongo/base/error_codes.yml): a primary that is gone or steps down, a member that shuts
// down, conflicts that the server gave up on, credentials, and a full disk. None is about the request.
bool is_outage(std::uint32_t code) {
    constexpr std::array codes{6U,   7U,     11U,    13U,    18U,    64U,    79U,    89U,
                               91U,  100U,   112U,   117U,   133U,   175U,   189U,   9001U,
                               262U, 10058U, 10107U, 11600U, 11602U, 13435U, 13436U, 14031U};
    return std::ranges::find(codes, code) != codes.end();
}

// BadValue, FailedToParse, TypeMismatch, Overflow, IllegalOperation, PathNotViable, ConflictingUpdate…: an
// update that does not fit what is stored.
bool is_misfit(std::uint32_t code) {
    constexpr std::array codes{2U, 9U, 14U, 15U, 20U, 28U, 40U, 10141U, 16837U};
    return std::ranges::find(codes, code) != codes.end();
}

bool is_too_large(std::uint32_t code) {
    return code == 10334 || code == 17419 || code == 17420;
}

}  // namespace

ServerGone::ServerGone(std::string detail) : Error(unavailable(std::move(detail))) {}

bool is_duplicate(std::int64_t code) {
    return code == 11000 || code == 11001 || code == 12582;
}

void fail(const bson_error_t& error) {
    const auto detail = fmt::format("MongoDB {}.{}: {}", error.domain, error.code, error.message);
    if (error.domain == MONGOC_ERROR_SERVER_SELECTION) throw ServerGone(detail);
    if (is_broken(error)) throw unavailable(detail);
    if (is_duplicate(error.code)) throw DuplicateKey(refusing_index(error.message));
    if (error.code == 50)
        throw Error(ErrorCode::deadline_exceeded, "The database took too long.", {.detail = detail});
    if (is_outage(error.code)) throw unavailable(detail);
    if (is_misfit(error.code))
        throw Error(ErrorCode::invalid_argument, "The change does not fit what is stored.",
                    {.detail = detail});
    if (is_too_large(error.code))
        throw Error(ErrorCode::payload_too_large, "This is larger than what can be stored.",
                    {.detail = detail});
    throw Error(ErrorCode::internal, "The database refused the request.", {.detail = detail});
}

void check_confirmed(const bson_t& reply) {
    bson_iter_t at;
    if (bson_iter_init_find(&at, &reply, "writeConcernError"))
        throw unavailable("a majority did not confirm a write");
    bson_iter_t inner;
    if (bson_iter_init_find(&at, &reply, "writeConcernErrors") && bson_iter_recurse(&at, &inner) &&
        bson_iter_next(&inner)) {
        throw unavailable("a majority did not confirm a write");
    }
}

}  // namespace spaktok::document::mongo
