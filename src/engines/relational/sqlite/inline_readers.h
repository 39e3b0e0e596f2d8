// Read connections for point reads on the threads that ask: one a thread, so that nobody waits for anybody.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engines/sqlite/connection.h"

namespace spaktok::relational::sqlite {

// Thread-safe. A thread keeps the connection that it was given until it ends; then the next new thread gets
// it.
class InlineReaders {
  public:
    InlineReaders(spaktok::sqlite::Connection::Options connection, std::size_t connections_max);
    ~InlineReaders();
    InlineReaders(const InlineReaders&) = delete;
    InlineReaders& operator=(const InlineReaders&) = delete;

    // The calling thread's connection; nullptr where connections_max other threads have one (they use the
    // pool).
    spaktok::sqlite::Connection* of_this_thread();

  private:
    struct Shared;
    struct Lease;
    struct ThreadLeases;

    std::shared_ptr<Shared> shared_;
};

}  // namespace spaktok::relational::sqlite
