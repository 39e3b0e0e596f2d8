#include "engines/relational/sqlite/inline_readers.h"

#include <algorithm>

namespace spaktok::relational::sqlite {

using spaktok::sqlite::Connection;

struct InlineReaders::Shared {
    Connection::Options options;
    std::size_t connections_max;
    std::mutex mutex;
    std::vector<std::unique_ptr<Connection>> all;
    std::vector<Connection*> free;
};

// One thread's hold on a connection. The engine may be closed before the thread ends, and the thread before
// the engine.
struct InlineReaders::Lease {
    const Shared* key;
    std::weak_ptr<Shared> shared;
    Connection* connection;
};

struct InlineReaders::ThreadLeases {
    std::vector<Lease> leases;

    ~ThreadLeases() {
        for (const auto& lease : leases) {
            const auto shared = lease.shared.lock();
            if (!shared) continue;
            const std::lock_guard lock(shared->mutex);
            shared->free.push_back(lease.connection);
        }
    }
    static ThreadLeases& of_this_thread() {
        thread_local ThreadLeases leases;
        return leases;
    }
};

InlineReaders::InlineReaders(Connection::Options connection, std::size_t connections_max)
    : shared_(std::make_shared<Shared>()) {
    shared_->options = std::move(connection);
    shared_->connections_max = connections_max;
}

InlineReaders::~InlineReaders() = default;

Connection* InlineReaders::of_this_thread() {
    auto& leases = ThreadLeases::of_this_thread().leases;
    for (const auto& lease : leases) {
        // While the weak pointer lives in the lease, no other engine's state can have this address.
        if (lease.key == shared_.get()) return lease.connection;
    }
    std::erase_if(leases, [](const Lease& lease) { return lease.shared.expired(); });
    const std::lock_guard lock(shared_->mutex);
    Connection* connection = nullptr;
    if (!shared_->free.empty()) {
        connection = shared_->free.back();
        shared_->free.pop_back();
    } else if (shared_->all.size() < shared_->connections_max) {
        connection = shared_->all.emplace_back(std::make_unique<Connection>(shared_->options)).get();
    } else {
        return nullptr;
    }
    leases.push_back({shared_.get(), shared_, connection});
    return connection;
}

}  // namespace spaktok::relational::sqlite
