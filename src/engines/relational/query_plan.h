// What the engine would do for a query, for tests: every list query is served by an index.
#pragma once

#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"

namespace spaktok::relational {

// The steps of the statement's plan that read a whole table or sort what they read, as the engine words them.
// Empty where indexes serve all of it:
//
//   EXPECT_THAT(run(steps_without_index(database, page_of_followers, {user, now, last, 20})), IsEmpty());
boost::asio::awaitable<std::vector<std::string>> steps_without_index(Database& database, Statement statement,
                                                                     std::vector<Value> args);

}  // namespace spaktok::relational
