// Rows of `money_flags` and `ledger_audits`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/json.h"
#include "engines/relational/database.h"
#include "features/oversight/flag.h"

namespace spaktok::oversight {

struct AuditRun {
    Uuid id;
    std::int64_t values_count = 0;
    std::int64_t differences_count = 0;
    std::vector<std::string> differences;  // the first of them, in words
    Timestamp created_at{};
};

class OversightStore {
  public:
    explicit OversightStore(relational::Database& database) : database_(database) {}

    // Those whose window has a flag already are left out.
    boost::asio::awaitable<void> insert(std::vector<Flag> flags);
    boost::asio::awaitable<std::vector<Flag>> flags(FlagStatus status, Uuid before, std::int64_t limit);
    boost::asio::awaitable<std::int64_t> count_open();
    boost::asio::awaitable<std::optional<Flag>> find(FlagId id);
    // False where it is not open.
    static boost::asio::awaitable<bool> dismiss(relational::Transaction& tx, FlagId id, UserId actor,
                                                Timestamp now);

    boost::asio::awaitable<void> insert(AuditRun run);
    boost::asio::awaitable<std::optional<AuditRun>> last_audit();

  private:
    relational::Database& database_;
};

}  // namespace spaktok::oversight
