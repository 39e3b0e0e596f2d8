// The bodies of the port's transactions, run on the writer's thread.
#pragma once

#include <boost/asio/io_context.hpp>

#include "engines/relational/database.h"
#include "engines/sqlite/connection.h"

namespace spaktok::relational::sqlite {

// Used by one thread at a time: the writer's.
class TransactionBodies {
  public:
    // Runs `body` to its end on the calling thread, inside the transaction that is open on `connection`, and
    // throws what makes it fail: what the body threw, or what one of its statements did although it went on.
    // Asserts that the body waited for nothing but its transaction.
    void run(Database::TransactionBody& body, spaktok::sqlite::Connection& connection);

  private:
    boost::asio::io_context context_{1};
};

}  // namespace spaktok::relational::sqlite
