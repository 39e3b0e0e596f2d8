#include "engines/batcher.h"

#include <atomic>
#include <map>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/io_threads.h"

namespace spaktok::engines {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using Numbers = Batcher<int, int>;

// A commit that waits until it is let through, so that a test decides what forms a batch.
class Gate {
  public:
    explicit Gate(asio::io_context& context) : timer_(context, asio::steady_timer::time_point::max()) {}
    asio::awaitable<void> pass() {
        boost::system::error_code ignored;
        while (!open_)
            co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    void open() {
        open_ = true;
        timer_.cancel();
    }

  private:
    asio::steady_timer timer_;
    bool open_ = false;
};

// Callers, batcher and test on one thread.
class BatcherTest : public testing::Test {
  protected:
    Numbers::Commit doubling() {
        return [this](std::vector<int> items) -> asio::awaitable<std::vector<int>> {
            batches_.push_back(items);
            co_await gate_.pass();
            for (auto& item : items)
                item *= 2;
            co_return items;
        };
    }
    void submit(Numbers& batcher, int item) {
        asio::co_spawn(context_, batcher.submit(item), [this, item](std::exception_ptr error, int outcome) {
            if (!error) {
                outcomes_[item] = outcome;
                return;
            }
            try {
                std::rethrow_exception(error);
            } catch (const Error& refused) {
                errors_.emplace(item, refused);
            }
        });
    }
    void run_ready() {
        context_.restart();
        context_.poll();
    }

    asio::io_context context_{1};
    Gate gate_{context_};
    std::vector<std::vector<int>> batches_;
    std::map<int, int> outcomes_;
    std::map<int, Error> errors_;
};

TEST_F(BatcherTest, SeveralOfOneCallerAreCommittedInTheirOrder) {
    gate_.open();
    Numbers batcher(context_.get_executor(), {.name = "test", .queue_items_max = 10, .batch_items_max = 3},
                    doubling());
    std::vector<int> outcomes;
    asio::co_spawn(context_, batcher.submit_all({1, 2, 3, 4, 5}),
                   [&](const std::exception_ptr& error, std::vector<int> all) {
                       EXPECT_FALSE(error);
                       outcomes = std::move(all);
                   });
    bool none_ended = false;
    asio::co_spawn(context_, batcher.submit_all({}),
                   [&](const std::exception_ptr&, const std::vector<int>& all) { none_ended = all.empty(); });
    context_.run();
    EXPECT_THAT(outcomes, ElementsAre(2, 4, 6, 8, 10));
    EXPECT_THAT(batches_, ElementsAre(std::vector{1, 2, 3}, std::vector{4, 5}));
    EXPECT_TRUE(none_ended);
}

TEST_F(BatcherTest, OfSeveralWhatFailsIsThrownOnceAllHaveEnded) {
    gate_.open();
    Numbers batcher(context_.get_executor(), {.name = "test", .queue_items_max = 2}, doubling());
    bool was_refused = false;
    asio::co_spawn(context_, batcher.submit_all({1, 2, 3}),
                   [&](const std::exception_ptr& error, const std::vector<int>&) {
                       was_refused = error != nullptr;
                       EXPECT_EQ(batches_.size(), 1U);
                   });
    context_.run();
    EXPECT_TRUE(was_refused);
}

TEST_F(BatcherTest, GivesEachCallerItsOwnOutcome) {
    Numbers batcher(context_.get_executor(), {.name = "test"}, doubling());
    gate_.open();
    for (int item = 1; item <= 3; ++item)
        submit(batcher, item);
    run_ready();
    EXPECT_EQ(outcomes_, (std::map<int, int>{{1, 2}, {2, 4}, {3, 6}}));
}

TEST_F(BatcherTest, QueuesTheNextBatchWhileOneCommits) {
    Numbers batcher(context_.get_executor(), {.name = "test"}, doubling());
    submit(batcher, 1);
    run_ready();
    for (int item = 2; item <= 4; ++item)
        submit(batcher, item);
    run_ready();
    EXPECT_THAT(batches_, ElementsAre(ElementsAre(1)));
    gate_.open();
    run_ready();
    EXPECT_THAT(batches_, ElementsAre(ElementsAre(1), ElementsAre(2, 3, 4)));
}

TEST_F(BatcherTest, CutsABatchAtItsLimit) {
    Numbers batcher(context_.get_executor(), {.name = "test", .batch_items_max = 2}, doubling());
    gate_.open();
    for (int item = 1; item <= 5; ++item)
        submit(batcher, item);
    run_ready();
    EXPECT_THAT(batches_, ElementsAre(ElementsAre(1, 2), ElementsAre(3, 4), ElementsAre(5)));
}

TEST_F(BatcherTest, TakesItemsUpToTheQueueLimitAndRefusesOneMore) {
    Numbers batcher(context_.get_executor(), {.name = "test", .queue_items_max = 3}, doubling());
    submit(batcher, 0);
    run_ready();  // in the batch that commits, and so no longer in the queue
    for (int item = 1; item <= 4; ++item)
        submit(batcher, item);
    run_ready();
    ASSERT_TRUE(errors_.contains(4));
    EXPECT_EQ(errors_.at(4).code(), ErrorCode::unavailable);
    EXPECT_TRUE(errors_.at(4).retry_after());
    gate_.open();
    run_ready();
    EXPECT_EQ(outcomes_.size(), 4U);
    EXPECT_EQ(errors_.size(), 1U);
}

TEST_F(BatcherTest, ThrowsToEveryCallerOfTheBatchAndGoesOn) {
    bool broken = true;
    Numbers batcher(context_.get_executor(), {.name = "test"},
                    [&](std::vector<int> items) -> asio::awaitable<std::vector<int>> {
                        if (std::exchange(broken, false)) throw Error(ErrorCode::deadline_exceeded, "late");
                        co_return items;
                    });
    submit(batcher, 1);
    submit(batcher, 2);
    run_ready();
    submit(batcher, 3);
    run_ready();
    EXPECT_EQ(errors_.size(), 2U);
    EXPECT_EQ(errors_.at(2).code(), ErrorCode::deadline_exceeded);
    EXPECT_EQ(outcomes_, (std::map<int, int>{{3, 3}}));
}

TEST_F(BatcherTest, StopCommitsWhatIsQueuedAndRefusesWhatComesLater) {
    Numbers batcher(context_.get_executor(), {.name = "test", .batch_items_max = 1}, doubling());
    submit(batcher, 1);
    submit(batcher, 2);
    run_ready();
    bool stopped = false;
    asio::co_spawn(context_, batcher.stop(), [&](std::exception_ptr) { stopped = true; });
    run_ready();
    submit(batcher, 3);
    run_ready();
    EXPECT_FALSE(stopped);
    gate_.open();
    run_ready();
    EXPECT_TRUE(stopped);
    EXPECT_EQ(outcomes_.size(), 2U);
    ASSERT_TRUE(errors_.contains(3));
    EXPECT_EQ(errors_.at(3).code(), ErrorCode::unavailable);
}

TEST_F(BatcherTest, StopReturnsAtOnceWhereNothingIsQueued) {
    Numbers batcher(context_.get_executor(), {.name = "test"}, doubling());
    bool stopped = false;
    asio::co_spawn(context_, batcher.stop(), [&](std::exception_ptr) { stopped = true; });
    run_ready();
    EXPECT_TRUE(stopped);
}

TEST_F(BatcherTest, MovesItemsAndOutcomesThatCannotBeCopied) {
    using Owned = std::unique_ptr<int>;
    Batcher<Owned, Owned> batcher(
        context_.get_executor(), {.name = "test"},
        [](std::vector<Owned> items) -> asio::awaitable<std::vector<Owned>> { co_return std::move(items); });
    int outcome = 0;
    asio::co_spawn(context_, batcher.submit(std::make_unique<int>(7)),
                   [&](std::exception_ptr, Owned answer) { outcome = *answer; });
    run_ready();
    EXPECT_EQ(outcome, 7);
}

asio::awaitable<void> submit_many(Numbers& batcher, int first, int count, std::size_t home,
                                  std::atomic<int>& wrong) {
    for (int item = first; item < first + count; ++item) {
        const int outcome = co_await batcher.submit(item);
        if (outcome != item * 2 || IoThreads::current() != home) ++wrong;
    }
}

TEST(BatcherConcurrent, ServesCallersOfManyThreadsEachOnItsOwn) {
    IoThreads threads(3);
    threads.start();
    bool in_commit = false;  // only ever touched on the batcher's thread
    std::atomic<int> overlaps = 0;
    Numbers batcher(threads.context(0).get_executor(), {.name = "test", .batch_items_max = 16},
                    [&](std::vector<int> items) -> asio::awaitable<std::vector<int>> {
                        if (std::exchange(in_commit, true)) ++overlaps;
                        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
                        for (auto& item : items)
                            item *= 2;
                        in_commit = false;
                        co_return items;
                    });
    std::atomic<int> wrong = 0;
    std::vector<std::future<void>> callers;
    for (int caller = 0; caller < 12; ++caller) {
        const auto home = static_cast<std::size_t>(caller % 3);
        callers.push_back(asio::co_spawn(
            threads.context(home), submit_many(batcher, caller * 1000, 200, home, wrong), asio::use_future));
    }
    for (auto& caller : callers)
        caller.get();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(overlaps, 0);
    asio::co_spawn(threads.context(1), batcher.stop(), asio::use_future).get();
    threads.stop();
}

}  // namespace
}  // namespace spaktok::engines
