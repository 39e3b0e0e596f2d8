// Who decided what: written in the transaction of the decision, never changed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/json.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "features/paging/page.h"

namespace spaktok::audit_log {

struct Entry {
    UserId actor;
    std::string action;        // "payout.approve"
    std::string subject_type;  // "payout"
    std::string subject_id;
    json::Object details{};
};
boost::asio::awaitable<void> append(relational::Transaction& tx, Entry entry, Timestamp now, Random& random);

struct Written {
    Uuid id;
    UserId actor_id;
    std::string action;
    std::string subject_type;
    std::string subject_id;
    json::Value details;
    Timestamp created_at{};
};
struct PageRequest {
    std::int64_t limit = paging::limit_default;
    std::optional<std::string> cursor{};
};
// Newest first. Throws Error{invalid_argument "invalid_cursor"}.
boost::asio::awaitable<paging::Page<Written>> list(relational::Database& database, PageRequest page);

}  // namespace spaktok::audit_log
