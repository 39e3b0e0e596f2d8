// What follows `streams`, compared with it: the documents of `live_streams`, and the ranking of what is live.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/document/collection.h"
#include "engines/realtime/realtime.h"
#include "engines/relational/database.h"
#include "features/checking/findings.h"

namespace spaktok::streams {

struct CheckOptions {
    relational::Database& database;
    document::Store& documents;
    realtime::Engine& realtime;
    bool has_ranking = true;  // false: it is in a node's memory, made anew at each start
    const Clock& clock;
    Random& random;
};
// Viewer counts are not compared: they are only in the realtime engine.
boost::asio::awaitable<void> check_streams(CheckOptions options, checking::Findings& findings);

}  // namespace spaktok::streams
