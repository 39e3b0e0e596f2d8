// The boards compared with the gifts that they follow from.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "engines/realtime/realtime.h"
#include "engines/relational/database.h"
#include "features/checking/findings.h"

namespace spaktok::leaderboards {

struct CheckOptions {
    relational::Database& database;
    realtime::Rankings& rankings;
    const Clock& clock;
};
// Beside running nodes. Boards that are not built are none to compare. A repair asks for their building,
// which a node does within seconds.
boost::asio::awaitable<void> check_boards(CheckOptions options, checking::Findings& findings);

}  // namespace spaktok::leaderboards
