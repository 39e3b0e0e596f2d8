// Group commit: what many callers want to write at the same moment is taken from a queue and committed as one
// batch, each caller with an outcome of its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/assert.h"
#include "base/error.h"
#include "base/park.h"

namespace spaktok::engines {

// Item: what a caller wants written. Outcome: what it is told. Callers may be on any thread; each is resumed
// on its own executor. `commit` runs on the batcher's executor, one batch at a time, and returns one outcome
// an item, in order; what it throws is thrown to every caller of the batch. Batches form by themselves: while
// one commits, the next queues.
//
// The batcher may be destroyed while callers wait: what they submitted is still committed. What `commit` uses
// must live until then, so its owner awaits stop() first.
template <class Item, class Outcome>
class Batcher {
  public:
    struct Options {
        std::string name;
        std::size_t queue_items_max = 10'000;  // one more is refused: Error{unavailable} with Retry-After
        std::size_t batch_items_max = 512;
    };
    using Commit = std::function<boost::asio::awaitable<std::vector<Outcome>>(std::vector<Item>)>;

    Batcher(boost::asio::any_io_executor executor, Options options, Commit commit)
        : state_(std::make_shared<State>(std::move(executor), std::move(options), std::move(commit))) {}

    // Returns once the item's batch is committed. Cancelling the caller does not take the item back.
    // Throws Error{unavailable} when the queue is full or the batcher has stopped, and what `commit` throws.
    boost::asio::awaitable<Outcome> submit(Item item) { return submit_to(state_, std::move(item)); }

    // The same for several, which go into as few batches as they fit into, in their order. Throws what the
    // first that failed does, once all have ended.
    boost::asio::awaitable<std::vector<Outcome>> submit_all(std::vector<Item> items) {
        return submit_all_to(state_, std::move(items));
    }

    // Commits what is queued and refuses what comes later. From any thread.
    boost::asio::awaitable<void> stop() { return stop_state(state_); }

  private:
    // Where a caller waits; lives in the caller's frame.
    struct Answer {
        std::optional<Outcome> outcome;
        std::exception_ptr error;
    };
    struct Waiting {
        Item item;
        Answer* answer;
        Resume resume;
    };
    struct State {
        State(boost::asio::any_io_executor on, Options with, Commit by)
            : executor(std::move(on)), options(std::move(with)), commit(std::move(by)) {}

        const boost::asio::any_io_executor executor;
        const Options options;
        const Commit commit;
        std::mutex mutex;
        std::deque<Waiting> queue;
        std::vector<Resume> stoppers;
        bool committing = false;  // a drain is running or has been started
        bool stopping = false;
    };

    static boost::asio::awaitable<Outcome> submit_to(std::shared_ptr<State> state, Item item) {
        Answer answer;
        co_await park(
            [&](Resume resume) { enqueue(state, Waiting{std::move(item), &answer, std::move(resume)}); });
        if (answer.error) std::rethrow_exception(answer.error);
        co_return std::move(*answer.outcome);
    }

    static boost::asio::awaitable<std::vector<Outcome>> submit_all_to(std::shared_ptr<State> state,
                                                                      std::vector<Item> items) {
        std::vector<Answer> answers(items.size());
        co_await park([&](Resume resume) {
            // One more than there are items, so that nobody is resumed before all are queued.
            const auto left = std::make_shared<std::atomic<std::size_t>>(items.size() + 1);
            const Resume done = [left, resume = std::move(resume)] {
                if (left->fetch_sub(1) == 1) resume();
            };
            for (std::size_t index = 0; index < items.size(); ++index)
                enqueue(state, Waiting{std::move(items[index]), &answers[index], done});
            done();
        });
        std::vector<Outcome> outcomes;
        outcomes.reserve(answers.size());
        for (auto& answer : answers) {
            if (answer.error) std::rethrow_exception(answer.error);
            outcomes.push_back(std::move(*answer.outcome));
        }
        co_return outcomes;
    }

    static void enqueue(const std::shared_ptr<State>& state, Waiting waiting) {
        const auto refusal = try_push(state, waiting);
        if (!refusal) return;
        waiting.answer->error = std::make_exception_ptr(
            Error(ErrorCode::unavailable, "The server has more to do than it can; try again in a moment.",
                  {.detail = state->options.name + *refusal, .retry_after = std::chrono::seconds{1}}));
        waiting.resume();
    }

    // Takes what waits, or says why not.
    static std::optional<std::string> try_push(const std::shared_ptr<State>& state, Waiting& waiting) {
        bool start_draining = false;
        {
            const std::lock_guard lock(state->mutex);
            if (state->stopping) return " has stopped";
            if (state->queue.size() >= state->options.queue_items_max) return " has a full queue";
            state->queue.push_back(std::move(waiting));
            start_draining = !std::exchange(state->committing, true);
        }
        if (start_draining) boost::asio::co_spawn(state->executor, drain(state), boost::asio::detached);
        return std::nullopt;
    }

    static boost::asio::awaitable<void> drain(std::shared_ptr<State> state) {
        // To the end of this turn of the loop: whoever is about to submit in it joins the first batch.
        co_await boost::asio::post(state->executor, boost::asio::use_awaitable);
        while (true) {
            auto batch = take(*state);
            if (batch.empty()) co_return;
            co_await commit_batch(*state, batch);
            for (auto& waiting : batch)
                std::exchange(waiting.resume, nullptr)();
        }
    }

    // The next batch; empty where the drain ends.
    static std::vector<Waiting> take(State& state) {
        std::vector<Waiting> batch;
        std::vector<Resume> stoppers;
        {
            const std::lock_guard lock(state.mutex);
            const auto count = std::min(state.queue.size(), state.options.batch_items_max);
            batch.reserve(count);
            for (std::size_t taken = 0; taken < count; ++taken) {
                batch.push_back(std::move(state.queue.front()));
                state.queue.pop_front();
            }
            if (batch.empty()) {
                state.committing = false;
                stoppers.swap(state.stoppers);
            }
        }
        for (auto& stopper : stoppers)
            std::exchange(stopper, nullptr)();
        return batch;
    }

    static boost::asio::awaitable<void> commit_batch(State& state, std::vector<Waiting>& batch) {
        std::vector<Item> items;
        items.reserve(batch.size());
        for (auto& waiting : batch)
            items.push_back(std::move(waiting.item));
        try {
            auto outcomes = co_await state.commit(std::move(items));
            SPAKTOK_ASSERT(outcomes.size() == batch.size());
            for (std::size_t index = 0; index < batch.size(); ++index) {
                batch[index].answer->outcome.emplace(std::move(outcomes[index]));
            }
        } catch (...) {
            for (auto& waiting : batch)
                waiting.answer->error = std::current_exception();
        }
    }

    static boost::asio::awaitable<void> stop_state(std::shared_ptr<State> state) {
        co_await park([&](Resume resume) {
            {
                const std::lock_guard lock(state->mutex);
                state->stopping = true;
                if (state->committing) {
                    state->stoppers.push_back(std::move(resume));
                    return;
                }
            }
            resume();
        });
    }

    std::shared_ptr<State> state_;
};

}  // namespace spaktok::engines
