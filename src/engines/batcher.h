// Group commit: what many callers want to write at the same moment is taken from a queue and committed as one batch, each
// caller with an outcome of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace spaktok::engines {

// Item: what a caller wants written. Outcome: what it is told. Callers may be on any thread; each is resumed on its own
// executor. `commit` runs on the batcher's executor, one batch at a time, and returns one outcome an item, in order;
// what it throws is thrown to every caller of the batch. Batches form by themselves: while one commits, the next queues.
template <class Item, class Outcome>
class Batcher {
  public:
    struct Options {
        std::string name;
        std::size_t queue_items_max = 10'000;  // one more is refused: Error{unavailable} with Retry-After
        std::size_t batch_items_max = 512;
    };
    using Commit = std::function<boost::asio::awaitable<std::vector<Outcome>>(std::vector<Item>)>;

    Batcher(boost::asio::any_io_executor executor, Options options, Commit commit);
    // Returns once the item's batch is committed. Cancelling the caller does not take the item back.
    boost::asio::awaitable<Outcome> submit(Item item);
    // Commits what is queued and refuses what comes later.
    boost::asio::awaitable<void> stop();

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::engines
