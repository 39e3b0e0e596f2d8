#include "engines/sqlite/reader_pool.h"

#include "base/assert.h"

namespace spaktok::sqlite {

ReaderPool::ReaderPool(const Connection::Options& connection, WorkerPool::Options options) : pool_(options) {
    const std::scoped_lock lock(mutex_);
    for (std::size_t made = 0; made < options.threads; ++made)
        idle_.push_back(std::make_unique<Connection>(connection));
}

std::unique_ptr<Connection> ReaderPool::take() {
    const std::scoped_lock lock(mutex_);
    SPAKTOK_ASSERT(!idle_.empty());
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
}

void ReaderPool::give_back(std::unique_ptr<Connection> connection) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(connection));
}

}  // namespace spaktok::sqlite
